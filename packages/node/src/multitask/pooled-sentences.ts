import { ints, type Value } from "@graft-ml/core";
import type { OpenedSentences } from "./sentence-trunk.ts";

/** Taken from the states of padding before the greatest are looked for. */
const FAR = 1e4;

/** A sentence's states as one row: their mean beside the greatest of each, padding left aside [batch, width]. */
export function pooledSentences({ builder: b, at, mask }: OpenedSentences): {
  features: Value;
  width: number;
} {
  const { states, width } = at;
  const sum = b.apply("ReduceSum", [b.apply("Mul", [states, mask]), ints([1])], { keepdims: 0 });
  const count = b.apply("ReduceSum", [mask, ints([1])], { keepdims: 0 }); // [batch, 1]
  const mean = b.apply("Div", [sum, count]);
  const far = b.apply("Mul", [b.apply("Sub", [mask, 1]), FAR]);
  const greatest = b.apply("ReduceMax", [b.apply("Add", [states, far])], { axes: [1], keepdims: 0 });
  return { features: b.apply("Concat", [mean, greatest], { axis: 1 }), width: 2 * width };
}

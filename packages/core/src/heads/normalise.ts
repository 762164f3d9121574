import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { type Features, isSparse } from "../tensor.ts";

/** Least length that a row is divided by, so that a row of zeros stays one. */
export const LEAST_LENGTH = 1e-12;

/** Rows divided by their Euclidean length. */
export function normalised(features: Features): Features {
  if (isSparse(features)) {
    const values = Float32Array.from(features.values);
    for (let i = 0; i < features.rows; i++) divide(values, features.offsets[i]!, features.offsets[i + 1]!);
    return { ...features, values };
  }
  const data = Float32Array.from(features.data);
  for (let i = 0; i < features.rows; i++) divide(data, i * features.columns, (i + 1) * features.columns);
  return { ...features, data };
}

function divide(values: Float32Array, from: number, to: number): void {
  let square = 0;
  for (let j = from; j < to; j++) square += values[j]! * values[j]!;
  const length = Math.max(LEAST_LENGTH, Math.sqrt(square));
  for (let j = from; j < to; j++) values[j]! /= length;
}

/** The same in a graph. */
export function appendNormalised(graph: Graph, features: Value): Value {
  const b = build(graph);
  const length = b.apply("ReduceL2", [features], { axes: [1], keepdims: 1 });
  return b.apply("Div", [features, b.apply("Max", [length, LEAST_LENGTH])], {}, { name: "normalised" });
}

import type { Value } from "../../ir/graph.ts";
import { decomposed } from "../op.ts";
import { rotated } from "../rotary.ts";

/** As in ai.onnx, but inputs x, place ids [B, S] (or [1]: the first place), cosines and sines [places, R/2]. */
export const RotaryEmbedding = decomposed((g, at) => {
  const [x, ids, cos, sin] = at.x as [Value, Value, Value, Value];
  if (at.int("is_packed_batching", 0)) at.refuse("has packed batches, which has no gradient rule");
  if (at.float("scale", 1) !== 1) at.refuse("scales its places, which has no gradient rule");
  let places = ids;
  if (at.rank(ids) === 1) {
    const length = at.shape(x)[at.rank(x) === 3 ? 1 : 2];
    if (typeof length !== "number")
      return at.refuse("needs the length of its sequences; give the shapes of the inputs");
    const steps = {
      dtype: "int64" as const,
      shape: [1, length],
      data: BigInt64Array.from({ length }, (_, i) => BigInt(i)),
    };
    places = g.add(g.unsqueeze(ids, [0]), g.constant(steps));
  }
  return [rotated(g, at, x, g.gather(cos, places, 0), g.gather(sin, places, 0), 2 * at.extents(cos)[1]!)];
});

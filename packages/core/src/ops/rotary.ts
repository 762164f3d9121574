import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { type Decomposition, decomposed } from "./op.ts";

/**
 * Pairs of features turned by angles that grow with the place (Su et al. 2021,
 * https://arxiv.org/abs/2104.09864). Inputs: x [B, heads, S, D] or [B, S, heads·D], cosines and sines
 * [places, R/2] with place ids [B, S], or [B, S, R/2] without.
 */
export const RotaryEmbedding = decomposed((g, at) => {
  const [x, cos, sin, ids] = at.x as [Value, Value, Value, Value | undefined];
  const at_ = (table: Value) => (ids ? g.gather(table, ids, 0) : table);
  return [rotated(g, at, x, at_(cos), at_(sin), 2 * at.extents(cos).at(-1)!)];
});

/** `cos` and `sin` [B, S, R/2] turn the first R features of each head. */
export function rotated(
  g: Formula,
  at: Parameters<Decomposition>[1],
  x: Value,
  cos: Value,
  sin: Value,
  turned: number,
): Value {
  const isFlat = at.rank(x) === 3;
  const extents = at.shape(x);
  const last = extents.at(-1);
  if (typeof last !== "number")
    return at.refuse("needs the number of features; give the shapes of the inputs");
  const heads = isFlat ? at.int("num_heads", 0) || last / turned : 1;
  const size = last / heads;
  const split = isFlat ? g.reshape(x, [0, 0, heads, size]) : x;
  const [c, s] = [cos, sin].map((one) => g.unsqueeze(one, [isFlat ? 2 : 1])) as [Value, Value];
  const parts = size > turned ? g.split(split, [turned, size - turned], 3) : [split];
  const half = turned / 2;
  const isInterleaved = at.int("interleaved", 0) === 1;
  const pairs = isInterleaved
    ? g.split(g.reshape(parts[0]!, [0, 0, -1, half, 2]), [1, 1], 4).map((one) => g.squeeze(one, [4]))
    : g.split(parts[0]!, [half, half], 3);
  const [a, b] = pairs as [Value, Value];
  const made = [g.sub(g.mul(c, a), g.mul(s, b)), g.add(g.mul(s, a), g.mul(c, b))];
  const joined = isInterleaved
    ? g.reshape(
        g.concat(
          made.map((one) => g.unsqueeze(one, [4])),
          4,
        ),
        [0, 0, -1, turned],
      )
    : g.concat(made, 3);
  const whole = parts[1] ? g.concat([joined, parts[1]], 3) : joined;
  return isFlat ? g.reshape(whole, g.shape(x)) : whole;
}

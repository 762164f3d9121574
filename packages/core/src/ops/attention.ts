import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { decomposed } from "./op.ts";

/** The least float32: what a softmax makes 0 of. */
const HIDDEN = -3.4028234663852886e38;

/**
 * softmax(scale·Q·Kᵀ + mask)·V of operator set 23 (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762). Q,
 * K and V: [B, heads, S, D], or [B, S, heads·D] with the number of heads as attributes; fewer heads of K and
 * V are repeated (Ainslie et al. 2023, https://arxiv.org/abs/2305.13245). The mask is added, or hides where
 * it is false.
 */
export const Attention = decomposed((g, at) => {
  const [q, k, v, mask] = at.x as Value[];
  if (at.has(4) || at.has(5)) at.refuse("has a past; export the model without a cache");
  if (at.has(6)) at.refuse("has lengths of its keys, which has no gradient rule; give it a mask");
  const isFlat = at.rank(q!) === 3;
  const own = (value: Value, name: string) => (isFlat ? at.int(name, 1) : at.extents(value)[1]!);
  const queryHeads = own(q!, "q_num_heads");
  const keyHeads = own(k!, "kv_num_heads");
  const queries = isFlat ? headsApart(g, q!, queryHeads) : q!;
  const [keys, values] = [k!, v!].map((value) =>
    repeated(g, isFlat ? headsApart(g, value, keyHeads) : value, keyHeads, queryHeads / keyHeads),
  ) as [Value, Value];
  const cap = at.float("softcap", 0);
  const y = attend(g, queries, keys, values, {
    scale: at.float("scale", 0),
    isCausal: at.int("is_causal", 0) === 1,
    change(scores) {
      const masked = !mask
        ? scores
        : at.dtype(mask) === "bool"
          ? g.where(mask, scores, HIDDEN)
          : g.add(scores, mask);
      if (cap && mask) at.refuse("has both a mask and a softcap, whose order differs between versions");
      return cap ? g.mul(cap, g.tanh(g.div(masked, cap))) : masked;
    },
  });
  return [isFlat ? headsJoined(g, y) : y];
});

/** How attention weighs. */
export interface Weighing {
  /** Of the products; 1/√D where it is 0. */
  readonly scale: number;
  /** A query sees keys up to its own place. */
  readonly isCausal: boolean;
  /** What becomes of the scores [B, heads, S, T] before the softmax. */
  change(scores: Value): Value;
}

/** Q [B, heads, S, D], K [B, heads, T, D], V [B, heads, T, F] to [B, heads, S, F]. */
export function attend(g: Formula, q: Value, k: Value, v: Value, how: Weighing): Value {
  const raw = g.matmul(q, g.transpose(k, [0, 1, 3, 2]));
  const scaled = how.scale
    ? g.mul(how.scale, raw)
    : g.div(raw, g.sqrt(g.number(g.gather(g.shape(q), g.constant(place(3)), 0))));
  let scores = how.change(scaled);
  if (how.isCausal) {
    const places = (axis: number) =>
      g.op("Range", [
        g.constant(place(0)),
        g.gather(g.shape(scores), g.constant(place(axis)), 0),
        g.constant(place(1)),
      ]);
    const isLater = g.op("Greater", [g.unsqueeze(places(3), [0]), g.unsqueeze(places(2), [1])]);
    scores = g.where(isLater, HIDDEN, scores);
  }
  return g.matmul(g.op("Softmax", [scores], { axis: -1 }), v);
}

/** [B, S, heads·D] → [B, heads, S, D] */
export function headsApart(g: Formula, value: Value, heads: number): Value {
  return g.transpose(g.reshape(value, [0, 0, heads, -1]), [0, 2, 1, 3]);
}
/** [B, heads, S, D] → [B, S, heads·D] */
export function headsJoined(g: Formula, value: Value): Value {
  return g.reshape(g.transpose(value, [0, 2, 1, 3]), [0, 0, -1]);
}

/** Each head `times` times in a row. */
function repeated(g: Formula, value: Value, heads: number, times: number): Value {
  if (times === 1) return value;
  const parts = g.split(value, new Array(heads).fill(1), 1);
  return g.concat(
    parts.flatMap((part) => new Array<Value>(times).fill(part)),
    1,
  );
}

const place = (i: number) => ({ dtype: "int64" as const, shape: [], data: BigInt64Array.of(BigInt(i)) });

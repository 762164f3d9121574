import type { Value } from "../../ir/graph.ts";
import { attend, headsApart, headsJoined } from "../attention.ts";
import type { Formula } from "../formula.ts";
import { type Decomposition, decomposed } from "../op.ts";

type Part = Parameters<Decomposition>[1];

/**
 * Self-attention with its projections: x [B, S, E], weights [E, 3·H·D], bias [3·H·D], a mask [B, S] of 1 and
 * 0 (or [B, S, S], or lengths [B]) (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).
 */
export const Attention = decomposed((g, at) => {
  const [x, weights, bias, mask] = at.x as Value[];
  if (at.has(4)) at.refuse("has a past; export the model without a cache");
  const heads = at.int("num_heads", 1);
  const sizes = at.ints("qkv_hidden_sizes");
  const width = at.extents(weights!)[1]!;
  const product = g.matmul(x!, weights!);
  const all = bias ? g.add(product, bias) : product;
  const [q, k, v] = g.split(all, sizes ?? [width / 3, width / 3, width / 3], 2) as [Value, Value, Value];
  return [attended(g, at, q, k, v, heads, mask, at.has(5) ? at.x[5]! : undefined)];
});

/**
 * Attention over given queries, keys and values [B, S, H·D], with biases [3·H·D], key mask [B, S], and scores
 * to add.
 */
export const MultiHeadAttention = decomposed((g, at) => {
  const [query, key, value, bias, mask, scores] = at.x as Value[];
  if (!key || !value) at.refuse("has packed queries and keys; export it with the three apart");
  if (at.has(6) || at.has(7)) at.refuse("has a past; export the model without a cache");
  if (at.rank(key!) !== 3 || at.rank(value!) !== 3)
    at.refuse("has keys of heads apart, which has no gradient rule");
  let [q, k, v] = [query!, key!, value!];
  if (bias) {
    const widths = [q, k, v].map((one) => at.shape(one)[2] as number);
    const [bq, bk, bv] = g.split(bias, widths, 0) as [Value, Value, Value];
    [q, k, v] = [g.add(q, bq), g.add(k, bk), g.add(v, bv)];
  }
  return [attended(g, at, q, k, v, at.int("num_heads", 1), mask, scores)];
});

function attended(
  g: Formula,
  at: Part,
  q: Value,
  k: Value,
  v: Value,
  heads: number,
  mask: Value | undefined,
  added: Value | undefined,
): Value {
  const [queries, keys, values] = [q, k, v].map((value) => headsApart(g, value, heads)) as [
    Value,
    Value,
    Value,
  ];
  const y = attend(g, queries, keys, values, {
    scale: at.float("scale", 0),
    isCausal: at.int("unidirectional", 0) === 1,
    change(scores) {
      const summed = added ? g.add(scores, added) : scores;
      return mask
        ? g.add(summed, g.mul(at.float("mask_filter_value", -10000), hidden(g, at, mask, keys)))
        : summed;
    },
  });
  return headsJoined(g, y);
}

/** 1 where a key is hidden: of a mask [B, T] or [B, S, T] with 1 for what is seen, or of numbers of keys [B]. */
function hidden(g: Formula, at: Part, mask: Value, keys: Value): Value {
  const rank = at.rank(mask);
  if (rank === 2) return g.unsqueeze(g.sub(1, g.number(mask)), [1, 2]);
  if (rank === 3) return g.unsqueeze(g.sub(1, g.number(mask)), [1]);
  const [batch, count] = [at.shape(at.x[0]!)[0], at.shape(mask)[0]];
  if (rank !== 1 || batch !== count)
    return at.refuse("has a mask other than [B], [B, T] or [B, S, T], which has no gradient rule");
  const length = g.gather(g.shape(keys), g.constant(place(2)), 0);
  const places = g.op("Range", [g.constant(place(0)), length, g.constant(place(1))]);
  const beyond = g.op("Less", [g.cast(places, "int32"), g.unsqueeze(mask, [1])]);
  return g.unsqueeze(g.sub(1, g.number(beyond)), [1, 2]);
}

const place = (i: number) => ({ dtype: "int64" as const, shape: [], data: BigInt64Array.of(BigInt(i)) });

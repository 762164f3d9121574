import type { Value } from "../../ir/graph.ts";
import type { Formula } from "../formula.ts";
import { type Decomposition, decomposed } from "../op.ts";

type Part = Parameters<Decomposition>[1];

/**
 * Self-attention with its projections: x [B, S, E], weights [E, 3·H·D], bias [3·H·D], a mask [B, S] of 1 and 0
 * (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).
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

/** Attention over given queries, keys and values [B, S, H·D], with biases [3·H·D], key mask [B, S], and scores to add. */
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
  scores: Value | undefined,
): Value {
  if (at.int("unidirectional", 0) === 1) at.refuse("is causal, which has no gradient rule yet");
  // [B, S, H·D] → [B, H, S, D]
  const apart = (value: Value) => g.transpose(g.reshape(value, [0, 0, heads, -1]), [0, 2, 1, 3]);
  const [queries, keys, values] = [apart(q), apart(k), apart(v)];
  const scale = at.float("scale", 0);
  const raw = g.matmul(queries, g.transpose(keys, [0, 1, 3, 2]));
  const size = g.sqrt(g.number(g.gather(g.shape(queries), g.constant(last), 0)));
  let logits = scale ? g.mul(scale, raw) : g.div(raw, size);
  if (scores) logits = g.add(logits, scores);
  if (mask) {
    if (at.rank(mask) !== 2) at.refuse("has a mask other than [batch, sequence], which has no gradient rule");
    const hidden = g.unsqueeze(g.sub(1, g.number(mask)), [1, 2]);
    logits = g.add(logits, g.mul(at.float("mask_filter_value", -10000), hidden));
  }
  const weighted = g.matmul(g.op("Softmax", [logits], { axis: -1 }), values);
  return g.reshape(g.transpose(weighted, [0, 2, 1, 3]), [0, 0, -1]);
}

const last = { dtype: "int64" as const, shape: [], data: BigInt64Array.of(3n) };

import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { decomposed } from "./op.ts";

// Norms that are differentiated as the sums they consist of.

/** (x − mean)/√(var + ε) over the axes. */
export function standardized(g: Formula, x: Value, axes: readonly number[], epsilon: number): Value {
  const centred = g.sub(x, g.mean(x, axes));
  return g.div(centred, g.sqrt(g.add(g.mean(g.square(centred), axes), epsilon)));
}

export const InstanceNormalization = decomposed((g, at) => {
  const [x, scale, bias] = at.x as [Value, Value, Value];
  const axes = Array.from({ length: at.rank(x) - 2 }, (_, i) => i + 2);
  const apart = axes.map((axis) => axis - 1);
  const normal = standardized(g, x, axes, at.float("epsilon", 1e-5));
  return [g.add(g.mul(normal, g.unsqueeze(scale, apart)), g.unsqueeze(bias, apart))];
});

/** Scale and bias are one number a channel from operator set 21, one a group before. */
export const GroupNormalization = decomposed((g, at) => {
  const [x, scale, bias] = at.x as [Value, Value, Value];
  const groups = at.int("num_groups", 1);
  const [, channels, ...spatial] = at.shape(x);
  const normal = standardized(g, g.reshape(x, [0, groups, -1]), [2], at.float("epsilon", 1e-5));
  const isPerGroup = at.shape(scale)[0] === groups && channels !== groups;
  const apart = isPerGroup ? [1] : spatial.map((_, i) => i + 1);
  const scaled = (value: Value) => g.add(g.mul(value, g.unsqueeze(scale, apart)), g.unsqueeze(bias, apart));
  return isPerGroup ? [g.reshape(scaled(normal), g.shape(x))] : [scaled(g.reshape(normal, g.shape(x)))];
});

/** x/√(mean x² + ε)·scale (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467). */
export const RMSNormalization = decomposed((g, at) => {
  const [x, scale] = at.x as [Value, Value];
  const rank = at.rank(x);
  const from = (at.int("axis", -1) + rank) % rank;
  const axes = Array.from({ length: rank - from }, (_, i) => from + i);
  return [rootMeanSquare(g, x, scale, axes, at.float("epsilon", 1e-5))];
});
export const SimplifiedLayerNormalization = RMSNormalization;

export function rootMeanSquare(g: Formula, x: Value, scale: Value, axes: readonly number[], epsilon: number) {
  return g.mul(g.div(x, g.sqrt(g.add(g.mean(g.square(x), axes), epsilon))), scale);
}

export const LpNormalization = decomposed((g, at) => {
  const [x] = at.x as [Value];
  const axes = [at.int("axis", -1)];
  const length = at.int("p", 2) === 1 ? g.sum(g.op("Abs", [x]), axes) : g.sqrt(g.sum(g.square(x), axes));
  return [g.div(x, length)];
});

/** x/(bias + α/size·Σ x² over `size` neighbouring channels)^β (Krizhevsky, Sutskever and Hinton 2012). */
export const LRN = decomposed((g, at) => {
  const [x] = at.x as [Value];
  const size = at.int("size", 1);
  const channels = at.extents(x)[1]!;
  const rest = new Array<number>(at.rank(x) - 2).fill(0);
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const around = g.pad(g.square(x), [0, before, ...rest, 0, after, ...rest]);
  const sum = Array.from({ length: size }, (_, i) => g.slice(around, [i], [i + channels], [1])).reduce(g.add);
  const base = g.add(at.float("bias", 1), g.mul(at.float("alpha", 1e-4) / size, sum));
  return [g.div(x, g.pow(base, at.float("beta", 0.75)))];
});

export const MeanVarianceNormalization = decomposed((g, at) => {
  const [x] = at.x as [Value];
  return [standardized(g, x, at.ints("axes") ?? [0, 2, 3], 1e-9)];
});

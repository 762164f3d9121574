import { float } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import { rule } from "./op.ts";

/**
 * x̂ = (x − mean)·inv over the axes from `axis` on; with d = dy·scale:
 * dx = inv·(d − mean(d) − x̂·mean(d·x̂)) (Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450).
 */
export const LayerNormalization = rule((g, at) => {
  const {
    x: [x, scale, bias],
    dy,
  } = at;
  const rank = at.rank(x!);
  const from = (at.int("axis", -1) + rank) % rank;
  const axes = Array.from({ length: rank - from }, (_, i) => from + i);
  const inv = at.output(2);
  const shape = at.shape(x!);
  const widths = shape.slice(from);
  const isFixed = widths.every((extent) => typeof extent === "number");
  // Once more without scale and bias is one pass; put together from its parts x̂ takes two.
  const normal = isFixed
    ? g.op("LayerNormalization", [x!, g.fill(1, widths as number[])], {
        axis: from - rank,
        epsilon: float(at.float("epsilon", 1e-5)),
      })
    : g.mul(g.sub(x!, at.output(1)), inv);
  return [
    () => {
      const d = g.mul(dy, scale!);
      const along = g.mul(normal, g.mean(g.mul(d, normal), axes));
      return g.mul(inv, g.sub(g.sub(d, g.mean(d, axes)), along));
    },
    () => at.unbroadcast(g.mul(dy, normal), shape, scale!),
    () => at.unbroadcast(dy, shape, bias!),
  ];
});

/** With its stored statistics it is y = scale·(x − mean)/√(var + ε) + bias, channel by channel. */
export const BatchNormalization = rule((g, at) => {
  const {
    x: [x, scale, , mean, variance],
    dy,
  } = at;
  const axes = Array.from({ length: at.rank(x!) }, (_, axis) => axis).filter((axis) => axis !== 1);
  const apart = axes.slice(1).map((_, i) => i + 1);
  const channels = (value: Value) => (apart.length ? g.unsqueeze(value, apart) : value);
  const epsilon = at.float("epsilon", 1e-5);
  const isTraining = at.int("training_mode", 0) === 1;
  const centre = isTraining ? g.mean(x!, axes) : channels(mean!);
  const centred = g.sub(x!, centre);
  const spread = isTraining ? g.mean(g.square(centred), axes) : channels(variance!);
  const inv = g.div(1, g.sqrt(g.add(spread, epsilon)));
  const normal = g.mul(centred, inv);
  const fixed = () => at.refuse("has no gradient for its running statistics; they are not trained");
  return [
    () => {
      const factor = g.mul(channels(scale!), inv);
      if (!isTraining) return g.mul(dy, factor);
      const along = g.mul(normal, g.mean(g.mul(dy, normal), axes));
      return g.mul(factor, g.sub(g.sub(dy, g.mean(dy, axes)), along));
    },
    () => g.sum(g.mul(dy, normal), axes, false),
    () => g.sum(dy, axes, false),
    fixed,
    fixed,
  ];
});

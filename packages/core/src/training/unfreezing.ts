import { InputError } from "../errors.ts";
import type { Model } from "../ir/graph.ts";
import type { Training } from "../optim/arena.ts";
import { layerGroups } from "./parameters.ts";

/**
 * Factors on the learning rate that fall by `decay` from each depth group to the one below it (discriminative
 * fine-tuning, η_{l−1} = η_l/2.6: Howard and Ruder 2018, https://arxiv.org/abs/1801.06146). For
 * `TrainOptions.training`.
 */
export function layerRates(model: Model, decay = 2.6): (name: string) => Training {
  const groups = layerGroups(model);
  const rates = new Map(
    groups.flatMap(({ parameters }, i) =>
      parameters.map(({ name }) => [name, { rate: decay ** (i + 1 - groups.length) }] as const),
    ),
  );
  return (name) => rates.get(name) ?? {};
}

/**
 * Names of the parameters that train in each stage of gradual unfreezing: the last depth group first, then
 * one more (or
 * `step` more) below at each stage, until `stages` are made or the network is free (Howard and Ruder 2018). Statistics of
 * batch normalizations are not among them.
 */
export function unfreezingStages(
  model: Model,
  { stages, step = 1 }: { readonly stages?: number; readonly step?: number } = {},
): string[][] {
  if (!Number.isInteger(step) || step < 1)
    throw new InputError(`gradual unfreezing frees a whole number of groups from 1 at a time, got ${step}`);
  const groups = layerGroups(model);
  const count = Math.min(stages ?? Number.POSITIVE_INFINITY, Math.ceil(groups.length / step));
  return Array.from({ length: count }, (_, stage) =>
    groups
      .slice(Math.max(0, groups.length - (stage + 1) * step))
      .flatMap(({ parameters }) =>
        parameters.filter(({ role }) => role !== "statistic").map(({ name }) => name),
      ),
  );
}

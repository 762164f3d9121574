import { InputError } from "../../errors.ts";
import { type Option, type Options, resolveSettings, type Settings } from "../../options.ts";

/** How often each task has its turn. New ones: one export here. */
export interface TaskSampler {
  readonly about: string;
  readonly options: Options;
  /**
   * Share of the batches that each task gets in one epoch; the shares add up to 1. `sizes` are the batches of
   * one pass over each task's rows, `progress` runs from 0 in the first epoch to 1 in the last.
   */
  shares(sizes: readonly number[], progress: number, settings?: Readonly<Record<string, unknown>>): number[];
}

/** As many batches as the task has: every row of every task once an epoch. */
export const proportional = sampler(
  "each task as often as it has rows: one pass over all of them an epoch",
  {},
  () => 1,
);

/**
 * The share of a task grows with the root of its size, n^(1/T), so that small tasks are seen more often
 * (Arivazhagan et al. 2019, section 4.2, https://arxiv.org/abs/1907.05019). T = 1 is proportional, a large T
 * uniform.
 */
export const temperature = sampler(
  "between proportional and uniform: shares by n^(1/temperature)",
  { temperature: bounded(2, 1, 1e6, "1 is proportional, larger is nearer to uniform") },
  (settings) => 1 / settings.temperature,
);

/** All tasks alike, however few rows one has. */
export const uniform = sampler("every task as often as any other", {}, () => 0);

/**
 * From nearly proportional to nearly uniform: shares by n^α, α = 1 − fall · progress, so that training ends
 * with the tasks on a par (Stickland and Murray 2019, section 3.3, https://arxiv.org/abs/1902.02671, where
 * `fall` is 0.8).
 */
export const annealed = sampler(
  "from proportional in the first epoch to nearly uniform in the last",
  { fall: bounded(0.8, 0, 1, "how far the exponent of a task's size falls below 1") },
  (settings, progress) => 1 - settings.fall * progress,
);

function sampler<const O extends Options>(
  about: string,
  options: O,
  exponent: (settings: Settings<O>, progress: number) => number,
): TaskSampler {
  return {
    about,
    options,
    shares(sizes, progress, given = {}) {
      const settings = resolveSettings("sampling", options, given);
      const odd = sizes.find((size) => !(size > 0));
      if (sizes.length === 0 || odd !== undefined)
        throw new InputError(
          `sampling needs tasks with a batch at least, got sizes ${sizes.join(", ") || "none"}`,
        );
      const power = exponent(settings, progress);
      const masses = sizes.map((size) => size ** power);
      const total = masses.reduce((sum, mass) => sum + mass, 0);
      return masses.map((mass) => mass / total);
    },
  };
}

function bounded<const D extends number>(value: D, min: number, max: number, about: string) {
  return { type: "number", default: value as number, min, max, about } as const satisfies Option;
}

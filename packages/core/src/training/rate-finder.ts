import { InputError } from "../errors.ts";
import type { TrainingPlan } from "./plan.ts";
import { type TrainOptions, train } from "./train.ts";

/** How learning rates are tried. */
export interface RateFinderOptions
  extends Pick<
    TrainOptions,
    "runtime" | "optimizer" | "settings" | "batches" | "planFor" | "training" | "clip"
  > {
  readonly from?: number;
  readonly to?: number;
  /** Steps between both, each by the same factor. */
  readonly steps?: number;
}

/** Losses by learning rate. */
export interface FoundRate {
  readonly rates: readonly number[];
  /** Losses smoothed by a running average with its start corrected. */
  readonly losses: readonly number[];
  /** Where the smoothed loss falls most steeply in the logarithm of the rate. */
  readonly steepest: number;
  /** A tenth of the rate with the least loss: the bolder of two usual choices. */
  readonly tenth: number;
}

const SMOOTHING = 0.9;
/** Ends where the loss is so many times the best. */
const DIVERGED = 4;

/**
 * Tries learning rates from low to high, one step each, on a copy of the parameters (Smith 2017,
 * https://arxiv.org/abs/1506.01186); batches are taken epoch after epoch. The plan keeps its parameters. Throws an
 * InputError where the loss falls at no rate.
 */
export async function findRate(plan: TrainingPlan, options: RateFinderOptions): Promise<FoundRate> {
  const { from = 1e-7, to = 1, steps = 100 } = options;
  if (!(from > 0 && to > from && steps >= 10))
    throw new InputError(`learning rates are tried from above 0 to a higher one in 10 steps or more`);
  const rates: number[] = [];
  const losses: number[] = [];
  const signal = { aborted: false };
  let running = 0;
  let best = Number.POSITIVE_INFINITY;
  try {
    await train(plan, {
      ...options,
      rate: from,
      schedule: (step) => (to / from) ** (step / (steps - 1)),
      epochs: steps,
      signal,
      onStep({ step, loss, rate }) {
        running = SMOOTHING * running + (1 - SMOOTHING) * loss;
        const smooth = running / (1 - SMOOTHING ** step);
        rates.push(rate);
        losses.push(smooth);
        best = Math.min(best, smooth);
        signal.aborted = step >= steps || smooth > DIVERGED * best;
      },
    });
  } catch (error) {
    // A loss that is no number ends the search as a high one does.
    if (!(error instanceof InputError) || losses.length < 5) throw error;
  }
  const least = losses.indexOf(best);
  const width = Math.max(3, Math.round(steps / 10));
  let steepest = -1;
  let slope = 0;
  for (let i = width; i <= least; i++) {
    // Over a window: from one step to the next batches differ more than the rate's effect.
    const fall = (losses[i]! - losses[i - width]!) / Math.log(rates[i]! / rates[i - width]!);
    if (fall < slope) [slope, steepest] = [fall, i - (width >> 1)];
  }
  if (steepest < 0)
    throw new InputError(
      `the loss falls at no learning rate from ${from} to ${to}; look at labels and inputs, or try lower ones`,
    );
  return { rates, losses, steepest: rates[steepest]!, tenth: rates[least]! / 10 };
}

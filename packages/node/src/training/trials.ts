/** One depth and learning rate tried. */
export interface Trial {
  readonly depth: number;
  readonly rate: number;
  /** Mean negative log-likelihood of held-out rows: of what stays if nothing is better, and after each epoch. */
  readonly losses: readonly number[];
  /** The same fold by fold; one where rows are held out once, fewer where a trial could not win any more. */
  readonly folds: readonly (readonly number[])[];
}

/** Folds on which candidates are compared. */
export const FOLDS = 3;

/** A trial of losses fold by fold; `counts` are the held-out rows of each. */
export function trialOf(
  { depth, rate }: Pick<Trial, "depth" | "rate">,
  folds: Trial["folds"],
  counts: readonly number[],
): Trial {
  const rows = folds.reduce((sum, _, fold) => sum + counts[fold]!, 0);
  const mean = (epoch: number) =>
    folds.reduce((sum, losses, fold) => sum + losses[epoch]! * counts[fold]!, 0) / rows;
  return { depth, rate, losses: folds[0]!.map((_, epoch) => mean(epoch)), folds };
}

/**
 * The trial and epoch that gain most over their start; epoch 0 of the first where none gains. Where the start is a
 * candidate, only what is better than it on every fold counts: on few rows a better mean alone is mostly luck of one.
 */
export function bestOf<T extends Trial>(
  trials: readonly T[],
  { isStartCandidate }: { readonly isStartCandidate: boolean },
): { readonly trial: T; readonly epoch: number } {
  // By what is gained over the start: a trial that ended early has seen other rows than the rest.
  let best = { trial: trials[0]!, epoch: 0, gain: isStartCandidate ? 0 : Number.NEGATIVE_INFINITY };
  for (const trial of trials)
    for (const [epoch, loss] of trial.losses.entries()) {
      const gain = trial.losses[0]! - loss;
      if (epoch === 0 || !(gain > best.gain)) continue;
      if (!isStartCandidate || isBetterEverywhere(trial.folds, epoch)) best = { trial, epoch, gain };
    }
  return best;
}

/** Whether no epoch was better than the start on all folds so far, so that none can become so. */
export function isHopeless(folds: Trial["folds"]): boolean {
  return !folds[0]!.some((_, epoch) => isBetterEverywhere(folds, epoch));
}

function isBetterEverywhere(folds: Trial["folds"], epoch: number): boolean {
  return folds.every((losses) => losses[epoch]! < losses[0]!);
}

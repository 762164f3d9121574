import { kFold, splitDataset } from "@graft-ml/core";
import { headLoss } from "./head-loss.ts";
import type { Defaults, Method } from "./methods.ts";
import { type Run, run, sweptRate } from "./stages.ts";
import { bestOf, FOLDS, isHopeless, type Trial, trialOf } from "./trials.ts";
import type { Work } from "./work.ts";

/** What is trained in the end. */
export interface Choice {
  readonly depth: number | null;
  readonly rate: number;
  /** Epochs trained; 0 where the start was the best. */
  readonly epochs: number;
  /** Epochs the learning rate's schedule is for. */
  readonly planned: number;
  /** What logits are divided by so that held-out rows are likeliest; 1 where none were held out. */
  readonly temperature: number;
  readonly reason: string;
  readonly trials: readonly Trial[];
  /** The run itself, where it is not repeated on all rows. */
  readonly run: Run | null;
}

const HELD_OUT = 0.2;
/** Epochs without gain after which a run that cannot be repeated ends. */
const PATIENCE = 5;
/** Where a sweep finds no rate: the optimizer's usual one. */
const USUAL_RATE = 1e-3;

/**
 * Chooses depth, learning rate and epochs on held-out training rows by their log loss. Settings that leave
 * nothing open need no choice. Where the lower part is kept, or a small network has few rows, each candidate
 * is trained on three folds and the best trained again on all rows; otherwise one run, its learning rate
 * found by a sweep, is scored on a fifth of the rows, and its best epoch stays.
 */
export async function choose(work: Work, defaults: Defaults): Promise<Choice> {
  const { settings, options } = work;
  const { epochs, rates, depths, isQuick } = defaults;
  const all = Int32Array.from(options.rows.keys());
  const [depth, rate] = [depths[0]!, rates[0]];
  const nothingOpen = settings.epochs !== null && rates.length === 1 && depths.length === 1;
  if (nothingOpen && settings.patience === null)
    return {
      ...{ depth, rate: rate!, epochs, planned: epochs, temperature: 1 },
      ...{ reason: "as asked for", trials: [], run: null },
    };
  const network = work.networkFor(await work.headFor(all), depth);
  const { isWhole } = await work.inputsFor(network);
  if (isWhole && !isQuick && network.stages.length === 1) return await scoredOnce(work, defaults);
  return await scoredOnFolds(work, { ...defaults, rates: rates.length > 0 ? rates : [USUAL_RATE] });
}

/** One run that learns from four fifths of the rows: its epoch that is best on the others stays. */
async function scoredOnce(work: Work, { epochs, rates, depths }: Defaults): Promise<Choice> {
  const { settings, options } = work;
  const depth = depths[0]!;
  const { train, test } = splitDataset(options.rows, { fraction: HELD_OUT, ...partsOf(work) });
  const head = await work.headFor(train);
  const swept = rates[0] === undefined ? await sweptRate(work, { head, depth, rows: train, epochs }) : null;
  const rate = rates[0] ?? swept ?? USUAL_RATE;
  const patience = settings.patience ?? PATIENCE;
  const common = { depth, rate, rows: train, heldOut: test, epochs, keep: "best" as const, patience };
  const made = await run(work, { ...common, name: "training", head });
  const blank = isBlank(options.method);
  const losses = blank ? made.losses : await fromProbe(work, made.losses, train, test);
  const best = blank ? leastAt(losses.slice(1)) + 1 : leastAt(losses);
  const trial = { depth: made.network.depth, rate, losses, folds: [losses] };
  const found = swept === null ? "" : "a rate found by a sweep over training rows, and ";
  const reason = `${found}its epoch of least log loss on ${test.length} held-out training rows`;
  const temperature = made.temperatures[best]!;
  return { depth, rate, epochs: best, planned: epochs, temperature, reason, trials: [trial], run: made };
}

/** Every candidate on three folds; the best is to be trained again on all rows. */
async function scoredOnFolds(work: Work, { epochs, rates, depths }: Defaults): Promise<Choice> {
  const { options } = work;
  const isStartCandidate = !isBlank(options.method);
  const folds = kFold(options.rows, { folds: Math.min(FOLDS, options.rows.length), ...partsOf(work) });
  const trials: (Trial & { readonly wanted: number | null; readonly hot: readonly (readonly number[])[] })[] =
    [];
  for (const wanted of depths)
    for (const rate of rates) {
      const blocks = work.networkFor(await work.headFor(folds[0]!.train), wanted).depth;
      // A network of fewer blocks than asked for was tried before.
      if (trials.some((trial) => trial.depth === blocks && trial.rate === rate)) continue;
      const each: (readonly number[])[] = [];
      const hot: (readonly number[])[] = [];
      for (const [fold, { train, test }] of folds.entries()) {
        const name = `trial-${wanted ?? "all"}-${rate}-fold${fold}`;
        const head = await work.headFor(train);
        const common = { depth: wanted, rate, epochs, keep: "last" as const };
        const { losses, temperatures } = await run(work, {
          ...common,
          name,
          head,
          rows: train,
          heldOut: test,
        });
        hot.push(temperatures);
        each.push(isStartCandidate ? await fromProbe(work, losses, train, test) : losses);
        // What was not better than the start on one fold cannot become so on every fold.
        if (isStartCandidate && isHopeless(each)) break;
      }
      const counts = folds.map(({ test }) => test.length);
      const trial = trialOf({ depth: blocks, rate }, each, counts);
      trials.push({ ...trial, wanted, hot });
      work.log({ step: "trial", ...trial });
    }
  const best = bestOf(trials, { isStartCandidate });
  return {
    depth: best.trial.wanted,
    rate: best.trial.rate,
    epochs: best.epoch,
    planned: epochs,
    temperature: geometricMean(best.trial.hot.map((fold) => fold[best.epoch]!)),
    reason: `least log loss of ${trials.length} candidates, each on ${folds.length} folds of the training rows`,
    trials: trials.map(({ wanted: _, hot: __, ...trial }) => trial),
    run: null,
  };
}

/**
 * Losses whose start is that of the probe that stays where no training is better: it may be better than the head that
 * training starts from, for it may take roots of features, which are not trained through.
 */
async function fromProbe(
  work: Work,
  [start, ...later]: readonly number[],
  train: Int32Array,
  heldOut: Int32Array,
): Promise<number[]> {
  const { loss: probe } = await headLoss(work, await work.featuresOf(work.options.trunk), train, heldOut);
  return [Math.min(start!, probe), ...later];
}

/** Whether training starts from nothing, so that the start is no candidate. */
function isBlank(method: Method): boolean {
  return method === "full" || method === "scratch";
}

/** How rows are parted: by seed and keys. */
export function partsOf({ options }: Work) {
  const { seed = 0, keys } = options;
  return { seed, ...(keys && { keys }) };
}

const geometricMean = (factors: readonly number[]): number =>
  Math.exp(factors.reduce((sum, one) => sum + Math.log(one), 0) / factors.length);

const leastAt = (losses: readonly number[]): number => losses.indexOf(Math.min(...losses));

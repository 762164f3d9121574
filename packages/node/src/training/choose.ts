import { kFold, splitDataset } from "@graft-ml/core";
import type { Defaults } from "./methods.ts";
import { type Run, run } from "./stages.ts";
import type { Work } from "./work.ts";

/** One depth and learning rate tried. */
export interface Trial {
  readonly depth: number;
  readonly rate: number;
  /** Mean negative log-likelihood of held-out rows: of the start, and after each epoch. */
  readonly losses: readonly number[];
  /** The same fold by fold; one where rows are held out once. */
  readonly folds: readonly (readonly number[])[];
}

/** What is trained in the end. */
export interface Choice {
  readonly depth: number | null;
  readonly rate: number;
  /** Epochs trained; 0 where the start was the best. */
  readonly epochs: number;
  /** Epochs the learning rate's schedule is for. */
  readonly planned: number;
  readonly reason: string;
  readonly trials: readonly Trial[];
  /** The run itself, where it is not repeated on all rows. */
  readonly run: Run | null;
}

const FOLDS = 3;
const HELD_OUT = 0.2;
/** Epochs without gain after which a run that cannot be repeated ends. */
const PATIENCE = 5;

/**
 * Chooses depth, learning rate and epochs on held-out training rows by their log loss. Settings that leave nothing open
 * need no choice. Where the lower part is kept, each candidate is trained on three folds and the best trained again on all
 * rows; otherwise one run is scored on a fifth of the rows, and its best epoch stays.
 */
export async function choose(work: Work, defaults: Defaults): Promise<Choice> {
  const { settings, options } = work;
  const { epochs, rates, depths } = defaults;
  const all = Int32Array.from(options.rows.keys());
  const [depth, rate] = [depths[0]!, rates[0]!];
  const nothingOpen = settings.epochs !== null && rates.length === 1 && depths.length === 1;
  if (nothingOpen && settings.patience === null)
    return { depth, rate, epochs, planned: epochs, reason: "as asked for", trials: [], run: null };
  const seed = options.seed ?? 0;
  const keys = options.keys ? { keys: options.keys } : {};
  const network = work.networkFor(await work.headFor(all), depth);
  const { isWhole } = await work.inputsFor(network);
  if (isWhole && network.stages.length === 1) {
    const { train, test } = splitDataset(options.rows, { fraction: HELD_OUT, seed, ...keys });
    const patience = settings.patience ?? PATIENCE;
    const common = { depth, rate, rows: train, heldOut: test, epochs, keep: "best" as const, patience };
    const made = await run(work, { ...common, name: "training", head: await work.headFor(train) });
    // Where training starts from nothing the start is no candidate.
    const isBlank = options.method === "full" || options.method === "scratch";
    const best = isBlank ? leastAt(made.losses.slice(1)) + 1 : leastAt(made.losses);
    const trial = { depth: network.depth, rate, losses: made.losses, folds: [made.losses] };
    const reason = `its epoch of least log loss on ${test.length} held-out training rows`;
    return { depth, rate, epochs: best, planned: epochs, reason, trials: [trial], run: made };
  }
  const folds = kFold(options.rows, { folds: Math.min(FOLDS, options.rows.length), seed, ...keys });
  const trials: (Trial & { wanted: number | null })[] = [];
  for (const wanted of depths)
    for (const one of rates) {
      const each: (readonly number[])[] = [];
      let blocks = 0;
      for (const [fold, { train, test }] of folds.entries()) {
        const name = `trial-${wanted ?? "all"}-${one}-fold${fold}`;
        const head = await work.headFor(train);
        const common = { depth: wanted, rate: one, epochs, keep: "last" as const };
        const made = await run(work, { ...common, name, head, rows: train, heldOut: test });
        each.push(made.losses);
        blocks = made.network.depth;
      }
      // A network of fewer blocks than asked for was tried before.
      if (trials.some((trial) => trial.depth === blocks && trial.rate === one)) continue;
      const losses = each[0]!.map((_, epoch) => {
        const sum = folds.reduce((total, { test }, fold) => total + each[fold]![epoch]! * test.length, 0);
        return sum / options.rows.length;
      });
      trials.push({ depth: blocks, rate: one, losses, folds: each, wanted });
      work.log({ step: "trial", depth: blocks, rate: one, losses, folds: each });
    }
  let best = { trial: trials[0]!, epoch: 0 };
  for (const trial of trials)
    for (const [epoch, loss] of trial.losses.entries())
      if (loss < best.trial.losses[best.epoch]! && isBetterEverywhere(trial, epoch)) best = { trial, epoch };
  return {
    depth: best.trial.wanted,
    rate: best.trial.rate,
    epochs: best.epoch,
    planned: epochs,
    reason: `least log loss of ${trials.length} candidates, each on ${folds.length} folds of the training rows`,
    trials: trials.map(({ wanted: _, ...trial }) => trial),
    run: null,
  };
}

/** Better than the start on every fold: on few rows a better mean alone is mostly luck of one of them. */
function isBetterEverywhere({ folds }: Trial, epoch: number): boolean {
  return folds.every((losses) => losses[epoch]! < losses[0]!);
}

const leastAt = (losses: readonly number[]): number => losses.indexOf(Math.min(...losses));

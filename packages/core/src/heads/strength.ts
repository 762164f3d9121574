import type { Features } from "../tensor.ts";
import { takeFeatures } from "../tensor.ts";
import { INNER_FOLDS } from "./calibrate.ts";
import { stratifiedFolds } from "./folds.ts";
import type { FitContext } from "./head.ts";
import { linearRows } from "./linear-rows.ts";
import { type LinearLoss, solveLinear } from "./linear-solver.ts";

/** Rows up to which the folds are dealt several times over: one deal of few rows is a matter of luck. */
const FEW = 400;
const REPEATS = 4;
/** Rows beyond which a stratified part of them chooses. */
const CHOSEN_ON = 6000;
/** Rows beyond which three folds say as much as five. */
const MANY = 2000;
/** Strengths after the best so far that may be worse before the search ends. */
const PATIENCE = 2;

/** What a choice is made on. */
export interface StrengthChoice {
  readonly features: Features;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly context: FitContext;
  readonly loss: LinearLoss;
  /** Strengths tried, from the least on. */
  readonly strengths: readonly number[];
  /** Total loss of scores [N, K] out of fold, as `M` models in turn: [N, M · K], NaN where not held out. */
  measure(scores: Float64Array, labels: Int32Array, weights: Float64Array): number;
}

/** The strength chosen, and the scores [N · repeats, K] of rows held out under it, with their labels and weights. */
export interface ChosenStrength {
  readonly strength: number;
  readonly scores: Float64Array;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
}

/**
 * The strength whose scores of rows held out measure best, in stratified folds with groups whole; null where nothing can be
 * held out. All folds are fitted at once, each strength from the solution of the one before.
 */
export async function chooseStrength(choice: StrengthChoice): Promise<ChosenStrength | null> {
  const { loss, strengths, context } = choice;
  const { features, labels, weights, groups } = part(choice);
  const { classes } = context;
  const repeats = labels.length <= FEW ? REPEATS : 1;
  const folds = labels.length > MANY ? 3 : INNER_FOLDS;
  const deals = Array.from({ length: repeats }, (_, r) =>
    stratifiedFolds(labels, classes, {
      folds,
      random: context.random.fork(`folds ${r}`),
      ...(groups && { groups }),
    }),
  );
  const models = deals.flatMap((fold) =>
    Array.from({ length: folds }, (_, f) => weights.map((weight, i) => (fold[i] === f ? 0 : weight))),
  );
  if (deals.every((fold) => fold.every((f) => f < 0))) return null;
  const rows = await linearRows(features, context.runtime);
  try {
    const moment = await rows.moment(weights);
    const K = loss.columns(classes);
    const heldLabels = new Int32Array(repeats * labels.length);
    const heldWeights = new Float64Array(repeats * labels.length);
    for (let r = 0; r < repeats; r++) {
      heldLabels.set(labels, r * labels.length);
      heldWeights.set(weights, r * labels.length);
    }
    let start: Float64Array | null = null;
    let best: ChosenStrength | null = null;
    let least = Number.POSITIVE_INFINITY;
    let worse = 0;
    for (const strength of strengths) {
      const problem = { rows, labels, weights: models, classes, loss };
      start = await solveLinear(problem, { strength, tolerance: 1e-4, start, moment });
      const all = await rows.scores(start, models.length * K);
      const scores = heldOut(all, deals, folds, K);
      const measured = choice.measure(scores, heldLabels, heldWeights);
      if (measured < least) {
        best = { strength, scores, labels: heldLabels, weights: heldWeights };
        least = measured;
        worse = 0;
      } else if (++worse >= PATIENCE) break;
    }
    return best;
  } finally {
    await rows.close();
  }
}

/** Scores [repeats · N, K] of each row by the model that did not see it; NaN where all did. */
function heldOut(all: Float64Array, deals: readonly Int32Array[], folds: number, K: number): Float64Array {
  const n = deals[0]!.length;
  const width = deals.length * folds * K;
  const scores = new Float64Array(deals.length * n * K).fill(Number.NaN);
  for (const [r, fold] of deals.entries())
    for (let i = 0; i < n; i++) {
      if (fold[i]! < 0) continue;
      const from = i * width + (r * folds + fold[i]!) * K;
      scores.set(all.subarray(from, from + K), (r * n + i) * K);
    }
  return scores;
}

/** All rows, or a stratified part of them where they are many. */
function part({ features, labels, weights, context }: StrengthChoice) {
  const { groups, classes } = context;
  if (labels.length <= CHOSEN_ON) return { features, labels, weights, ...(groups && { groups }) };
  const chosen = new Uint8Array(labels.length);
  const seen = new Int32Array(classes);
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]!++;
  const share = CHOSEN_ON / labels.length;
  const least = Math.min(50, Math.floor(CHOSEN_ON / classes));
  for (const i of context.random.fork("part").permutation(labels.length))
    if (seen[labels[i]!]!++ < Math.max(least, counts[labels[i]!]! * share)) chosen[i] = 1;
  const members = Int32Array.from([...chosen.keys()].filter((i) => chosen[i] === 1));
  return {
    features: takeFeatures(features, members),
    labels: Int32Array.from(members, (i) => labels[i]!),
    weights: Float64Array.from(members, (i) => weights[i]!),
    ...(groups && { groups: Int32Array.from(members, (i) => groups[i]!) }),
  };
}

import type { Features, SparseMatrix } from "../tensor.ts";
import { takeFeatures } from "../tensor.ts";
import { INNER_FOLDS } from "./calibrate.ts";
import { stratifiedFolds } from "./folds.ts";
import type { FitContext } from "./head.ts";
import { type LinearRows, linearRows } from "./linear-rows.ts";
import { type LinearLoss, solveLinear } from "./linear-solver.ts";
import { scoresByModel } from "./sparse-rows.ts";

/** Rows up to which the folds are dealt several times over: one deal of few rows is a matter of luck. */
const FEW = 150;
const REPEATS = 2;
/** Rows beyond which a stratified part of them chooses. */
const CHOSEN_ON = 6000;
/** Rows beyond which three folds say as much as five. */
const MANY = 2000;
/** Solving further changes no choice. */
const TOLERANCE = 1e-2;
/**
 * Strengths tried after the best so far that may be worse before the search turns; one where it is this much
 * worse.
 */
const PATIENCE = 2;
const CLEARLY = 1.02;

/** Rows up to which strengths are weighted too: on many one of them has all the weight. */
const WEIGHTED_UP_TO = 1000;
/** Weights, of the best one's, below which a strength is left out. */
const LEAST_WEIGHT = 0.02;

/** What a choice is made on. */
export interface StrengthChoice {
  readonly features: Features;
  /** The same in the coordinates that they are fitted in, where these are made already. */
  readonly rows?: LinearRows | undefined;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly context: FitContext;
  readonly loss: LinearLoss;
  /** Strengths that may be tried, half decades from the least on, and the place of the one tried first. */
  readonly strengths: readonly number[];
  readonly from: number;
  /** Whether `likely` is asked for, which tries more strengths. */
  readonly isWeighed?: boolean;
  /** Total loss of scores [N, K] out of fold, as `M` models in turn: [N, M · K], NaN where not held out. */
  measure(scores: Float64Array, labels: Int32Array, weights: Float64Array): number;
}

/** The strength chosen, and the scores [N · repeats, K] of rows held out under it, with their labels and weights. */
export interface ChosenStrength {
  readonly strength: number;
  /**
   * Strengths by how well they predict: weights proportional to exp(−total loss of the rows held out),
   * summing to 1, the best one's the largest; it alone where rows are many or no weights are asked for.
   */
  readonly likely: readonly { readonly strength: number; readonly weight: number }[];
  readonly scores: Float64Array;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
}

/**
 * The strength whose scores of rows held out measure best, in stratified folds with groups whole; null where
 * nothing can be held out. All folds are fitted at once, each strength from the solution of the one before.
 */
export async function chooseStrength(choice: StrengthChoice): Promise<ChosenStrength | null> {
  const members = choosingRows(choice.labels, choice.context);
  return await chooseAmong(
    members === null ? choice : narrowed(choice, members, takeFeatures(choice.features, members)),
  );
}

/** The same on all the rows that are given, however many. */
export async function chooseAmong(choice: StrengthChoice): Promise<ChosenStrength | null> {
  const { loss, strengths, context, features, labels, weights } = choice;
  const { classes, groups } = context;
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
  const rows = choice.rows ?? (await linearRows(features, context.runtime));
  try {
    const moment = await rows.moment(weights);
    const K = loss.columns(classes);
    const heldLabels = new Int32Array(repeats * labels.length);
    const heldWeights = new Float64Array(repeats * labels.length);
    for (let r = 0; r < repeats; r++) {
      heldLabels.set(labels, r * labels.length);
      heldWeights.set(weights, r * labels.length);
    }
    const { runtime } = context;
    const tried = async (at: number, start: Float64Array | null) => {
      const strength = strengths[at]!;
      const problem = { rows, labels, weights: models, classes, loss };
      const options = { strength, tolerance: TOLERANCE, start, moment, weight: weights, runtime };
      const { theta: solution } = await solveLinear(problem, options);
      const scores =
        rows.sparse === null
          ? heldOut(await rows.scores(solution, models.length * K), deals, folds, K)
          : heldOutSparse(rows.sparse, solution, deals, folds, K);
      return { at, solution, scores, measured: choice.measure(scores, heldLabels, heldWeights) };
    };
    // By decades from the middle, first up, and down where that gains nothing; then the two beside the best.
    const first = await tried(choice.from, null);
    let best = first;
    for (const way of [2, -2]) {
      let last = first;
      while (last.at + way >= 0 && last.at + way < strengths.length && best.at * way >= first.at * way) {
        last = await tried(last.at + way, last.solution);
        if (last.measured < best.measured) best = last;
        else if (last.measured > CLEARLY * best.measured || Math.abs(last.at - best.at) >= 2 * PATIENCE)
          break;
      }
    }
    for (const at of [best.at - 1, best.at + 1]) {
      if (at < 0 || at >= strengths.length) continue;
      const beside = await tried(at, best.solution);
      if (beside.measured < best.measured) best = beside;
    }
    const measured = new Map([[best.at, best.measured]]);
    if (choice.isWeighed && labels.length <= WEIGHTED_UP_TO)
      for (const step of [-1, 1])
        for (let at = best.at + step, start = best.solution; at >= 0 && at < strengths.length; at += step) {
          const beside = await tried(at, start);
          start = beside.solution;
          const behind = (beside.measured - best.measured) / repeats;
          if (behind > -Math.log(LEAST_WEIGHT)) break;
          measured.set(at, beside.measured);
        }
    const { scores } = best;
    return {
      strength: strengths[best.at]!,
      likely: weighted(measured, strengths, repeats),
      scores,
      labels: heldLabels,
      weights: heldWeights,
    };
  } finally {
    if (rows !== choice.rows) await rows.close();
  }
}

/** Weights of the strengths by their total losses over all repeats. */
function weighted(measured: ReadonlyMap<number, number>, strengths: readonly number[], repeats: number) {
  const least = Math.min(...measured.values());
  const each = [...measured].map(([at, loss]) => ({ at, weight: Math.exp((least - loss) / repeats) }));
  const total = each.reduce((sum, { weight }) => sum + weight, 0);
  return each
    .sort((a, b) => a.at - b.at)
    .map(({ at, weight }) => ({ strength: strengths[at]!, weight: weight / total }));
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

/** The same of sparse rows, whose scores are made one by one. */
function heldOutSparse(
  sparse: SparseMatrix,
  theta: Float64Array,
  deals: readonly Int32Array[],
  folds: number,
  K: number,
): Float64Array {
  const scores = new Float64Array(deals.length * sparse.rows * K);
  for (const [r, fold] of deals.entries()) {
    const model = fold.map((f) => (f < 0 ? -1 : r * folds + f));
    scores.set(scoresByModel(sparse, theta, K, model), r * sparse.rows * K);
  }
  return scores;
}

/**
 * Numbers of the rows of a stratified part that a strength is chosen on where rows are many, ascending; null
 * for all.
 */
export function choosingRows(labels: Int32Array, { classes, random }: FitContext): Int32Array | null {
  if (labels.length <= CHOSEN_ON) return null;
  const chosen = new Uint8Array(labels.length);
  const seen = new Int32Array(classes);
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]!++;
  const share = CHOSEN_ON / labels.length;
  const least = Math.min(50, Math.floor(CHOSEN_ON / classes));
  for (const i of random.fork("part").permutation(labels.length))
    if (seen[labels[i]!]!++ < Math.max(least, counts[labels[i]!]! * share)) chosen[i] = 1;
  const members = new Int32Array(chosen.reduce((sum, one) => sum + one, 0));
  for (let i = 0, k = 0; i < chosen.length; i++) if (chosen[i] === 1) members[k++] = i;
  return members;
}

/** A choice on the rows `members` alone, whose features are given. */
export function narrowed<Choice extends Omit<StrengthChoice, "features">>(
  choice: Choice,
  members: Int32Array,
  features: Features,
): Choice & Pick<StrengthChoice, "features"> {
  const { groups } = choice.context;
  return {
    ...choice,
    features,
    rows: undefined,
    labels: Int32Array.from(members, (i) => choice.labels[i]!),
    weights: Float64Array.from(members, (i) => choice.weights[i]!),
    context: {
      ...choice.context,
      ...(groups && { groups: Int32Array.from(members, (i) => groups[i]!) }),
    },
  };
}

import { InputError } from "../errors.ts";
import { LEAST_PROBABILITY, mostProbable } from "../metrics.ts";
import { type Features, isSparse } from "../tensor.ts";
import { requireFittable, rowWeights } from "./check.ts";
import { eachFold, stratifiedFolds } from "./folds.ts";
import type { Classifier, FitContext, Head } from "./head.ts";
import * as heads from "./index.ts";

/** One choice of a head: settings left out are chosen by the head's own inner cross-validation. */
export interface HeadCandidate {
  readonly name: string;
  readonly head: Head;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** How heads are compared. */
export interface ChooseOptions {
  /**
   * Simplest first: of heads that the folds cannot tell apart the first is taken. Every head of this module
   * when left out.
   */
  readonly candidates?: readonly HeadCandidate[];
  readonly folds?: number;
  readonly repeats?: number;
  /** Multiplications that one fit of a candidate may take by its own reckoning; others are left out and named. */
  readonly budget?: number;
  /**
   * Folds of the outer cross-validation of the whole choice; 0 leaves that estimate out, which saves as many
   * choices.
   */
  readonly estimateFolds?: number;
  readonly onProgress?: (done: number, total: number, name: string) => void;
  /** Where `aborted` turns true the choice ends with an InputError before the next fit. */
  readonly signal?: { readonly aborted: boolean };
}

/** How a candidate did on held-out training rows. */
export interface CandidateScore {
  readonly name: string;
  /** Mean −log p(label) over held-out rows, in nats; lower is better. */
  readonly logLoss: number;
  readonly accuracy: number;
  /**
   * 95 % interval of logLoss minus the lowest candidate's, row by row and paired: mean ± 1.96 standard errors
   * over rows, each row's repeats averaged first. [0, 0] for the lowest itself.
   */
  readonly behind: readonly [low: number, high: number];
}

/** The choice, and a classifier fitted on all rows. */
export interface ChosenHead {
  readonly name: string;
  readonly head: Head;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly classifier: Classifier;
  readonly candidates: readonly CandidateScore[];
  /** Candidates that were not tried, and why. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** Why this head, in a sentence. */
  readonly reason: string;
  /**
   * What the whole procedure, choice included, reaches on rows that took no part in it: nested
   * cross-validation (Stone 1974; Varma and Simon 2006, doi:10.1186/1471-2105-7-91). Null where it was not
   * asked for or no row can be held out.
   */
  readonly estimate: { readonly logLoss: number; readonly accuracy: number; readonly rows: number } | null;
}

/** Export names of this module's heads, the simplest to explain and cheapest to run first. */
const SIMPLEST_FIRST: readonly string[] = [
  "logistic",
  "centroid",
  "ridge",
  "linearSvm",
  "knn",
  "rbfSvm",
  "gp",
];
/** A minute or so for one head, its folds included. */
const BUDGET = 6e10;

/** The heads that `chooseHead` tries by default, simplest first. */
export function headCandidates(): HeadCandidate[] {
  const place = (name: string) => (SIMPLEST_FIRST.indexOf(name) + 1 || SIMPLEST_FIRST.length + 1) - 1;
  return Object.entries(heads as Readonly<Record<string, Head>>)
    .sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1))
    .map(([name, head]) => ({ name: name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), head }));
}

/**
 * Chooses a head, and with it its settings, on the training part alone: every candidate is fitted on the same
 * stratified folds (groups whole), choosing its settings inside each, and scored by the log loss of what the
 * fold held out. Where the paired interval of a simpler head's distance from the lowest reaches 0, the
 * simpler one is taken. Throws an InputError where no candidate can be tried.
 */
export async function chooseHead(
  features: Features,
  labels: Int32Array,
  context: FitContext,
  options: ChooseOptions = {},
): Promise<ChosenHead> {
  requireFittable(features, labels, context);
  const { estimateFolds = 0, ...rest } = options;
  const chosen = await compare(features, labels, context, rest);
  const { name, head, settings = {} } = chosen.candidate;
  const classifier = await head.fit(features, labels, settings, context);
  const estimate =
    estimateFolds === 0 ? null : await estimateOf(features, labels, context, rest, estimateFolds);
  const { candidates, skipped, reason } = chosen;
  return { name, head, settings, classifier, candidates, skipped, reason, estimate };
}

async function compare(features: Features, labels: Int32Array, context: FitContext, options: ChooseOptions) {
  const { candidates = headCandidates(), folds = 5, repeats = 1, budget = BUDGET } = options;
  const skipped: { name: string; why: string }[] = [];
  const tried = candidates.filter((candidate) => {
    const why = reasonToSkip(candidate, features, context.classes, budget);
    if (why !== null) skipped.push({ name: candidate.name, why });
    return why === null;
  });
  if (tried.length === 0)
    throw new InputError(
      `no head can be tried: ${skipped.map(({ name, why }) => `${name} ${why}`).join("; ") || "none was given"}`,
    );
  const losses = tried.map(() => new Float64Array(labels.length));
  const right = tried.map(() => new Float64Array(labels.length));
  const times = new Int32Array(labels.length);
  const total = tried.length * folds * repeats;
  let done = 0;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { groups } = context;
    const source = context.random.fork(`choose ${repeat}`);
    const fold = stratifiedFolds(labels, context.classes, {
      folds,
      random: source,
      ...(groups && { groups }),
    });
    for (const part of eachFold(features, labels, context, fold)) {
      for (const i of part.rows) times[i]!++;
      for (const [k, { name, head, settings = {} }] of tried.entries()) {
        if (options.signal?.aborted) throw new InputError("the choice of a head was aborted");
        options.onProgress?.(done++, total, name);
        const fitted = await head.fit(part.features, part.labels, settings, part.context);
        const p = fitted.predict(part.heldOut);
        const best = mostProbable(p);
        for (const [q, i] of part.rows.entries()) {
          losses[k]![i]! -= Math.log(Math.max(LEAST_PROBABILITY, p.data[q * p.columns + labels[i]!]!));
          if (best[q] === labels[i]) right[k]![i]!++;
        }
      }
    }
  }
  const weights = rowWeights(labels, context).map((weight, i) => (times[i] === 0 ? 0 : weight));
  if (!weights.some((weight) => weight > 0)) {
    const reason = `${tried[0]!.name}, the simplest: with one row or one group a class nothing can be held out to compare`;
    return { candidate: tried[0]!, candidates: [], skipped, reason };
  }
  for (const values of [...losses, ...right])
    for (let i = 0; i < values.length; i++) values[i]! /= Math.max(1, times[i]!);
  const means = losses.map((own) => meanOf(own, weights));
  const lowest = means.indexOf(Math.min(...means));
  const scores = tried.map(({ name }, k): CandidateScore => {
    const behind =
      k === lowest ? ([0, 0] as const) : pairedInterval(losses[k]!, losses[lowest]!, weights, context.groups);
    return { name, logLoss: means[k]!, accuracy: meanOf(right[k]!, weights), behind };
  });
  const taken = scores.findIndex(({ behind }) => behind[0] <= 0);
  return { candidate: tried[taken]!, candidates: scores, skipped, reason: reasonOf(scores, taken, lowest) };
}

function reasonToSkip(
  { head }: HeadCandidate,
  features: Features,
  classes: number,
  budget: number,
): string | null {
  if (isSparse(features) && head.denseOnly) return "needs dense features";
  const cost = head.cost?.(features.rows, features.columns, classes) ?? 0;
  return cost > budget
    ? `would take ${cost.toPrecision(2)} multiplications on ${features.rows} × ${features.columns}, more than ${budget.toPrecision(2)}`
    : null;
}

function reasonOf(scores: readonly CandidateScore[], taken: number, lowest: number): string {
  const own = scores[taken]!;
  const best = scores[lowest]!;
  if (taken === lowest)
    return `${own.name} has the lowest log loss on held-out training rows, ${own.logLoss.toFixed(4)}, and no simpler head comes within chance of it`;
  return `${own.name} is simpler than ${best.name}, and on held-out training rows its log loss, ${own.logLoss.toFixed(4)} against ${best.logLoss.toFixed(4)}, is within chance of it`;
}

async function estimateOf(
  features: Features,
  labels: Int32Array,
  context: FitContext,
  options: ChooseOptions,
  folds: number,
) {
  const { groups, classes, random } = context;
  const fold = stratifiedFolds(labels, classes, {
    folds,
    random: random.fork("estimate"),
    ...(groups && { groups }),
  });
  let [loss, right, total, rows] = [0, 0, 0, 0];
  const weights = rowWeights(labels, context);
  for (const part of eachFold(features, labels, context, fold)) {
    const { candidate } = await compare(part.features, part.labels, part.context, options);
    const fitted = await candidate.head.fit(
      part.features,
      part.labels,
      candidate.settings ?? {},
      part.context,
    );
    const p = fitted.predict(part.heldOut);
    const best = mostProbable(p);
    for (const [q, i] of part.rows.entries()) {
      loss -= weights[i]! * Math.log(Math.max(LEAST_PROBABILITY, p.data[q * classes + labels[i]!]!));
      if (best[q] === labels[i]) right += weights[i]!;
      total += weights[i]!;
      rows++;
    }
  }
  return total === 0 ? null : { logLoss: loss / total, accuracy: right / total, rows };
}

function meanOf(values: Float64Array, weights: Float64Array): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    sum += weights[i]! * values[i]!;
    total += weights[i]!;
  }
  return sum / total;
}

/** Mean of a − b ± 1.96 standard errors over independent units: rows, or groups where rows have them. */
function pairedInterval(
  a: Float64Array,
  b: Float64Array,
  weights: Float64Array,
  groups: Int32Array | undefined,
): readonly [number, number] {
  const gaps = a.map((value, i) => value - b[i]!);
  const mean = meanOf(gaps, weights);
  const units = new Map<number, number>();
  let total = 0;
  for (let i = 0; i < gaps.length; i++) {
    if (weights[i] === 0) continue;
    const unit = groups?.[i] ?? i;
    units.set(unit, (units.get(unit) ?? 0) + weights[i]! * (gaps[i]! - mean));
    total += weights[i]!;
  }
  let square = 0;
  for (const sum of units.values()) square += sum * sum;
  const n = units.size;
  const half = n < 2 ? Number.POSITIVE_INFINITY : (1.96 * Math.sqrt((square * n) / (n - 1))) / total;
  return [mean - half, mean + half];
}

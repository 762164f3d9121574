import type { Matrix } from "../tensor.ts";
import { blockRows } from "./block-rows.ts";
import { rowWeights } from "./check.ts";
import { type FeatureBlocks, survey } from "./feature-blocks.ts";
import type { FitContext } from "./head.ts";
import { denseFeatureRows, type Moment } from "./linear-rows.ts";
import { type LinearLoss, solveLinear } from "./linear-solver.ts";
import { LEAST_LENGTH, normalised } from "./normalise.ts";
import { chooseAmong, choosingRows, narrowed, type StrengthChoice } from "./strength.ts";

/** A linear model to be fitted to rows that are read block by block. */
export interface BlockProblem extends Pick<StrengthChoice, "loss" | "strengths" | "from" | "measure"> {
  /** C; chosen on a stratified part of the rows, as in memory, where null. */
  readonly strength: number | null;
  /** Divides each row by its length. */
  readonly normalise: boolean;
  /** Distance from the least objective, relative to it, that ends the fit. */
  readonly tolerance: number;
}

/**
 * What was found: coefficients [K, D + 1], and how far the objective may be above its least value where it
 * stopped short.
 */
export interface BlockSolution {
  readonly theta: Float64Array;
  readonly strength: number;
  readonly distance: number;
}

/**
 * The same coefficients as from rows in memory. A first pass checks the rows and keeps some: those that the
 * strength is chosen on, and a sample spread evenly whose own solution and second moment make the search
 * among all rows short. In memory lie these, a number a row and a few blocks.
 */
export async function solveBlocks(
  source: FeatureBlocks,
  labels: Int32Array,
  { loss, strengths, from, measure, normalise, tolerance, strength: given }: BlockProblem,
  context: FitContext,
): Promise<BlockSolution> {
  const { columns, rows: count } = source;
  const { runtime, classes } = context;
  const weights = rowWeights(labels, context);
  const members =
    given === null ? (choosingRows(labels, context) ?? Int32Array.from(labels.keys())) : new Int32Array(0);
  const sampled = spread(count, Math.max(SAMPLE_NUMBERS / columns, LEAST_PER_COLUMN * columns));
  const { lengths, parts } = await survey(source, [members, sampled], LEAST_LENGTH);
  const [part, sample] = parts.map((one) => (normalise ? (normalised(one) as Matrix) : one));
  const choice = { labels, weights, context, loss, strengths, from, measure };
  const strength = given ?? (await chooseAmong(narrowed(choice, members, part!)))?.strength ?? 1;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const own = narrowed(choice, sampled, sample!);
  const { theta: start, moment } = await solveSample(sample!, own, { strength, total });
  const rows = await blockRows(source, { lengths: normalise ? lengths : null, moment, runtime });
  try {
    const problem = { rows, labels, weights: [weights], classes, loss };
    const solving = { strength, tolerance, start, moment, weight: weights, runtime };
    const { theta, distance } = await solveLinear(problem, solving);
    return { theta, strength, distance };
  } finally {
    await rows.close();
  }
}

/** Numbers of the rows, spread evenly over all, that lie in memory to steer the search among all: 64 MB. */
const SAMPLE_NUMBERS = 2 ** 24;
const LEAST_PER_COLUMN = 3;
/** A sample's optimum is no nearer to that of all rows. */
const SAMPLE_TOLERANCE = 1e-4;

/** `most` of the numbers 0 … rows − 1 at even distances, or all of them. */
function spread(rows: number, most: number): Int32Array {
  const length = Math.min(rows, Math.floor(most));
  return Int32Array.from({ length }, (_, k) => Math.floor((k * rows) / length));
}

/**
 * Coefficients for a sample of the rows, each standing for as many as there are, and the second moment it
 * makes of all.
 */
async function solveSample(
  sample: Matrix,
  {
    labels,
    weights,
    context,
    loss,
  }: { readonly loss: LinearLoss } & Pick<StrengthChoice, "labels" | "weights" | "context">,
  { strength, total }: { readonly strength: number; readonly total: number },
): Promise<{ readonly theta: Float64Array; readonly moment: Moment }> {
  const { classes, runtime } = context;
  const share = total / weights.reduce((sum, weight) => sum + weight, 0);
  const standing = weights.map((weight) => weight * share);
  const rows = await denseFeatureRows(sample, runtime);
  try {
    const moment = await rows.moment(standing, Number.POSITIVE_INFINITY);
    const problem = { rows, labels, weights: [standing], classes, loss };
    const solving = { strength, tolerance: SAMPLE_TOLERANCE, moment, weight: standing, runtime };
    const { theta } = await solveLinear(problem, solving);
    return { theta, moment };
  } finally {
    await rows.close();
  }
}

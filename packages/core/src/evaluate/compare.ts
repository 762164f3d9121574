import { InputError } from "../errors.ts";
import { random } from "../random.ts";
import {
  type BootstrapOptions,
  bootstrap,
  differenceStatistic,
  rowsByGroup,
  type Statistic,
} from "./bootstrap.ts";
import { fairCoinCdf, normalQuantile, studentCdf, studentQuantile } from "./distributions.ts";
import type { Interval } from "./interval.ts";

/**
 * A difference, ours minus theirs, with its interval and the two-sided p-value of "there is none" where a
 * test gave one.
 */
export interface Difference {
  readonly difference: number;
  readonly interval: Interval;
  readonly pValue: number | null;
}

/**
 * The difference of one statistic between two models on the same rows, by a paired BCa bootstrap of rows or
 * whole groups.
 */
export function pairedBootstrap(
  ours: Statistic,
  theirs: Statistic,
  rows: number,
  options: BootstrapOptions,
): Difference {
  const { value, interval } = bootstrap(differenceStatistic(ours, theirs), rows, options);
  return { difference: value, interval, pValue: null };
}

/** Rows that one of two models alone gets right, and how surprising their ratio is. */
export interface McNemar {
  readonly oursOnly: number;
  readonly theirsOnly: number;
  /**
   * Two-sided and exact: the smaller count doubled in the tail of a fair coin (McNemar 1947,
   * doi:10.1007/BF02295996).
   */
  readonly pValue: number;
}

/** McNemar's exact test of two sets of predictions for the same labels. Rows must be independent. */
export function mcnemar(
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
  labels: ArrayLike<number>,
): McNemar {
  requireSameRows("mcnemar", ours, theirs, labels);
  let oursOnly = 0;
  let theirsOnly = 0;
  for (let i = 0; i < labels.length; i++) {
    const a = ours[i] === labels[i];
    const b = theirs[i] === labels[i];
    if (a && !b) oursOnly++;
    if (b && !a) theirsOnly++;
  }
  const pValue = Math.min(1, 2 * fairCoinCdf(Math.min(oursOnly, theirsOnly), oursOnly + theirsOnly));
  return { oursOnly, theirsOnly, pValue };
}

/**
 * Score interval for the difference of two accuracies on the same n independent rows, of which one model alone has
 * `oursOnly` right and the other alone `theirsOnly` (Tango 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891>3.0.CO;2-B).
 * The Δ are in it that a score test does not reject; unlike a bootstrap's it keeps its width where the models
 * never differ.
 */
export function pairedAccuracyInterval(
  oursOnly: number,
  theirsOnly: number,
  n: number,
  level = 0.95,
): Interval {
  const z = normalQuantile((1 + level) / 2);
  const score = (delta: number) => {
    // q: the share of theirsOnly most likely under this Δ.
    const b = -oursOnly - theirsOnly + (2 * n - oursOnly + theirsOnly) * delta;
    const c = -theirsOnly * delta * (1 - delta);
    const q = (Math.sqrt(Math.max(0, b * b - 8 * n * c)) - b) / (4 * n);
    const variance = n * (2 * q + delta * (1 - delta));
    const gap = oursOnly - theirsOnly - n * delta;
    return variance > 0 ? gap / Math.sqrt(variance) : gap === 0 ? 0 : gap * Number.POSITIVE_INFINITY;
  };
  const difference = (oursOnly - theirsOnly) / n;
  const end = (outer: number, isInside: (delta: number) => boolean) => {
    let inside = difference;
    let outside = outer;
    if (isInside(outside)) return outside;
    for (let step = 0; step < 100; step++) {
      const middle = (inside + outside) / 2;
      if (isInside(middle)) inside = middle;
      else outside = middle;
    }
    return inside;
  };
  return [end(-1, (delta) => score(delta) <= z), end(1, (delta) => score(delta) >= -z)];
}

/** Sign flips tried where there are too many groups to try them all. */
const FLIPS = 20_000;

/**
 * Two-sided p-value of "either model might as well have been the other" for differences [N] that hang
 * together in groups: the sign of whole groups is flipped, in every way for up to 14 groups, else in 20 000
 * seeded ways (Fisher 1935's randomisation test with groups as units). With k groups it cannot be below 2^(1
 * − k).
 */
export function groupSignTest(
  differences: ArrayLike<number>,
  groups: ArrayLike<number | string>,
  seed: number,
): number {
  const sums = rowsByGroup(groups, differences.length)
    .map((rows) => rows.reduce((sum, row) => sum + differences[row]!, 0))
    .filter((sum) => sum !== 0);
  const observed = Math.abs(sums.reduce((total, sum) => total + sum, 0)) - 1e-9;
  if (sums.length <= 14) {
    let extreme = 0;
    const ways = 2 ** sums.length;
    for (let signs = 0; signs < ways; signs++) {
      const total = sums.reduce((t, sum, k) => t + ((signs >> k) & 1 ? sum : -sum), 0);
      if (Math.abs(total) >= observed) extreme++;
    }
    return extreme / ways;
  }
  const source = random(seed).fork("sign flips");
  let extreme = 1; // the signs as they are count as one way
  for (let flip = 0; flip < FLIPS; flip++) {
    let total = 0;
    for (const sum of sums) total += source.uniform() < 0.5 ? sum : -sum;
    if (Math.abs(total) >= observed) extreme++;
  }
  return extreme / (FLIPS + 1);
}

/** The corrected resampled t-test's outcome. */
export interface ResampledT extends Difference {
  readonly pValue: number;
  readonly t: number;
  readonly degreesOfFreedom: number;
}

/**
 * Nadeau and Bengio's corrected resampled t-test (2003, doi:10.1023/A:1024068626366) of differences [J]
 * between two models in J train/test splits of one data set, such as 10 × 10 folds (Bouckaert and Frank
 * 2004): variance (1/J + test/train) · s², because the splits share their training rows. Also gives the
 * interval of a mean score when fed with scores.
 */
export function correctedResampledT(
  differences: ArrayLike<number>,
  { trainRows, testRows, level = 0.95 }: { trainRows: number; testRows: number; level?: number },
): ResampledT {
  const j = differences.length;
  if (j < 2) throw new InputError(`corrected resampled t-test: needs 2 splits or more, got ${j}`);
  let mean = 0;
  for (let i = 0; i < j; i++) mean += differences[i]! / j;
  let square = 0;
  for (let i = 0; i < j; i++) square += (differences[i]! - mean) ** 2;
  const error = Math.sqrt((1 / j + testRows / trainRows) * (square / (j - 1)));
  const half = studentQuantile((1 + level) / 2, j - 1) * error;
  const t = error > 0 ? mean / error : mean === 0 ? 0 : Math.sign(mean) * Number.POSITIVE_INFINITY;
  const pValue = Number.isFinite(t) ? 2 * studentCdf(-Math.abs(t), j - 1) : 0;
  return { difference: mean, interval: [mean - half, mean + half], pValue, t, degreesOfFreedom: j - 1 };
}

/** Throws where two sets of predictions and the labels are not of the same rows. */
export function requireSameRows(
  what: string,
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
  labels: ArrayLike<number>,
): void {
  if (ours.length !== labels.length || theirs.length !== labels.length || labels.length === 0) {
    throw new InputError(
      `${what}: predictions of ${ours.length} and ${theirs.length} rows and ${labels.length} labels; all must be of the same rows, at least one`,
    );
  }
}

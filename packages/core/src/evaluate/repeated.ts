import { InputError } from "../errors.ts";
import {
  accuracy,
  confusionMatrix,
  expectedCalibrationError,
  logLoss,
  macroF1,
  mostProbable,
  type Probabilities,
} from "../metrics.ts";
import { correctedResampledT } from "./compare.ts";
import type { Interval } from "./interval.ts";

/** What a model that never saw them said of the rows held out in one fold. */
export interface HeldOut {
  /** Row numbers, 0 … N − 1. */
  readonly rows: ArrayLike<number>;
  /** Class probabilities of these rows, in this order. */
  readonly probabilities: Probabilities;
}

/** A score over repeated splits: its mean over the repeats, the spread between repeats, and a 95 % interval. */
export interface RepeatedScore {
  readonly mean: number;
  /** Standard deviation between repeats; 0 for one repeat. */
  readonly spread: number;
  readonly interval: Interval;
}

/** Scores of repeated cross-validation, and the accuracy of every fold for paired tests against other models. */
export interface RepeatedScores {
  readonly rows: number;
  readonly folds: number;
  readonly repeats: number;
  readonly accuracy: RepeatedScore;
  readonly macroF1: RepeatedScore;
  readonly logLoss: RepeatedScore;
  /** Mean over repeats, of all rows at once; folds are too small for a calibration error of their own. */
  readonly ece: number;
  /** Accuracy of each fold, repeat after repeat. */
  readonly foldAccuracy: readonly number[];
}

/**
 * Scores of a small set by repeated stratified cross-validation, where one split is a matter of luck:
 * `heldOut` has the folds repeat after repeat, each row once a repeat (as `repeatedKFold` makes them). Means
 * are over repeats of all rows; the intervals, over folds, have Nadeau and Bengio's correction for training
 * sets that overlap. Throws where a repeat does not cover every row once.
 */
export function repeatedScores(
  heldOut: readonly HeldOut[],
  labels: ArrayLike<number>,
  classes: number,
  folds: number,
): RepeatedScores {
  const n = labels.length;
  if (heldOut.length < 2 || heldOut.length % folds !== 0) {
    throw new InputError(
      `repeated scores: ${heldOut.length} folds were given, ${folds} a repeat; give every fold of every repeat`,
    );
  }
  const perFold = heldOut.map(({ rows, probabilities }) =>
    scored(
      probabilities,
      Int32Array.from(rows, (row) => labels[row]!),
      classes,
    ),
  );
  const repeats = heldOut.length / folds;
  const perRepeat = Array.from({ length: repeats }, (_, r) => {
    const all = together(heldOut.slice(r * folds, (r + 1) * folds), n, classes, r);
    return { ...scored(all, labels, classes), ece: expectedCalibrationError(all, labels) };
  });
  const sizes = { trainRows: n - n / folds, testRows: n / folds };
  const over = (name: "accuracy" | "macroF1" | "logLoss", least: number, most: number): RepeatedScore => {
    const values = perRepeat.map((scores) => scores[name]);
    const mean = average(values);
    const { difference, interval } = correctedResampledT(
      perFold.map((scores) => scores[name]),
      sizes,
    );
    const shift = mean - difference; // centred on the score of all rows at once
    const spread = Math.sqrt(
      values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, repeats - 1),
    );
    return {
      mean,
      spread,
      interval: [Math.max(least, interval[0] + shift), Math.min(most, interval[1] + shift)],
    };
  };
  return {
    rows: n,
    folds,
    repeats,
    accuracy: over("accuracy", 0, 1),
    macroF1: over("macroF1", 0, 1),
    logLoss: over("logLoss", 0, Number.POSITIVE_INFINITY),
    ece: average(perRepeat.map(({ ece }) => ece)),
    foldAccuracy: perFold.map((scores) => scores.accuracy),
  };
}

function scored(probabilities: Probabilities, labels: ArrayLike<number>, classes: number) {
  const predicted = mostProbable(probabilities);
  return {
    accuracy: accuracy(predicted, labels),
    macroF1: macroF1(confusionMatrix(predicted, labels, classes), classes),
    logLoss: logLoss(probabilities, labels),
  };
}

/** The folds of repeat `r` in the order of the rows, [N, C]. */
function together(folds: readonly HeldOut[], n: number, classes: number, r: number): Probabilities {
  const data = new Float64Array(n * classes);
  const seen = new Uint8Array(n);
  for (const { rows, probabilities } of folds) {
    if (rows.length !== probabilities.rows || probabilities.columns !== classes) {
      throw new InputError(
        `repeated scores: a fold of ${rows.length} rows has probabilities [${probabilities.rows}, ${probabilities.columns}]; expected [${rows.length}, ${classes}]`,
      );
    }
    for (let k = 0; k < rows.length; k++) {
      const row = rows[k]!;
      if (!(row >= 0 && row < n) || seen[row]) {
        throw new InputError(
          `repeated scores: repeat ${r + 1} holds row ${row} out twice, or there is no such row`,
        );
      }
      seen[row] = 1;
      data.set(probabilities.data.subarray(k * classes, (k + 1) * classes), row * classes);
    }
  }
  const missing = seen.indexOf(0);
  if (missing >= 0) throw new InputError(`repeated scores: repeat ${r + 1} never holds out row ${missing}`);
  return { rows: n, columns: classes, data };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

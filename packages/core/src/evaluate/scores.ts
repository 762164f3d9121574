import {
  accuracy,
  binsOf,
  brier,
  type ClassScores,
  confidences,
  confusionMatrix,
  expectedCalibrationError,
  logLoss,
  macroF1,
  mostProbable,
  type Probabilities,
  perClassScores,
  type ReliabilityBin,
  reliability,
  rowBrier,
  rowLogLoss,
  topKAccuracy,
} from "../metrics.ts";
import {
  bootstrapEach,
  calibrationStatistic,
  macroF1Statistic,
  meanStatistic,
  rowsByGroup,
} from "./bootstrap.ts";
import { type ChanceCalibration, chanceCalibration } from "./calibration.ts";
import { type Interval, wilsonInterval } from "./interval.ts";

/** Bins of `ece`, of equal width over [0, 1]. */
export const CALIBRATION_BINS = 15;

/**
 * Precision, recall and F1 of a class by its name; Wilson's interval of the recall where the rows are
 * independent.
 */
export interface NamedClassScores extends ClassScores {
  readonly name: string;
  readonly recallInterval: Interval | null;
}

/** A 95 % interval and how it was made. */
export interface ScoreInterval {
  readonly low: number;
  readonly high: number;
  readonly method: "wilson" | "bootstrap bca" | "bootstrap basic";
}

/** Every score of one set of predictions, as plain data: the `test` part of metrics.json. Fractions, not percent. */
export interface Scores {
  readonly n: number;
  /** Number of groups that hang together, null where every row is its own evidence. */
  readonly groups: number | null;
  readonly accuracy: number;
  readonly macroF1: number;
  /** Micro-averaged F1 over entities, of token classification; null elsewhere. */
  readonly spanF1: number | null;
  /** Calibration error of the most probable class, 15 bins of equal width. */
  readonly ece: number;
  /** The same with 15 bins of equally many rows. */
  readonly eceEqualMass: number;
  /** What `ece` would be by chance alone were every probability true. */
  readonly eceByChance: ChanceCalibration;
  readonly logLoss: number;
  readonly brier: number;
  /** Share of rows whose label is among the five most probable; null for five classes or fewer. */
  readonly top5: number | null;
  /** 95 % interval of the accuracy. */
  readonly interval: Interval;
  readonly intervals: Readonly<Record<"accuracy" | "macroF1" | "ece" | "logLoss" | "brier", ScoreInterval>>;
  readonly perClass: readonly NamedClassScores[];
  /** Rows of label i predicted as j, at [i][j]. */
  readonly confusion: readonly (readonly number[])[];
  readonly reliability: readonly ReliabilityBin[];
}

/** What scoring needs beside probabilities and labels. */
export interface ScoresOptions {
  readonly seed: number;
  /** Group of each row [N], where rows hang together (patient, page, author): intervals then draw whole groups. */
  readonly groups?: ArrayLike<number | string> | null;
  /** Resamples of the bootstrap; 2000, or 1000 beyond 5000 rows, when left out. */
  readonly replicates?: number;
}

/**
 * All scores of class probabilities [N, C] against labels [N] (class numbers), each with a 95 % interval.
 * docs/scores.md says which interval stands where and why.
 */
export function scoresOf(
  probabilities: Probabilities,
  labels: ArrayLike<number>,
  classes: readonly string[],
  { seed, groups = null, replicates }: ScoresOptions,
): Scores {
  const n = labels.length;
  const losses = rowLogLoss(probabilities, labels);
  const squares = rowBrier(probabilities, labels);
  const predicted = mostProbable(probabilities);
  const confidence = confidences(probabilities);
  const isRight = Float64Array.from(predicted, (c, i) => (c === labels[i] ? 1 : 0));
  const confusion = confusionMatrix(predicted, labels, classes.length);
  const options = { seed, groups, replicates: replicates ?? (n > 5000 ? 1000 : 2000) };
  const units = groups === null ? n : rowsByGroup(groups, n).length;
  const share = accuracy(predicted, labels);

  // Where all rows are right (or all wrong) a resample cannot differ; the units that agree are then a
  // proportion of n of n.
  const wilson = (): ScoreInterval => {
    const [low, high] = wilsonInterval(share * units, units);
    return { low, high, method: "wilson" };
  };
  const isUniform = share === 0 || share === 1;
  const estimates = bootstrapEach(
    {
      accuracy: meanStatistic(isRight),
      macroF1: macroF1Statistic(predicted, labels, classes.length),
      ece: calibrationStatistic(
        confidence,
        isRight,
        binsOf(confidence, { bins: CALIBRATION_BINS }),
        CALIBRATION_BINS,
      ),
      logLoss: meanStatistic(losses),
      brier: meanStatistic(squares),
    },
    n,
    options,
  );
  const bca = (name: keyof typeof estimates): ScoreInterval => {
    const [low, high] = estimates[name].interval;
    return { low, high, method: "bootstrap bca" };
  };
  const ece = expectedCalibrationError(probabilities, labels, { bins: CALIBRATION_BINS });
  const eceByChance = chanceCalibration(confidence, { seed, bins: CALIBRATION_BINS });
  const [eceLow, eceHigh] = estimates.ece.interval;
  const intervals: Scores["intervals"] = {
    accuracy: groups === null || isUniform ? wilson() : bca("accuracy"),
    macroF1: isUniform ? wilson() : bca("macroF1"),
    // Resamples are biased away from calibration, hence "basic"; what chance alone would give cannot rule out 0.
    ece: {
      low: ece <= eceByChance.high ? 0 : Math.max(0, eceLow),
      high: Math.min(1, Math.max(ece, eceHigh)),
      method: "bootstrap basic",
    },
    logLoss: bca("logLoss"),
    brier: bca("brier"),
  };
  const rows = (c: number) => Array.from(confusion.subarray(c * classes.length, (c + 1) * classes.length));
  return {
    n,
    groups: groups === null ? null : units,
    accuracy: share,
    macroF1: macroF1(confusion, classes.length),
    spanF1: null,
    ece,
    eceEqualMass: expectedCalibrationError(probabilities, labels, { bins: CALIBRATION_BINS, by: "mass" }),
    eceByChance,
    logLoss: logLoss(probabilities, labels),
    brier: brier(probabilities, labels),
    top5: classes.length > 5 ? topKAccuracy(probabilities, labels, 5) : null,
    interval: [intervals.accuracy.low, intervals.accuracy.high],
    intervals,
    perClass: perClassScores(confusion, classes.length).map((scores, c) => ({
      name: classes[c]!,
      ...scores,
      recallInterval:
        groups === null && scores.support > 0
          ? wilsonInterval(confusion[c * classes.length + c]!, scores.support)
          : null,
    })),
    confusion: classes.map((_, c) => rows(c)),
    reliability: reliability(probabilities, labels, { bins: CALIBRATION_BINS }),
  };
}

import { InputError } from "./errors.ts";

/** Class probabilities of N rows, [N, C] row-major; a `Matrix` is one. */
export interface Probabilities {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array | Float64Array;
}

/** Most probable class of each row, [N]; of equals the first. */
export function mostProbable({ rows, columns, data }: Probabilities): Int32Array {
  const best = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    const from = i * columns;
    let c = 0;
    for (let k = 1; k < columns; k++) if (data[from + k]! > data[from + c]!) c = k;
    best[i] = c;
  }
  return best;
}

/** Share of rows whose prediction is the label. */
export function accuracy(predicted: ArrayLike<number>, labels: ArrayLike<number>): number {
  requireRows("accuracy", predicted.length, labels);
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (predicted[i] === labels[i]) right++;
  return right / labels.length;
}

/**
 * Share of rows whose label is among the k most probable classes; of equally probable classes the first come
 * first.
 */
export function topKAccuracy(probabilities: Probabilities, labels: ArrayLike<number>, k: number): number {
  const { rows, columns, data } = probabilities;
  requireLabels("top-k accuracy", probabilities, labels);
  let right = 0;
  for (let i = 0; i < rows; i++) {
    const from = i * columns;
    const label = labels[i]!;
    const own = data[from + label]!;
    let before = 0;
    for (let c = 0; c < columns; c++) {
      const p = data[from + c]!;
      if (p > own || (p === own && c < label)) before++;
    }
    if (before < k) right++;
  }
  return right / rows;
}

/** Rows of label i predicted as j, at [i · C + j]. */
export function confusionMatrix(
  predicted: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): Int32Array {
  requireRows("confusion matrix", predicted.length, labels);
  const counts = new Int32Array(classes * classes);
  for (let i = 0; i < labels.length; i++) {
    requireClass("confusion matrix", labels[i]!, classes, i);
    requireClass("confusion matrix", predicted[i]!, classes, i);
    counts[labels[i]! * classes + predicted[i]!]!++;
  }
  return counts;
}

/** What a classifier does with one class. `support` counts its rows, `predicted` the rows given to it. */
export interface ClassScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
  readonly predicted: number;
}

/**
 * Precision, recall and F1 of each class from a confusion matrix [C, C]. A quotient of nothing by nothing is 0, as
 * scikit-learn's `zero_division=0` has it.
 */
export function perClassScores(confusion: ArrayLike<number>, classes: number): ClassScores[] {
  return Array.from({ length: classes }, (_, c) => {
    let support = 0;
    let predicted = 0;
    for (let k = 0; k < classes; k++) {
      support += confusion[c * classes + k]!;
      predicted += confusion[k * classes + c]!;
    }
    const right = confusion[c * classes + c]!;
    return {
      precision: predicted === 0 ? 0 : right / predicted,
      recall: support === 0 ? 0 : right / support,
      f1: support + predicted === 0 ? 0 : (2 * right) / (support + predicted),
      support,
      predicted,
    };
  });
}

/** Mean F1 of the classes that occur among labels or predictions (scikit-learn's `average="macro"`). */
export function macroF1(confusion: ArrayLike<number>, classes: number): number {
  const present = perClassScores(confusion, classes).filter((c) => c.support + c.predicted > 0);
  return present.reduce((sum, { f1 }) => sum + f1, 0) / present.length;
}

/** The least probability `logLoss` reckons with, 2⁻⁵²: a certain and wrong answer costs 36 and not infinity. */
export const LEAST_PROBABILITY: number = Number.EPSILON;

/** −ln p(label) of each row, [N]. */
export function rowLogLoss(probabilities: Probabilities, labels: ArrayLike<number>): Float64Array {
  requireLabels("log loss", probabilities, labels);
  const { columns, data } = probabilities;
  return Float64Array.from(labels, (label, i) => -Math.log(clipped(data[i * columns + label]!)));
}

/** Mean −ln p(label), in nats; lower is better. */
export function logLoss(probabilities: Probabilities, labels: ArrayLike<number>): number {
  return mean(rowLogLoss(probabilities, labels));
}

/** Σ over classes (p − 1[label])² of each row, [N], from 0 to 2. */
export function rowBrier(probabilities: Probabilities, labels: ArrayLike<number>): Float64Array {
  requireLabels("Brier score", probabilities, labels);
  const { columns, data } = probabilities;
  return Float64Array.from(labels, (label, i) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += (data[i * columns + c]! - (c === label ? 1 : 0)) ** 2;
    return sum;
  });
}

/**
 * Mean squared distance of the probabilities from the labels, 0 to 2 (Brier 1950, its original form); lower
 * is better.
 */
export function brier(probabilities: Probabilities, labels: ArrayLike<number>): number {
  return mean(rowBrier(probabilities, labels));
}

/** Probability of each row's most probable class, [N]. */
export function confidences({ rows, columns, data }: Probabilities): Float64Array {
  const top = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let best = 0;
    for (let c = 0; c < columns; c++) best = Math.max(best, data[i * columns + c]!);
    top[i] = best;
  }
  return top;
}

/** How confidences are put into bins. */
export interface BinOptions {
  /** Number of bins, 15 when left out. */
  readonly bins?: number;
  /**
   * "width": bins of equal width over [0, 1] (Guo et al. 2017); "mass": bins of equally many rows (Nixon et
   * al. 2019).
   */
  readonly by?: "width" | "mass";
}

/**
 * Rows whose confidence is in (from, to] (of equal mass: [from, to]); `confidence` and `accuracy` are their
 * means.
 */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly confidence: number;
  readonly accuracy: number;
}

/** The bin of each row, [N], from 0. Bins of equal width hold (b/B, (b + 1)/B]; of equal mass, neighbours in rank. */
export function binsOf(
  confidence: ArrayLike<number>,
  { bins = 15, by = "width" }: BinOptions = {},
): Int32Array {
  const n = confidence.length;
  const bin = new Int32Array(n);
  if (by === "width") {
    for (let i = 0; i < n; i++) {
      bin[i] = Math.min(bins - 1, Math.max(0, Math.ceil(confidence[i]! * bins) - 1));
    }
    return bin;
  }
  const order = Int32Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => confidence[a]! - confidence[b]! || a - b,
  );
  // As numpy.array_split deals them out: the first n mod B bins hold one row more.
  const size = Math.floor(n / bins);
  const larger = n % bins;
  for (let r = 0; r < n; r++) {
    const inLarger = r < larger * (size + 1);
    bin[order[r]!] = inLarger
      ? Math.floor(r / (size + 1))
      : larger + Math.floor((r - larger * (size + 1)) / size);
  }
  return bin;
}

/** Confidence against accuracy, bin by bin and without empty bins: what a calibration plot draws. */
export function reliability(
  probabilities: Probabilities,
  labels: ArrayLike<number>,
  { bins = 15, by = "width" }: BinOptions = {},
): ReliabilityBin[] {
  requireLabels("reliability", probabilities, labels);
  const confidence = confidences(probabilities);
  const predicted = mostProbable(probabilities);
  const bin = binsOf(confidence, { bins, by });
  const cells = Array.from({ length: bins }, (_, b) => ({
    from: by === "width" ? b / bins : 1,
    to: by === "width" ? (b + 1) / bins : 0,
    count: 0,
    confidence: 0,
    right: 0,
  }));
  for (let i = 0; i < labels.length; i++) {
    const cell = cells[bin[i]!]!;
    cell.count++;
    cell.confidence += confidence[i]!;
    if (predicted[i] === labels[i]) cell.right++;
    if (by === "mass") {
      cell.from = Math.min(cell.from, confidence[i]!);
      cell.to = Math.max(cell.to, confidence[i]!);
    }
  }
  return cells
    .filter(({ count }) => count > 0)
    .map(({ from, to, count, confidence, right }) => ({
      from,
      to,
      count,
      confidence: confidence / count,
      accuracy: right / count,
    }));
}

/**
 * Expected calibration error of the most probable class: Σ_b n_b/N · |accuracy_b − confidence_b| (Naeini, Cooper and
 * Hauskrecht 2015; Guo et al. 2017, eq. 3). 15 bins of equal width unless told otherwise; lower is better.
 */
export function expectedCalibrationError(
  probabilities: Probabilities,
  labels: ArrayLike<number>,
  options: BinOptions = {},
): number {
  let sum = 0;
  for (const { count, accuracy, confidence } of reliability(probabilities, labels, options)) {
    sum += count * Math.abs(accuracy - confidence);
  }
  return sum / labels.length;
}

function clipped(p: number): number {
  return Math.min(1, Math.max(LEAST_PROBABILITY, p));
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function requireRows(what: string, rows: number, labels: ArrayLike<number>): void {
  if (rows !== labels.length)
    throw new InputError(`${what}: ${rows} predictions and ${labels.length} labels; give one label a row`);
  if (rows === 0) throw new InputError(`${what}: there are no rows to score; give at least one`);
}

function requireLabels(
  what: string,
  { rows, columns, data }: Probabilities,
  labels: ArrayLike<number>,
): void {
  requireRows(what, rows, labels);
  for (let i = 0; i < rows; i++) {
    requireClass(what, labels[i]!, columns, i);
    for (let c = 0; c < columns; c++) {
      if (!Number.isFinite(data[i * columns + c]!)) {
        throw new InputError(
          `${what}: the probability of class ${c} in row ${i} is ${data[i * columns + c]}; the model gave no number for it`,
        );
      }
    }
  }
}

function requireClass(what: string, label: number, classes: number, i: number): void {
  if (!(Number.isInteger(label) && label >= 0 && label < classes))
    throw new InputError(`${what}: row ${i} has class ${label}; classes are 0 to ${classes - 1}`);
}

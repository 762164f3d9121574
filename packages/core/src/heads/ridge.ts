import { InputError } from "../errors.ts";
import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { symmetricEigen } from "../linalg/eigen.ts";
import { columnGram } from "../linalg/product.ts";
import { resolveSettings } from "../options.ts";
import { type Features, float32, isSparse, type Matrix, matrix } from "../tensor.ts";
import { fitTemperature, type HeldOutScores, INNER_FOLDS, softmaxRows } from "./calibrate.ts";
import { requireFittable, requirePredictable, rowWeights } from "./check.ts";
import { eachFold, stratifiedFolds } from "./folds.ts";
import type { Classifier, FitContext, Head } from "./head.ts";
import { appendNormalised, normalised } from "./logistic.ts";
import { forRow, innerProducts } from "./products.ts";

/** Penalties tried where none is given: half decades. */
const PENALTIES: readonly number[] = Array.from({ length: 19 }, (_, k) => 10 ** (-5 + k / 2));
/** The smaller of rows and columns up to which the closed form is taken. */
const LARGEST = 4096;

const options = {
  alpha: {
    type: "number",
    default: null,
    min: 1e-12,
    max: 1e12,
    about: "penalty on the squared coefficients (default: by leaving one row out at a time)",
  },
  normalise: { type: "boolean", default: true, about: "divide each row of features by its length first" },
} as const;

/**
 * Least squares on ±1 targets, one column a class: minimises Σ w_i ‖y_i − Wᵀx_i − b‖² + α‖W‖², the intercept free, which
 * is scikit-learn's `RidgeClassifier(alpha)`. α is chosen by the squared error of rows left out one at a time, in closed
 * form: e_i = (y_i − ŷ_i) / (1 − H_ii) (Allen 1974, doi:10.1080/00401706.1974.10489157); by folds where rows have groups.
 * Probabilities are softmax(ŷ / T), T fitted on the same left-out scores.
 */
export const ridge: Head = {
  about: "least squares on one column a class, its penalty by leaving rows out in closed form",
  options,
  cost: (rows, columns) => rows * columns * Math.min(rows, columns) + 9 * Math.min(rows, columns) ** 3,
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    const settings = resolveSettings("ridge", options, given);
    if (Math.min(features.rows, features.columns) > LARGEST)
      throw new InputError(
        `ridge solves in closed form up to ${LARGEST} rows or columns, got ${features.rows} × ${features.columns}; take logistic`,
      );
    const rows = settings.normalise ? normalised(features) : features;
    const weights = rowWeights(labels, context);
    const problem: RidgeProblem = { rows, labels, weights, classes: context.classes };
    const spectrum = decompose(problem);
    const penalties = settings.alpha === null ? PENALTIES : [settings.alpha];
    const leftOut = context.groups
      ? scoresByFolds(problem, context, penalties)
      : penalties.map((alpha) => leaveOneOut(problem, spectrum, alpha));
    const errors = leftOut.map((scores) => squaredError(scores, problem));
    const best = errors.indexOf(Math.min(...errors));
    const alpha = penalties[best]!;
    const temperature = fitTemperature(leftOut[best]!, labels, { weights, unit: "free" });
    return classifier(solve(problem, spectrum, alpha), settings.normalise, alpha, temperature);
  },
};

/** What ridge regression is given; rows are already normalised where they are to be. */
export interface RidgeProblem {
  readonly rows: Features;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly classes: number;
}

/** Scores ŷ [M, C] of `asked` at a penalty, and what each training row's [N, C] would be without it. */
export function ridgeScores(problem: RidgeProblem, alpha: number, asked: Features) {
  const spectrum = decompose(problem);
  return {
    scores: scoresOf(solve(problem, spectrum, alpha), asked),
    leftOut: leaveOneOut(problem, spectrum, alpha).data,
  };
}

/** Weighted, centred rows Z [N, D] in the axes of their second moment: Z = P Uᵀ, with PᵀP = diag(values). */
interface Spectrum {
  readonly values: Float64Array;
  /** P [N, R]. */
  readonly coordinates: Float64Array;
  /** U [R, D] where columns are fewer than rows; null where U = Zᵀ P / values is left unmade. */
  readonly axes: Float64Array | null;
  /** Weighted means of the columns [D] and of the targets [C], and the sum of the weights. */
  readonly mean: Float64Array;
  readonly target: Float64Array;
  readonly total: number;
}

/** Coefficients [C, D], intercepts [C]. */
interface Plane {
  readonly coefficients: Matrix;
  readonly intercepts: Float64Array;
}

function decompose({ rows, labels, weights, classes }: RidgeProblem): Spectrum {
  const [n, d] = [rows.rows, rows.columns];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = new Float64Array(d);
  const target = new Float64Array(classes).fill(-1);
  for (let i = 0; i < n; i++) {
    const share = weights[i]! / total;
    target[labels[i]!]! += 2 * share;
    forRow(rows, i, (j, value) => {
      mean[j]! += share * value;
    });
  }
  const rest = { mean, target, total };
  const alongMean = Float64Array.from({ length: n }, (_, i) => productOfRow(rows, i, mean, 0));
  if (n <= d) {
    const square = mean.reduce((sum, value) => sum + value * value, 0);
    const gram = innerProducts(rows, rows);
    for (let i = 0, at = 0; i < n; i++)
      for (let k = 0; k < n; k++, at++) {
        const centred = gram[at]! - alongMean[i]! - alongMean[k]! + square;
        gram[at] = Math.sqrt(weights[i]! * weights[k]!) * centred;
      }
    const { values, vectors } = symmetricEigen(gram, n);
    const coordinates = new Float64Array(n * n);
    for (let r = 0; r < n; r++) {
      values[r] = Math.max(0, values[r]!);
      const root = Math.sqrt(values[r]!);
      for (let i = 0; i < n; i++) coordinates[i * n + r] = root * vectors[r * n + i]!;
    }
    return { values, coordinates, axes: null, ...rest };
  }
  const { values, vectors: axes } = symmetricEigen(secondMoment(rows, weights, mean, total), d);
  for (let r = 0; r < d; r++) values[r] = Math.max(0, values[r]!);
  const along = Float64Array.from({ length: d }, (_, r) => {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += axes[r * d + j]! * mean[j]!;
    return sum;
  });
  const coordinates = new Float64Array(n * d);
  for (let i = 0; i < n; i++) {
    const root = Math.sqrt(weights[i]!);
    for (let r = 0; r < d; r++)
      coordinates[i * d + r] = root * (productOfRow(rows, i, axes, r * d) - along[r]!);
  }
  return { values, coordinates, axes, ...rest };
}

/** Σ w (x − mean)(x − mean)ᵀ [D, D]. */
function secondMoment(rows: Features, weights: Float64Array, mean: Float64Array, total: number) {
  const d = rows.columns;
  let moment: Float64Array;
  if (isSparse(rows)) {
    moment = new Float64Array(d * d);
    for (let i = 0; i < rows.rows; i++)
      forRow(rows, i, (j, value) => {
        forRow(rows, i, (k, other) => {
          moment[j * d + k]! += weights[i]! * value * other;
        });
      });
  } else moment = columnGram(rows.data, rows.rows, d, weights);
  for (let j = 0; j < d; j++) for (let k = 0; k < d; k++) moment[j * d + k]! -= total * mean[j]! * mean[k]!;
  return moment;
}

function productOfRow(rows: Features, i: number, vector: Float64Array, from: number): number {
  let sum = 0;
  forRow(rows, i, (j, value) => {
    sum += value * vector[from + j]!;
  });
  return sum;
}

/** Pᵀ ỹ / (values + α), [R, C], for targets ỹ = √w (y − their mean). */
function components({ labels, weights, classes }: RidgeProblem, s: Spectrum, alpha: number): Float64Array {
  const r = s.values.length;
  const made = new Float64Array(r * classes);
  for (let i = 0; i < labels.length; i++) {
    const root = Math.sqrt(weights[i]!);
    for (let c = 0; c < classes; c++) {
      const y = root * ((labels[i] === c ? 1 : -1) - s.target[c]!);
      for (let k = 0; k < r; k++) made[k * classes + c]! += s.coordinates[i * r + k]! * y;
    }
  }
  for (let k = 0; k < r; k++)
    for (let c = 0; c < classes; c++) made[k * classes + c]! /= s.values[k]! + alpha;
  return made;
}

/** What each row's scores would be without it, [N, C]. */
function leaveOneOut(problem: RidgeProblem, s: Spectrum, alpha: number): HeldOutScores {
  const { labels, weights, classes } = problem;
  const r = s.values.length;
  const parts = components(problem, s, alpha);
  const data = new Float64Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) {
    const weight = weights[i]!;
    if (weight === 0) {
      data.fill(Number.NaN, i * classes, (i + 1) * classes);
      continue;
    }
    let leverage = weight / s.total;
    for (let k = 0; k < r; k++) leverage += s.coordinates[i * r + k]! ** 2 / (s.values[k]! + alpha);
    const free = Math.max(1e-9, 1 - leverage);
    for (let c = 0; c < classes; c++) {
      let fitted = 0;
      for (let k = 0; k < r; k++) fitted += s.coordinates[i * r + k]! * parts[k * classes + c]!;
      const y = labels[i] === c ? 1 : -1;
      data[i * classes + c] = y - (y - s.target[c]! - fitted / Math.sqrt(weight)) / free;
    }
  }
  return { rows: labels.length, columns: classes, data };
}

/** Scores of each row by the other folds, for every penalty. */
function scoresByFolds(problem: RidgeProblem, context: FitContext, penalties: readonly number[]) {
  const { rows, labels, weights, classes } = problem;
  const all = penalties.map(() => new Float64Array(labels.length * classes).fill(Number.NaN));
  const { random, groups } = context;
  const fold = stratifiedFolds(labels, classes, {
    folds: INNER_FOLDS,
    random: random.fork("folds"),
    ...(groups && { groups }),
  });
  const weighted = { ...context, weights: Float32Array.from(weights) };
  for (const part of eachFold(rows, labels, weighted, fold)) {
    const own = Float64Array.from(part.context.weights!);
    const train: RidgeProblem = { rows: part.features, labels: part.labels, weights: own, classes };
    const spectrum = decompose(train);
    for (const [k, alpha] of penalties.entries()) {
      const scores = scoresOf(solve(train, spectrum, alpha), part.heldOut);
      for (const [q, i] of part.rows.entries())
        all[k]!.set(scores.subarray(q * classes, (q + 1) * classes), i * classes);
    }
  }
  return all.map((data): HeldOutScores => ({ rows: labels.length, columns: classes, data }));
}

function squaredError({ data, columns }: HeldOutScores, { labels, weights }: RidgeProblem): number {
  let sum = 0;
  for (let i = 0; i < labels.length; i++)
    for (let c = 0; c < columns; c++) {
      const gap = data[i * columns + c]! - (labels[i] === c ? 1 : -1);
      if (!Number.isNaN(gap)) sum += weights[i]! * gap * gap;
    }
  return sum;
}

function solve(problem: RidgeProblem, s: Spectrum, alpha: number): Plane {
  const { rows, weights, classes } = problem;
  const [n, d, r] = [rows.rows, rows.columns, s.values.length];
  const parts = components(problem, s, alpha);
  const w = new Float64Array(classes * d);
  if (s.axes !== null) {
    for (let k = 0; k < r; k++)
      for (let c = 0; c < classes; c++)
        for (let j = 0; j < d; j++) w[c * d + j]! += parts[k * classes + c]! * s.axes[k * d + j]!;
  } else {
    // W = Zᵀ a with a = Q (Λ + α)⁻¹ Qᵀ ỹ, and Q = P Λ^−½.
    for (let i = 0; i < n; i++)
      for (let c = 0; c < classes; c++) {
        let a = 0;
        for (let k = 0; k < r; k++)
          if (s.values[k]! > 1e-14 * s.values[r - 1]!)
            a += (s.coordinates[i * r + k]! * parts[k * classes + c]!) / s.values[k]!;
        a *= Math.sqrt(weights[i]!);
        forRow(rows, i, (j, value) => {
          w[c * d + j]! += a * value;
        });
        for (let j = 0; j < d; j++) w[c * d + j]! -= a * s.mean[j]!;
      }
  }
  const intercepts = Float64Array.from({ length: classes }, (_, c) => {
    let along = 0;
    for (let j = 0; j < d; j++) along += w[c * d + j]! * s.mean[j]!;
    return s.target[c]! - along;
  });
  return { coefficients: matrix(classes, d, Float32Array.from(w)), intercepts };
}

function scoresOf({ coefficients, intercepts }: Plane, rows: Features): Float64Array {
  const scores = innerProducts(rows, coefficients);
  for (let at = 0; at < scores.length; at++) scores[at]! += intercepts[at % intercepts.length]!;
  return scores;
}

function classifier(plane: Plane, normalise: boolean, alpha: number, temperature: number): Classifier {
  const { coefficients, intercepts } = plane;
  const [classes, d] = [coefficients.rows, coefficients.columns];
  return {
    classes,
    chosen: { alpha, temperature },
    predict(features) {
      requirePredictable("ridge", features, d);
      const data = scoresOf(plane, normalise ? normalised(features) : features);
      softmaxRows(data, classes, temperature);
      return matrix(features.rows, classes, Float32Array.from(data));
    },
    append(graph: Graph, features: Value): Value {
      const input = normalise ? appendNormalised(graph, features) : features;
      const b = build(graph);
      const scale = (value: number) => value / temperature;
      const turned = new Float32Array(d * classes);
      for (let c = 0; c < classes; c++)
        for (let j = 0; j < d; j++) turned[j * classes + c] = scale(coefficients.data[c * d + j]!);
      const product = b.apply("MatMul", [input, b.constant(float32([d, classes], turned), "coefficients")]);
      const offsets = b.constant(float32([classes], Float32Array.from(intercepts, scale)), "intercepts");
      return b.apply("Softmax", [b.apply("Add", [product, offsets], {}, { name: "scores" })], { axis: 1 });
    },
  };
}

import { InputError } from "../errors.ts";
import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { addRowProducts, columnGram, rowGram, transposedProduct } from "../linalg/product.ts";
import { type Tridiagonal, tridiagonal } from "../linalg/tridiagonal.ts";
import { resolveSettings } from "../options.ts";
import { type Features, float32, isSparse, type Matrix, matrix } from "../tensor.ts";
import { fitTemperature, type HeldOutScores, INNER_FOLDS, softmaxRows } from "./calibrate.ts";
import { requireFittable, requirePredictable, rowWeights } from "./check.ts";
import { eachFold, stratifiedFolds } from "./folds.ts";
import type { Classifier, FitContext, Head } from "./head.ts";
import { appendNormalised, normalised } from "./normalise.ts";
import { addRow, forRow, innerProducts } from "./products.ts";

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
 * Least squares on ±1 targets, one column a class: minimises Σ w_i ‖y_i − Wᵀx_i − b‖² + α‖W‖², the intercept
 * free, which is scikit-learn's `RidgeClassifier(alpha)`. α is chosen by the squared error of rows left out
 * one at a time, in closed form: e_i = (y_i − ŷ_i) / (1 − H_ii) (Allen 1974,
 * doi:10.1080/00401706.1974.10489157); by folds where rows have groups. Probabilities are softmax(ŷ / T), T
 * fitted on the same left-out scores.
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

/**
 * Weighted, centred rows Z [N, D] in axes in which their products are tridiagonal. Rows no more than columns:
 * Z Zᵀ = Q T Qᵀ, basis Q. Fewer columns: Zᵀ Z = U T Uᵀ, basis Z U. T + αI is then solved at once for every α.
 */
interface Spectrum {
  readonly tridiagonal: Tridiagonal;
  /** The basis, transposed: [R, N]. */
  readonly basis: Float64Array;
  /** Whether the basis is Q. */
  readonly isDual: boolean;
  /** Targets ỹ = √w (y − their mean) in the basis, [R, C]. */
  readonly along: Float64Array;
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
  const roots = weights.map(Math.sqrt);
  const done = (tri: Tridiagonal, basis: Float64Array, isDual: boolean): Spectrum => {
    const r = tri.diagonal.length;
    const along = new Float64Array(r * classes);
    for (let k = 0; k < r; k++)
      for (let i = 0; i < n; i++) {
        const value = basis[k * n + i]! * roots[i]!;
        for (let c = 0; c < classes; c++)
          along[k * classes + c]! += value * ((labels[i] === c ? 1 : -1) - target[c]!);
      }
    return { tridiagonal: tri, basis, isDual, along, mean, target, total };
  };
  if (n <= d) {
    const alongMean = Float64Array.from({ length: n }, (_, i) => productOfRow(rows, i, mean, 0));
    const square = mean.reduce((sum, value) => sum + value * value, 0);
    const gram = isSparse(rows) ? innerProducts(rows, rows) : rowGram(rows.data, n, d);
    for (let i = 0, at = 0; i < n; i++)
      for (let k = 0; k < n; k++, at++) {
        const centred = gram[at]! - alongMean[i]! - alongMean[k]! + square;
        gram[at] = roots[i]! * roots[k]! * centred;
      }
    const tri = tridiagonal(gram, n);
    return done(tri, tri.vectors, true);
  }
  const tri = tridiagonal(secondMoment(rows, weights, mean, total), d);
  const basis = new Float64Array(d * n);
  for (let r = 0; r < d; r++) {
    let ofMean = 0;
    for (let j = 0; j < d; j++) ofMean += tri.vectors[r * d + j]! * mean[j]!;
    basis.fill(-ofMean, r * n, (r + 1) * n);
  }
  addProducts(rows, tri.vectors, d, basis);
  for (let r = 0; r < d; r++) for (let i = 0; i < n; i++) basis[r * n + i]! *= roots[i]!;
  return done(tri, basis, false);
}

/** basis [R, N] += vectors [R, D] · rowsᵀ. */
function addProducts(rows: Features, vectors: Float64Array, r: number, basis: Float64Array): void {
  const { rows: n, columns: d } = rows;
  if (!isSparse(rows)) {
    addRowProducts(vectors, r, rows.data, n, d, basis);
    return;
  }
  for (let k = 0; k < r; k++)
    for (let i = 0; i < n; i++) basis[k * n + i]! += productOfRow(rows, i, vectors, k * d);
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

/** T + αI = L diag(pivots) Lᵀ, L having `factors` below its diagonal of ones. */
function factored({ diagonal, off }: Tridiagonal, alpha: number) {
  const r = diagonal.length;
  const pivots = new Float64Array(r);
  const factors = new Float64Array(r);
  const most = diagonal.reduce((sum, value) => Math.max(sum, Math.abs(value)), alpha);
  for (let k = 0; k < r; k++) {
    factors[k] = k === 0 ? 0 : off[k]! / pivots[k - 1]!;
    const pivot = diagonal[k]! + alpha - (k === 0 ? 0 : factors[k]! * off[k]!);
    pivots[k] = Math.max(pivot, 1e-16 * most); // rounding alone makes one less, where α is below it
  }
  return { pivots, factors };
}

/** (T + αI)⁻¹ of the targets in the basis, [R, C]. */
function components(
  { along }: Spectrum,
  classes: number,
  { pivots, factors }: ReturnType<typeof factored>,
): Float64Array {
  const r = pivots.length;
  const made = along.slice();
  for (let k = 1; k < r; k++)
    for (let c = 0; c < classes; c++) made[k * classes + c]! -= factors[k]! * made[(k - 1) * classes + c]!;
  for (let k = r - 1; k >= 0; k--)
    for (let c = 0; c < classes; c++) {
      const beyond = k === r - 1 ? 0 : factors[k + 1]! * made[(k + 1) * classes + c]!;
      made[k * classes + c] = made[k * classes + c]! / pivots[k]! - beyond;
    }
  return made;
}

/** b (T + αI)⁻¹ bᵀ of each row b of the basis, [N]. */
function quadratics(
  { basis }: Spectrum,
  n: number,
  { pivots, factors }: ReturnType<typeof factored>,
): Float64Array {
  const sums = new Float64Array(n);
  const z = new Float64Array(n);
  for (let k = 0; k < pivots.length; k++) {
    const [factor, inverse] = [factors[k]!, 1 / pivots[k]!];
    for (let i = 0, at = k * n; i < n; i++, at++) {
      const value = basis[at]! - factor * z[i]!;
      z[i] = value;
      sums[i]! += value * value * inverse;
    }
  }
  return sums;
}

/** What each row's scores would be without it, [N, C]. */
function leaveOneOut(problem: RidgeProblem, s: Spectrum, alpha: number): HeldOutScores {
  const { labels, weights, classes } = problem;
  const n = labels.length;
  const solved = factored(s.tridiagonal, alpha);
  const parts = components(s, classes, solved);
  const quadratic = quadratics(s, n, solved);
  const linear = transposedProduct(parts, classes, s.basis, n, solved.pivots.length); // [C, N]
  const data = new Float64Array(n * classes);
  for (let i = 0; i < n; i++) {
    const weight = weights[i]!;
    if (weight === 0) {
      data.fill(Number.NaN, i * classes, (i + 1) * classes);
      continue;
    }
    // Of Q, ỹ − ŷ is α (Z Zᵀ + αI)⁻¹ ỹ, and 1 less the leverage α times the inverse's diagonal.
    const unexplained = s.isDual ? alpha * quadratic[i]! : 1 - quadratic[i]!;
    const free = Math.max(1e-9, unexplained - weight / s.total);
    for (let c = 0; c < classes; c++) {
      const y = labels[i] === c ? 1 : -1;
      const own = linear[c * n + i]! / Math.sqrt(weight);
      const residual = s.isDual ? alpha * own : y - s.target[c]! - own;
      data[i * classes + c] = y - residual / free;
    }
  }
  return { rows: n, columns: classes, data };
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
  const [n, d] = [rows.rows, rows.columns];
  const parts = components(s, classes, factored(s.tridiagonal, alpha));
  const r = parts.length / classes;
  let w: Float64Array;
  if (s.isDual) {
    // W = Zᵀ a with a = (Z Zᵀ + αI)⁻¹ ỹ.
    const a = transposedProduct(parts, classes, s.basis, n, r); // [C, N]
    const sums = new Float64Array(classes);
    w = new Float64Array(classes * d);
    for (let i = 0; i < n; i++)
      for (let c = 0; c < classes; c++) {
        const own = a[c * n + i]! * Math.sqrt(weights[i]!);
        sums[c]! += own;
        addRow(rows, i, own, w.subarray(c * d, (c + 1) * d));
      }
    for (let c = 0; c < classes; c++) for (let j = 0; j < d; j++) w[c * d + j]! -= sums[c]! * s.mean[j]!;
  } else w = transposedProduct(parts, classes, s.tridiagonal.vectors, d, r);
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

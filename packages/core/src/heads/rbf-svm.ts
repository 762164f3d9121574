import { build, ints } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { resolveSettings } from "../options.ts";
import { float32, type Matrix, matrix, takeRows } from "../tensor.ts";
import { fitTemperature, outOfFoldScores } from "./calibrate.ts";
import { requireDense, requireFittable, requirePredictable, rowWeights } from "./check.ts";
import { contextOf, stratifiedSample } from "./folds.ts";
import type { Classifier, FitContext, Head } from "./head.ts";
import { appendNormalised, normalised } from "./normalise.ts";
import { appendSquaredDistances, columnMeans, shifted, squaredDistances, variance } from "./products.ts";
import { type Support, smo } from "./smo.ts";

const STRENGTHS: readonly number[] = [0.1, 1, 10, 100];
/** Widths tried, as factors of 1 / (D · variance). */
const WIDTHS: readonly number[] = [0.1, 0.3, 1, 3];
/** Rows on which strength and gamma are chosen. */
const CHOSEN_ON = 600;

const options = {
  strength: {
    type: "number",
    default: null,
    min: 1e-6,
    max: 1e9,
    about: "C, the most that a row may pull (default: by inner cross-validation)",
  },
  gamma: {
    type: "number",
    default: null,
    min: 1e-12,
    max: 1e9,
    about:
      "1 / width² of the kernel exp(−γ‖x − z‖²) (default: by inner cross-validation around 1 / (D · variance))",
  },
  normalise: { type: "boolean", default: true, about: "divide each row of features by its length first" },
  tolerance: {
    type: "number",
    default: 1e-4,
    min: 1e-10,
    max: 0.1,
    about: "violation of the optimality conditions that ends the fit",
  },
} as const;

/**
 * Support vector machine with the kernel exp(−γ‖x − z‖²), one against one: each pair of classes has the dual
 * problem of scikit-learn's `SVC(kernel="rbf", C, gamma)`, row weights multiplying C. A pair's margin f makes
 * p = 1 / (1 + exp(−f / T)), T fitted on held-out margins, and the pairs are coupled as 1 / (Σ_j 1 / p_cj −
 * (C − 2)) (Price, Knerr, Personnaz and Dreyfus 1995, NIPS 7). Margins are
 * `SVC`'s; of several classes the most probable may not be the one of most votes where a pair is nearly even.
 */
export const rbfSvm: Head = {
  about: "support vector machine with a Gaussian kernel, strength and width by inner cross-validation",
  options,
  denseOnly: true,
  cost: (rows, columns, classes) =>
    2 * rows * rows * columns +
    60 * Math.min(rows, CHOSEN_ON) ** 2 * (columns / 8 + 10 * classes) +
    20 * rows ** 2,
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    requireDense("rbf-svm", features);
    const settings = resolveSettings("rbf-svm", options, given);
    const scaled = (settings.normalise ? normalised(features) : features) as Matrix;
    const centre = columnMeans(scaled);
    const rows = shifted(scaled, centre);
    const weights = rowWeights(labels, context);
    const { tolerance } = settings;
    const problem: Problem = { rows, labels, weights, classes: context.classes, tolerance };
    const { strength, gamma } = await choose(problem, settings.strength, settings.gamma, context);
    const heldOut = await heldOutMargins(problem, context, [{ strength, gamma }]);
    const temperature = pairTemperature(problem, heldOut[0]!);
    const distances = squaredDistances(rows, rows);
    const machines = solve(problem, distances, { strength, gamma });
    return classifier({ problem, machines, gamma, strength, temperature, centre }, settings.normalise);
  },
};

interface Problem {
  readonly rows: Matrix;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly classes: number;
  readonly tolerance: number;
}

interface Kernel {
  readonly strength: number;
  readonly gamma: number;
}

/** Machines of the pairs (0, 1), (0, 2) … (C − 2, C − 1): positive margins speak for the first class. */
type Machines = readonly { readonly rows: Int32Array; readonly support: Support }[];

/** The pairs of classes in order. */
function pairs(classes: number): [number, number][] {
  const made: [number, number][] = [];
  for (let a = 0; a < classes; a++) for (let b = a + 1; b < classes; b++) made.push([a, b]);
  return made;
}

function solve(problem: Problem, distances: Float64Array, { strength, gamma }: Kernel): Machines {
  const { labels, weights, classes, tolerance } = problem;
  const n = labels.length;
  return pairs(classes).map(([a, b]) => {
    const rows = Int32Array.from([...labels.keys()].filter((i) => labels[i] === a || labels[i] === b));
    const m = rows.length;
    const kernel = new Float64Array(m * m);
    for (let i = 0, at = 0; i < m; i++)
      for (let j = 0; j < m; j++, at++) kernel[at] = Math.exp(-gamma * distances[rows[i]! * n + rows[j]!]!);
    const signs = Int8Array.from(rows, (i) => (labels[i] === a ? 1 : -1));
    const bounds = Float64Array.from(rows, (i) => strength * weights[i]!);
    return { rows, support: smo(kernel, signs, bounds, tolerance) };
  });
}

/** Margins [M, pairs] from kernel values [M, N]. */
function marginsOf(machines: Machines, kernel: Float64Array, n: number): Float64Array {
  const m = kernel.length / n;
  const p = machines.length;
  const margins = new Float64Array(m * p);
  for (const [k, { rows, support }] of machines.entries())
    for (let q = 0; q < m; q++) {
      let sum = support.intercept;
      for (let i = 0; i < rows.length; i++) {
        const a = support.coefficients[i]!;
        if (a !== 0) sum += a * kernel[q * n + rows[i]!]!;
      }
      margins[q * p + k] = sum;
    }
  return margins;
}

/** Margins of every row by the other folds, [N, pairs] for each kernel; NaN in rows that could not be held out. */
async function heldOutMargins(
  { rows, labels, weights, classes, tolerance }: Problem,
  context: FitContext,
  kernels: readonly Kernel[],
): Promise<Float64Array[]> {
  const p = pairs(classes).length;
  const all = kernels.map(() => new Float64Array(labels.length * p).fill(Number.NaN));
  await outOfFoldScores(
    rows,
    labels,
    { ...context, weights: Float32Array.from(weights) },
    (train, heldOut, at) => {
      const own = train.features as Matrix;
      const part: Problem = {
        rows: own,
        labels: train.labels,
        weights: Float64Array.from(train.context.weights!),
        classes,
        tolerance,
      };
      const within = squaredDistances(own, own);
      const across = squaredDistances(heldOut, own);
      for (const [k, kernel] of kernels.entries()) {
        const machines = solve(part, within, kernel);
        const values = across.map((distance) => Math.exp(-kernel.gamma * distance));
        const margins = marginsOf(machines, values, own.rows);
        for (const [q, i] of at.entries()) all[k]!.set(margins.subarray(q * p, (q + 1) * p), i * p);
      }
      return { rows: heldOut.rows, columns: classes, data: new Float64Array(heldOut.rows * classes) };
    },
  );
  return all;
}

/** T from the held-out margins of each row's own pairs. */
function pairTemperature({ labels, weights, classes }: Problem, margins: Float64Array): number {
  const order = pairs(classes);
  const scores: number[] = [];
  const own: number[] = [];
  const shares: number[] = [];
  for (let i = 0; i < labels.length; i++)
    for (const [k, [a, b]] of order.entries()) {
      const margin = margins[i * order.length + k]!;
      if ((labels[i] !== a && labels[i] !== b) || Number.isNaN(margin)) continue;
      scores.push(margin, 0);
      own.push(labels[i] === a ? 0 : 1);
      shares.push(weights[i]! / (classes - 1));
    }
  const data = Float64Array.from(scores);
  return fitTemperature({ rows: own.length, columns: 2, data }, own, { weights: shares, unit: "free" });
}

async function choose(
  problem: Problem,
  strength: number | null,
  gamma: number | null,
  context: FitContext,
): Promise<Kernel> {
  if (strength !== null && gamma !== null) return { strength, gamma };
  const { labels, classes } = problem;
  const part = sample(problem, context);
  const scale = 1 / (part.problem.rows.columns * variance(part.problem.rows));
  const kernels: Kernel[] = [];
  for (const g of gamma === null ? WIDTHS.map((width) => width * scale) : [gamma])
    for (const s of strength === null ? STRENGTHS : [strength]) kernels.push({ strength: s, gamma: g });
  const margins = await heldOutMargins(part.problem, part.context, kernels);
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [k, own] of margins.entries()) {
    const temperature = pairTemperature(part.problem, own);
    const p = couple(own, classes, temperature);
    let loss = 0;
    for (let i = 0; i < part.problem.labels.length; i++) {
      const q = p[i * classes + part.problem.labels[i]!]!;
      if (!Number.isNaN(q)) loss -= part.problem.weights[i]! * Math.log(Math.max(q, 1e-12));
    }
    if (loss < least - 1e-9 * labels.length) [best, least] = [k, loss];
  }
  return kernels[best]!;
}

/** The rows that strength and gamma are chosen on. */
function sample(problem: Problem, context: FitContext) {
  const { labels, classes } = problem;
  const rows = stratifiedSample(labels, classes, CHOSEN_ON, context.random.fork("chosen on"));
  const own: Problem = {
    ...problem,
    rows: takeRows(problem.rows, rows),
    labels: Int32Array.from(rows, (i) => labels[i]!),
    weights: Float64Array.from(rows, (i) => problem.weights[i]!),
  };
  return { problem: own, context: contextOf(context, rows) };
}

/** Class probabilities [M, C] from margins [M, pairs]. */
function couple(margins: Float64Array, classes: number, temperature: number): Float64Array {
  const order = pairs(classes);
  const rows = margins.length / order.length;
  const p = new Float64Array(rows * classes).fill(2 - classes);
  for (let q = 0; q < rows; q++) {
    for (const [k, [a, b]] of order.entries()) {
      const odds = Math.exp(bounded(margins[q * order.length + k]! / temperature));
      p[q * classes + a]! += 1 + 1 / odds;
      p[q * classes + b]! += 1 + odds;
    }
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += 1 / p[q * classes + c]!;
    for (let c = 0; c < classes; c++) p[q * classes + c] = 1 / p[q * classes + c]! / sum;
  }
  return p;
}

/** Beyond ±30 a pair is certain in float32. */
const CERTAIN = 30;
const bounded = (logit: number) => Math.max(-CERTAIN, Math.min(CERTAIN, logit));

interface Fitted {
  readonly problem: Problem;
  readonly machines: Machines;
  readonly gamma: number;
  readonly strength: number;
  readonly temperature: number;
  readonly centre: Float32Array;
}

function classifier(fitted: Fitted, normalise: boolean): Classifier {
  const { machines, gamma, strength, temperature, centre } = fitted;
  const { rows: all, classes } = fitted.problem;
  const used = new Set<number>();
  for (const { rows, support } of machines)
    for (const [i, row] of rows.entries()) if (support.coefficients[i] !== 0) used.add(row);
  const kept = Int32Array.from(used).sort();
  const place = new Map(Array.from(kept, (row, k) => [row, k]));
  const rows = takeRows(all, kept);
  const p = machines.length;
  const weights = new Float64Array(kept.length * p);
  for (const [k, { rows: own, support }] of machines.entries())
    for (const [i, row] of own.entries())
      if (support.coefficients[i] !== 0) weights[place.get(row)! * p + k] = support.coefficients[i]!;
  const intercepts = Float64Array.from(machines, ({ support }) => support.intercept);
  return {
    classes,
    chosen: { strength, gamma, temperature, support: kept.length },
    predict(features) {
      requirePredictable("rbf-svm", features, rows.columns);
      requireDense("rbf-svm", features);
      const moved = shifted((normalise ? normalised(features) : features) as Matrix, centre);
      const distances = squaredDistances(moved, rows);
      const margins = new Float64Array(features.rows * p);
      for (let q = 0, at = 0; q < features.rows; q++) {
        margins.set(intercepts, q * p);
        for (let i = 0; i < kept.length; i++, at++) {
          const value = Math.exp(-gamma * distances[at]!);
          for (let k = 0; k < p; k++) margins[q * p + k]! += value * weights[i * p + k]!;
        }
      }
      const data = couple(margins, classes, temperature);
      return matrix(features.rows, classes, Float32Array.from(data));
    },
    append(graph: Graph, features: Value): Value {
      const input = normalise ? appendNormalised(graph, features) : features;
      const b = build(graph);
      const moved = b.apply("Sub", [input, b.constant(float32([rows.columns], centre), "centre")]);
      const distances = appendSquaredDistances(b, moved, rows);
      const kernel = b.apply("Exp", [b.apply("Mul", [distances, -gamma])]);
      const scale = (value: number) => value / temperature;
      const table = float32([kept.length, p], Float32Array.from(weights, scale));
      const sum = b.apply("MatMul", [kernel, b.constant(table, "coefficients")]);
      const offsets = b.constant(float32([p], Float32Array.from(intercepts, scale)), "intercepts");
      const margins = b.apply("Add", [sum, offsets], {}, { name: "margins" });
      const certain = b.apply("Clip", [margins, -CERTAIN, CERTAIN]);
      const odds = b.apply("Exp", [certain]);
      const against = b.apply("Exp", [b.apply("Neg", [certain])]);
      // Σ of a pair's 1/p goes to its two classes: tables of ones [pairs, C].
      const first = new Float32Array(p * classes);
      const second = new Float32Array(p * classes);
      for (const [k, [one, other]] of pairs(classes).entries()) {
        first[k * classes + one] = 1;
        second[k * classes + other] = 1;
      }
      const toFirst = b.apply("MatMul", [against, b.constant(float32([p, classes], first), "first")]);
      const toSecond = b.apply("MatMul", [odds, b.constant(float32([p, classes], second), "second")]);
      // C − 1 pairs add 1 each, less C − 2.
      const sums = b.apply("Add", [b.apply("Add", [toFirst, toSecond]), 1]);
      const coupled = b.apply("Reciprocal", [sums]);
      const total = b.apply("ReduceSum", [coupled, ints([1])], { keepdims: 1 });
      return b.apply("Div", [coupled, total], {}, { name: "probabilities" });
    },
  };
}

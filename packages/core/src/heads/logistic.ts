import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { lbfgs } from "../linalg/lbfgs.ts";
import { resolveSettings } from "../options.ts";
import { type Features, float32, isSparse, type Matrix, matrix, takeFeatures } from "../tensor.ts";
import { requireFittable, requirePredictable, rowWeights } from "./check.ts";
import type { Classifier, FitContext, Head } from "./head.ts";

/** Strengths tried where none is given; each starts from the solution of the one before. */
const STRENGTHS: readonly number[] = [0.01, 0.1, 1, 10, 100, 1000, 10_000];
const FOLDS = 5;
/** Rows beyond which the strength is chosen on a stratified part of them. */
const CHOSEN_ON = 6000;

const options = {
  strength: {
    type: "number",
    default: null,
    min: 1e-12,
    max: 1e12,
    about: "C, the weight of the data against ½‖W‖² (default: by inner cross-validation)",
  },
  normalise: { type: "boolean", default: true, about: "divide each row of features by its length first" },
  tolerance: {
    type: "number",
    default: 1e-5,
    min: 1e-14,
    max: 1,
    about: "largest element of the gradient that ends the fit, relative to the start",
  },
} as const;

/**
 * Multinomial logistic regression with an L2 penalty: minimises C · Σ w_i · −log p(y_i | x_i) + ½‖W‖², the intercept
 * free, which is scikit-learn's `LogisticRegression(C)`. Left open, C is chosen by stratified cross-validation on log loss.
 */
export const logistic: Head = {
  about: "multinomial logistic regression with an L2 penalty, its strength by cross-validation",
  options,
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    const settings = resolveSettings("logistic", options, given);
    const rows = settings.normalise ? normalised(features) : features;
    const weights = rowWeights(labels, context);
    const problem: Problem = { rows, labels, weights, classes: context.classes };
    const strength = settings.strength ?? chooseStrength(problem, context);
    const solution = solve(problem, strength, settings.tolerance, null);
    return classifier(solution, features.columns, context.classes, settings.normalise, strength);
  },
};

interface Problem {
  readonly rows: Features;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly classes: number;
}

/** Coefficients [D, C] row by row, then the intercepts [C]. */
function solve(
  { rows, labels, weights, classes }: Problem,
  strength: number,
  tolerance: number,
  start: Float64Array | null,
): Float64Array {
  const d = rows.columns;
  const size = (d + 1) * classes;
  const scores = new Float64Array(classes);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scale = 1 / (strength * total); // the objective is divided by C·Σw, which keeps steps near 1 for any C
  const objective = (w: Float64Array, gradient: Float64Array): number => {
    let value = 0;
    gradient.fill(0);
    for (let i = 0; i < rows.rows; i++) {
      scoresOfRow(rows, i, w, d, classes, scores);
      const weight = weights[i]! / total;
      value -= weight * logSoftmax(scores, labels[i]!);
      for (let c = 0; c < classes; c++) scores[c] = weight * (scores[c]! - (c === labels[i] ? 1 : 0));
      addOuter(rows, i, scores, d, classes, gradient);
    }
    let square = 0;
    for (let j = 0; j < d * classes; j++) {
      square += w[j]! * w[j]!;
      gradient[j]! += scale * w[j]!;
    }
    return value + 0.5 * scale * square;
  };
  const from = start ?? new Float64Array(size);
  return lbfgs(objective, from, { tolerance, iterations: 2000 }).point;
}

/** scores [C] of row i: xᵀW + b. */
function scoresOfRow(
  rows: Features,
  i: number,
  w: Float64Array,
  d: number,
  classes: number,
  scores: Float64Array,
): void {
  for (let c = 0; c < classes; c++) scores[c] = w[d * classes + c]!;
  if (isSparse(rows)) {
    for (let k = rows.offsets[i]!; k < rows.offsets[i + 1]!; k++) {
      const x = rows.values[k]!;
      const at = rows.indices[k]! * classes;
      for (let c = 0; c < classes; c++) scores[c]! += x * w[at + c]!;
    }
    return;
  }
  for (let j = 0, at = 0, from = i * d; j < d; j++) {
    const x = rows.data[from + j]!;
    for (let c = 0; c < classes; c++) scores[c]! += x * w[at++]!;
  }
}

function addOuter(
  rows: Features,
  i: number,
  residual: Float64Array,
  d: number,
  classes: number,
  gradient: Float64Array,
): void {
  for (let c = 0; c < classes; c++) gradient[d * classes + c]! += residual[c]!;
  if (isSparse(rows)) {
    for (let k = rows.offsets[i]!; k < rows.offsets[i + 1]!; k++) {
      const x = rows.values[k]!;
      const at = rows.indices[k]! * classes;
      for (let c = 0; c < classes; c++) gradient[at + c]! += x * residual[c]!;
    }
    return;
  }
  for (let j = 0, at = 0, from = i * d; j < d; j++) {
    const x = rows.data[from + j]!;
    for (let c = 0; c < classes; c++) gradient[at++]! += x * residual[c]!;
  }
}

/** Turns scores into probabilities in place and returns the log of that of `label`. */
function logSoftmax(scores: Float64Array, label: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const score of scores) most = Math.max(most, score);
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - most);
  const log = scores[label]! - most - Math.log(sum);
  for (let c = 0; c < scores.length; c++) scores[c] = Math.exp(scores[c]! - most) / sum;
  return log;
}

/** C by stratified cross-validation on log loss; 1 where a class has a single row and nothing can be held out. */
function chooseStrength({ rows, labels, weights, classes }: Problem, { random }: FitContext): number {
  const order = random.fork("folds").permutation(labels.length);
  const seen = new Int32Array(classes);
  const rank = new Int32Array(labels.length);
  for (const i of order) rank[i] = seen[labels[i]!]!++;
  const smallest = Math.min(...seen);
  if (smallest < 2) return 1;
  const folds = Math.min(FOLDS, smallest);
  const share = Math.ceil(labels.length / CHOSEN_ON);
  const used = Int32Array.from(
    [...labels.keys()].filter((i) => rank[i]! % share === 0 || seen[labels[i]!]! < 50),
  );
  const losses = new Float64Array(STRENGTHS.length);
  for (let fold = 0; fold < folds; fold++) {
    const heldOut = (i: number) => Math.floor(rank[i]! / share) % folds === fold;
    const part = (keep: (i: number) => boolean): Problem => {
      const members = used.filter(keep);
      return {
        rows: takeFeatures(rows, members),
        labels: Int32Array.from(members, (i) => labels[i]!),
        weights: Float64Array.from(members, (i) => weights[i]!),
        classes,
      };
    };
    const train = part((i) => !heldOut(i));
    const test = part(heldOut);
    const scores = new Float64Array(classes);
    let solution: Float64Array | null = null;
    for (const [k, strength] of STRENGTHS.entries()) {
      solution = solve(train, strength, 1e-3, solution);
      for (let i = 0; i < test.labels.length; i++) {
        scoresOfRow(test.rows, i, solution, rows.columns, classes, scores);
        losses[k]! -= test.weights[i]! * logSoftmax(scores, test.labels[i]!);
      }
    }
  }
  return STRENGTHS[losses.indexOf(Math.min(...losses))]!;
}

function classifier(
  solution: Float64Array,
  d: number,
  classes: number,
  normalise: boolean,
  strength: number,
): Classifier {
  const coefficients = Float32Array.from(solution.subarray(0, d * classes));
  const intercepts = Float32Array.from(solution.subarray(d * classes));
  return {
    classes,
    chosen: { strength },
    predict(features): Matrix {
      requirePredictable("logistic", features, d);
      const rows = normalise ? normalised(features) : features;
      const probabilities = matrix(features.rows, classes);
      const scores = new Float64Array(classes);
      for (let i = 0; i < features.rows; i++) {
        scoresOfRow(rows, i, solution, d, classes, scores);
        logSoftmax(scores, 0);
        probabilities.data.set(scores, i * classes);
      }
      return probabilities;
    },
    append(graph: Graph, features: Value): Value {
      const b = build(graph);
      const input = normalise ? appendNormalised(graph, features) : features;
      const product = b.apply("MatMul", [
        input,
        b.constant(float32([d, classes], coefficients), "coefficients"),
      ]);
      const scores = b.apply(
        "Add",
        [product, b.constant(float32([classes], intercepts), "intercepts")],
        {},
        { name: "scores" },
      );
      return b.apply("Softmax", [scores], { axis: 1 });
    },
  };
}

/** Least length that a row is divided by, so that a row of zeros stays one. */
const LEAST_LENGTH = 1e-12;

/** Rows divided by their Euclidean length. */
export function normalised(features: Features): Features {
  if (isSparse(features)) {
    const values = Float32Array.from(features.values);
    for (let i = 0; i < features.rows; i++) divide(values, features.offsets[i]!, features.offsets[i + 1]!);
    return { ...features, values };
  }
  const data = Float32Array.from(features.data);
  for (let i = 0; i < features.rows; i++) divide(data, i * features.columns, (i + 1) * features.columns);
  return { ...features, data };
}

function divide(values: Float32Array, from: number, to: number): void {
  let square = 0;
  for (let j = from; j < to; j++) square += values[j]! * values[j]!;
  const length = Math.max(LEAST_LENGTH, Math.sqrt(square));
  for (let j = from; j < to; j++) values[j]! /= length;
}

/** The same in a graph. */
export function appendNormalised(graph: Graph, features: Value): Value {
  const b = build(graph);
  const length = b.apply("ReduceL2", [features], { axes: [1], keepdims: 1 });
  return b.apply("Div", [features, b.apply("Max", [length, LEAST_LENGTH])], {}, { name: "normalised" });
}

import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { resolveSettings } from "../options.ts";
import { type Features, float32, isSparse, type Matrix, matrix } from "../tensor.ts";
import { requireFittable, requireLabelled, requirePredictable, rowWeights } from "./check.ts";
import type { Classifier, Head } from "./head.ts";
import { solveBlocks } from "./linear-blocks.ts";
import { linearOptions } from "./linear-options.ts";
import { linearRows } from "./linear-rows.ts";
import { type Solution, solveLinear, unsolved } from "./linear-solver.ts";
import { appendNormalised, normalised } from "./normalise.ts";
import { logSoftmax, softmaxLoss } from "./softmax-loss.ts";
import { type ChosenStrength, chooseStrength } from "./strength.ts";

/** Strengths tried where none is given: half decades. */
const STRENGTHS: readonly number[] = Array.from({ length: 13 }, (_, k) => 0.01 * 10 ** (k / 2));
/** The place of 1 among them. */
const FROM = 4;

/**
 * Multinomial logistic regression with an L2 penalty: minimises C · Σ w_i · −log p(y_i | x_i) + ½‖W‖², the
 * intercept free, which is scikit-learn's `LogisticRegression(C)`, in two classes too, where W is the one
 * column of their difference. Left open, C is chosen by stratified cross-validation on log loss. On few rows
 * cross-validation cannot tell strengths apart: there the coefficients are an average over strengths, by
 * weights proportional to exp(−total held-out loss), the pseudo-BMA weights of Yao et al. 2018
 * (doi:10.1214/17-BA1091).
 */
export const logistic: Head = {
  about: "multinomial logistic regression with an L2 penalty, its strength by cross-validation",
  options: linearOptions,
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    const settings = resolveSettings("logistic", linearOptions, given);
    const { classes } = context;
    const learnt = settings.normalise ? normalised(features) : features;
    const weights = rowWeights(labels, context);
    const rows = await linearRows(learnt, context.runtime);
    try {
      const own = { features: learnt, rows, labels, weights, context, loss: softmaxLoss };
      const choice = { ...own, strengths: STRENGTHS, from: FROM };
      const measure = (...held: Held) => logLoss(classes, ...held);
      const found =
        settings.strength === null ? await chooseStrength({ ...choice, measure, isWeighed: true }) : null;
      const likely = found?.likely ?? [{ strength: settings.strength ?? 1, weight: 1 }];
      const moment = await rows.moment(weights);
      const problem = { rows, labels, weights: [weights], classes, loss: softmaxLoss };
      const solving = { tolerance: settings.tolerance, moment, weight: weights, runtime: context.runtime };
      let average: Float64Array | null = null;
      let start: Float64Array | null = null;
      let distance = 0;
      for (const { strength, weight } of likely) {
        const solved: Solution = await solveLinear(problem, { ...solving, strength, start });
        start = solved.theta;
        distance = Math.max(distance, solved.distance);
        average ??= new Float64Array(start.length);
        for (let i = 0; i < average.length; i++) average[i]! += weight * start[i]!;
      }
      const lifted = rows.lift(average!, softmaxLoss.columns(classes));
      return classifier(byFeature(lifted, features.columns, classes), {
        d: features.columns,
        classes,
        normalise: settings.normalise,
        chosen: { ...recorded(found, settings.strength), ...unsolved(distance) },
      });
    } finally {
      await rows.close();
    }
  },
  async fitBlocks(source, labels, given, context) {
    requireLabelled(source, labels, context);
    const settings = resolveSettings("logistic", linearOptions, given);
    const { classes } = context;
    const measure = (...held: Held) => logLoss(classes, ...held);
    const problem = { ...settings, loss: softmaxLoss, strengths: STRENGTHS, from: FROM, measure };
    const { theta, strength, distance } = await solveBlocks(source, labels, problem, context);
    return classifier(byFeature(theta, source.columns, classes), {
      d: source.columns,
      classes,
      normalise: settings.normalise,
      chosen: { strength, ...unsolved(distance) },
    });
  },
};

type Held = [scores: Float64Array, labels: Int32Array, weights: Float64Array];

/** The strength for the record, and beside it the others that have weight. */
function recorded(found: ChosenStrength | null, given: number | null) {
  const strength = given ?? found?.strength ?? 1;
  if (found === null || found.likely.length < 2) return { strength };
  const one = ({ strength, weight }: ChosenStrength["likely"][number]) =>
    `${Number(strength.toPrecision(3))}: ${weight.toFixed(4)}`;
  return { strength, weights: found.likely.map(one).join(", ") };
}

/** Weighted log loss of scores [N, K]; rows without a number are left out. */
function logLoss(classes: number, scores: Float64Array, labels: Int32Array, weights: Float64Array): number {
  const K = softmaxLoss.columns(classes);
  const row = new Float64Array(K);
  let loss = 0;
  for (let i = 0; i < labels.length; i++) {
    if (Number.isNaN(scores[i * K]!)) continue;
    for (let k = 0; k < K; k++) row[k] = scores[i * K + k]!;
    loss += softmaxLoss.derive(row, 0, K, labels[i]!, weights[i]!);
  }
  return loss;
}

/** Coefficients [D, C] row by row, then the intercepts [C]; of two classes the first has zeros. */
function byFeature(theta: Float64Array, d: number, classes: number): Float64Array {
  const K = softmaxLoss.columns(classes);
  const first = classes - K;
  const solution = new Float64Array((d + 1) * classes);
  for (let k = 0; k < K; k++)
    for (let j = 0; j <= d; j++) solution[j * classes + first + k] = theta[k * (d + 1) + j]!;
  return solution;
}

function classifier(
  solution: Float64Array,
  {
    d,
    classes,
    normalise,
    chosen,
  }: {
    readonly d: number;
    readonly classes: number;
    readonly normalise: boolean;
    readonly chosen: Classifier["chosen"];
  },
): Classifier {
  const coefficients = Float32Array.from(solution.subarray(0, d * classes));
  const intercepts = Float32Array.from(solution.subarray(d * classes));
  return {
    classes,
    chosen,
    predict(features): Matrix {
      requirePredictable("logistic", features, d);
      const rows = normalise ? normalised(features) : features;
      const probabilities = matrix(features.rows, classes);
      const scores = new Float64Array(classes);
      for (let i = 0; i < features.rows; i++) {
        scoresOfRow(rows, i, solution, d, classes, scores);
        logSoftmax(scores, 0, classes, 0);
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

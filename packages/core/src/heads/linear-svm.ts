import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { resolveSettings } from "../options.ts";
import { type Features, float32, isSparse, type Matrix, matrix } from "../tensor.ts";
import { fitTemperature, softmaxRows } from "./calibrate.ts";
import { requireFittable, requirePredictable, rowWeights } from "./check.ts";
import type { Classifier, Head } from "./head.ts";
import { linearOptions } from "./linear-options.ts";
import { linearRows } from "./linear-rows.ts";
import { solveLinear, unsolved } from "./linear-solver.ts";
import { appendNormalised, normalised } from "./normalise.ts";
import { squaredHinge } from "./squared-hinge.ts";
import { chooseStrength } from "./strength.ts";

/** Strengths tried where none is given: half decades. */
const STRENGTHS: readonly number[] = Array.from({ length: 11 }, (_, k) => 0.001 * 10 ** (k / 2));
/** The place of 0.1 among them. */
const FROM = 4;

/**
 * Linear support vector machine, one class against the rest: for each class minimises C · Σ w_i · max(0, 1 −
 * t_i (wᵀx_i + b))² + ½‖w‖² + ½b², t = ±1, which is scikit-learn's `LinearSVC(C)` and liblinear's primal (Fan
 * et al. 2008, https://www.jmlr.org/papers/v9/fan08a.html): its intercept is penalised as the coefficient of
 * a feature that is always 1. Two classes share one column. Probabilities are softmax(scores / T), (−s, s)
 * for two classes, T from scores of rows held out; left open, C is what makes these most probable. A row's
 * weight counts in every column; liblinear, given class weights and more than two classes, weighs the rest as
 * 1 in the column of a class.
 */
export const linearSvm: Head = {
  about: "linear support vector machine with squared hinge loss, one class against the rest",
  options: linearOptions,
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    const settings = resolveSettings("linearSvm", linearOptions, given);
    const { classes } = context;
    const learnt = settings.normalise ? normalised(features) : features;
    const weights = rowWeights(labels, context);
    const rows = await linearRows(learnt, context.runtime);
    try {
      const chosen = await chooseStrength({
        features: learnt,
        rows,
        labels,
        weights,
        context,
        loss: squaredHinge,
        strengths: settings.strength === null ? STRENGTHS : [settings.strength],
        from: settings.strength === null ? FROM : 0,
        measure: (...held) => calibrated(classes, ...held).loss,
      });
      const strength = chosen?.strength ?? settings.strength ?? 1;
      const temperature =
        chosen === null
          ? NOTHING_HELD_OUT
          : calibrated(classes, chosen.scores, chosen.labels, chosen.weights).temperature;
      const moment = await rows.moment(weights);
      const problem = { rows, labels, weights: [weights], classes, loss: squaredHinge };
      const { theta, distance } = await solveLinear(problem, {
        strength,
        tolerance: settings.tolerance,
        moment,
        weight: weights,
        runtime: context.runtime,
      });
      const lifted = rows.lift(theta, squaredHinge.columns(classes));
      const model = { theta: bothSides(lifted, classes), d: features.columns, classes, temperature };
      return classifier(model, settings.normalise, { strength, temperature, ...unsolved(distance) });
    } finally {
      await rows.close();
    }
  },
};

/** Temperature of margins where no row can be held out: a row on the margin's edge then has odds of e² to 1. */
const NOTHING_HELD_OUT = 1;

/** The temperature of scores [N, K] held out, and the log loss of the rows under it. */
function calibrated(classes: number, scores: Float64Array, labels: Int32Array, weights: Float64Array) {
  const data = squaredHinge.columns(classes) === 1 ? mirrored(scores) : scores;
  const held = { rows: labels.length, columns: classes, data };
  const temperature = fitTemperature(held, labels, { weights, unit: "free" });
  const p = data.slice();
  softmaxRows(p, classes, temperature);
  let loss = 0;
  for (let i = 0; i < labels.length; i++) {
    const own = p[i * classes + labels[i]!]!;
    if (!Number.isNaN(own)) loss -= weights[i]! * Math.log(Math.max(own, Number.MIN_VALUE));
  }
  return { temperature, loss };
}

/** (−s, s) of each score. */
function mirrored(scores: Float64Array): Float64Array {
  const both = new Float64Array(2 * scores.length);
  for (let i = 0; i < scores.length; i++) {
    both[2 * i] = -scores[i]!;
    both[2 * i + 1] = scores[i]!;
  }
  return both;
}

/** Coefficients [C, D + 1], of two classes (−w, w). */
function bothSides(theta: Float64Array, classes: number): Float64Array {
  if (squaredHinge.columns(classes) > 1) return theta;
  const both = new Float64Array(2 * theta.length);
  both.set(theta.map((value) => -value));
  both.set(theta, theta.length);
  return both;
}

interface Margins {
  /** Coefficients and intercept of each class, [C, D + 1]. */
  readonly theta: Float64Array;
  readonly d: number;
  readonly classes: number;
  readonly temperature: number;
}

function classifier(model: Margins, normalise: boolean, chosen: Classifier["chosen"]): Classifier {
  const { theta, d, classes, temperature } = model;
  return {
    classes,
    chosen,
    predict(features): Matrix {
      requirePredictable("linearSvm", features, d);
      const scores = marginsOf(normalise ? normalised(features) : features, model);
      softmaxRows(scores, classes, temperature);
      return matrix(features.rows, classes, Float32Array.from(scores));
    },
    append(graph: Graph, features: Value): Value {
      const b = build(graph);
      const coefficients = new Float32Array(d * classes);
      const intercepts = new Float32Array(classes);
      for (let c = 0; c < classes; c++) {
        for (let j = 0; j < d; j++) coefficients[j * classes + c] = theta[c * (d + 1) + j]! / temperature;
        intercepts[c] = theta[c * (d + 1) + d]! / temperature;
      }
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

/** wᵀx + b of each class, [N, C]. */
function marginsOf(rows: Features, { theta, d, classes }: Margins): Float64Array {
  const scores = new Float64Array(rows.rows * classes);
  for (let i = 0; i < rows.rows; i++)
    for (let c = 0; c < classes; c++) {
      const from = c * (d + 1);
      let sum = theta[from + d]!;
      if (isSparse(rows))
        for (let k = rows.offsets[i]!; k < rows.offsets[i + 1]!; k++)
          sum += rows.values[k]! * theta[from + rows.indices[k]!]!;
      else for (let j = 0; j < d; j++) sum += rows.data[i * d + j]! * theta[from + j]!;
      scores[i * classes + c] = sum;
    }
  return scores;
}

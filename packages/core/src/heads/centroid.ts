import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { resolveSettings } from "../options.ts";
import { type Features, float32, type Matrix, matrix } from "../tensor.ts";
import { fitTemperature, outOfFoldScores, softmaxRows } from "./calibrate.ts";
import { requireFittable, requirePredictable, rowWeights } from "./check.ts";
import type { Classifier, FitContext, Head } from "./head.ts";
import { appendNormalised, normalised } from "./normalise.ts";
import { appendTransposed, forRow, innerProducts, squaredLengths } from "./products.ts";

const options = {
  metric: {
    type: "choice",
    default: "cosine",
    of: ["cosine", "euclidean"],
    about:
      "cosine: rows are divided by their length first, and so are the means; euclidean: features as they are",
  },
} as const;

/**
 * Nearest class mean: the score of a class is −½‖x − mean‖², of which softmax(score / T) makes probabilities
 * (prototypes as in Snell et al. 2017, https://arxiv.org/abs/1703.05175). With "euclidean" labels are those
 * of scikit-learn's
 * `NearestCentroid`. T is fitted on held-out scores, where
 * class weights count; row weights count in the means too. A list of class weights also shifts the scores by
 * its logarithm, as a prior would; "balanced" needs no shift, since no class counts by its rows.
 */
export const centroid: Head = {
  about: "nearest class mean, by angle or distance",
  options,
  cost: (rows, columns) => 6 * rows * columns,
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    const { metric } = resolveSettings("centroid", options, given);
    const cosine = metric === "cosine";
    const rows = cosine ? normalised(features) : features;
    const heldOut = await outOfFoldScores(rows, labels, context, (train, test) =>
      scores(means(train.features, train.labels, train.context, cosine), test),
    );
    const weights = rowWeights(labels, context);
    const temperature = fitTemperature(heldOut, labels, { weights, unit: "free" });
    const { classWeights } = context;
    const shift = Float64Array.from({ length: context.classes }, (_, c) =>
      Array.isArray(classWeights) ? Math.log(classWeights[c]!) : 0,
    );
    return classifier(means(rows, labels, context, cosine), cosine, temperature, shift);
  },
};

/** Weighted mean of each class's rows, [C, D]. */
function means(rows: Features, labels: Int32Array, context: FitContext, cosine: boolean): Matrix {
  const d = rows.columns;
  const sums = new Float64Array(context.classes * d);
  const totals = new Float64Array(context.classes);
  for (let i = 0; i < rows.rows; i++) {
    const weight = context.weights?.[i] ?? 1;
    const from = labels[i]! * d;
    totals[labels[i]!]! += weight;
    forRow(rows, i, (j, value) => {
      sums[from + j]! += weight * value;
    });
  }
  const made = matrix(context.classes, d);
  for (let c = 0; c < context.classes; c++)
    for (let j = c * d; j < (c + 1) * d; j++) made.data[j] = sums[j]! / totals[c]!;
  return cosine ? (normalised(made) as Matrix) : made;
}

/** xᵀmean − ½‖mean‖² of every row and class, [N, C]: −½‖x − mean‖² but for a part that all classes share. */
function scores(centres: Matrix, rows: Features) {
  const data = innerProducts(rows, centres);
  const halves = squaredLengths(centres);
  for (let at = 0; at < data.length; at++) data[at]! -= halves[at % centres.rows]! / 2;
  return { rows: rows.rows, columns: centres.rows, data };
}

function classifier(centres: Matrix, cosine: boolean, temperature: number, shift: Float64Array): Classifier {
  return {
    classes: centres.rows,
    chosen: { metric: cosine ? "cosine" : "euclidean", temperature },
    predict(features) {
      requirePredictable("centroid", features, centres.columns);
      const { data } = scores(centres, cosine ? normalised(features) : features);
      for (let at = 0; at < data.length; at++) data[at] = data[at]! / temperature + shift[at % centres.rows]!;
      softmaxRows(data, centres.rows, 1);
      return matrix(features.rows, centres.rows, Float32Array.from(data));
    },
    append(graph: Graph, features: Value): Value {
      const input = cosine ? appendNormalised(graph, features) : features;
      const b = build(graph);
      const scaled: Matrix = { ...centres, data: centres.data.map((value) => value / temperature) };
      const products = b.apply("MatMul", [input, appendTransposed(b, scaled, "centroids")]);
      const halves = Float32Array.from(
        squaredLengths(centres),
        (square, c) => square / 2 / temperature - shift[c]!,
      );
      const offsets = b.constant(float32([centres.rows], halves), "offsets");
      return b.apply("Softmax", [b.apply("Sub", [products, offsets], {}, { name: "scores" })], { axis: 1 });
    },
  };
}

import { build, ints } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { resolveSettings } from "../options.ts";
import { float32, int64, type Matrix, matrix, takeRows } from "../tensor.ts";
import { fitTemperature, softmaxRows } from "./calibrate.ts";
import { requireDense, requireFittable, requirePredictable, rowWeights } from "./check.ts";
import type { Classifier, FitContext, Head } from "./head.ts";
import { appendNormalised, normalised } from "./normalise.ts";
import { appendSquaredDistances, columnMeans, shifted, squaredDistances } from "./products.ts";

/** Numbers of neighbours tried where none is given. */
const NEIGHBOURS: readonly number[] = [1, 3, 5, 7, 9, 13, 19, 29, 45];
/** Rows left out one at a time to choose k and the temperature. */
const CHOSEN_ON = 1000;
const BLOCK = 256;

const options = {
  k: {
    type: "number",
    default: null,
    min: 1,
    max: 1e6,
    about: "number of neighbours, whole (default: by leaving one row out at a time)",
  },
  metric: {
    type: "choice",
    default: "cosine",
    of: ["cosine", "euclidean"],
    about: "cosine: rows are divided by their length first; euclidean: features as they are",
  },
} as const;

/**
 * k nearest neighbours, exact. Each neighbour votes with its row and class weight; the score of a class is
 * log(votes + 1/C), and softmax(score / T) its probability, so that labels are those of scikit-learn's
 * `KNeighborsClassifier`: of equal votes the first class, of equal distances the first row. k is chosen by the log loss of
 * rows left out one at a time (with their group), T on the same rows.
 */
export const knn: Head = {
  about: "k nearest neighbours, k by leaving rows out",
  options,
  denseOnly: true,
  cost: (rows, columns) => Math.min(rows, CHOSEN_ON) * rows * columns,
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    requireDense("knn", features);
    const settings = resolveSettings("knn", options, given);
    const cosine = settings.metric === "cosine";
    const scaled = (cosine ? normalised(features) : features) as Matrix;
    const centre = columnMeans(scaled);
    const rows = shifted(scaled, centre);
    const weights = rowWeights(labels, context);
    const pool: Pool = { rows, labels, weights, classes: context.classes };
    const { k, temperature } = choose(pool, settings.k, context);
    return classifier(pool, centre, cosine, k, temperature);
  },
};

interface Pool {
  readonly rows: Matrix;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly classes: number;
}

/** k and the temperature of least log loss on rows whose own group takes no part. */
function choose(pool: Pool, given: number | null, { groups, random }: FitContext) {
  const { rows, labels, weights, classes } = pool;
  const n = rows.rows;
  const asked = random.fork("left out").permutation(n).slice(0, CHOSEN_ON).sort();
  const candidates =
    given === null
      ? NEIGHBOURS.filter((k) => k < n || k === 1)
      : [Math.min(n, Math.max(1, Math.round(given)))];
  const scores = candidates.map(() => new Float64Array(asked.length * classes));
  const distances = squaredDistances(takeRows(rows, asked), rows);
  const most = Math.min(candidates.at(-1)!, n - 1);
  for (const [q, i] of asked.entries()) {
    const row = distances.subarray(q * n, (q + 1) * n);
    for (let j = 0; j < n; j++)
      if (j === i || (groups !== undefined && groups[j] === groups[i])) row[j] = Number.POSITIVE_INFINITY;
    const near = nearest(row, most);
    for (const [c, k] of candidates.entries()) score(pool, near.subarray(0, k), scores[c]!, q * classes);
  }
  const asksLabels = Int32Array.from(asked, (i) => labels[i]!);
  const asksWeights = Float64Array.from(asked, (i) => weights[i]!);
  let best = { k: candidates[0]!, temperature: 1, loss: Number.POSITIVE_INFINITY };
  for (const [c, k] of candidates.entries()) {
    const data = scores[c]!;
    const temperature = fitTemperature({ rows: asked.length, columns: classes, data }, asksLabels, {
      weights: asksWeights,
    });
    softmaxRows(data, classes, temperature);
    let loss = 0;
    for (let q = 0; q < asked.length; q++)
      loss -= asksWeights[q]! * Math.log(data[q * classes + asksLabels[q]!]!);
    if (loss < best.loss) best = { k, temperature, loss };
  }
  return best;
}

/** The k nearest by distance, of equals the first; those at infinity never. */
function nearest(distances: Float64Array, k: number): Int32Array {
  const near = new Int32Array(k);
  let count = 0;
  for (let j = 0; j < distances.length; j++) {
    const distance = distances[j]!;
    if (distance === Number.POSITIVE_INFINITY) continue;
    if (count === k && distance >= distances[near[k - 1]!]!) continue;
    let at = count < k ? count++ : k - 1;
    for (; at > 0 && distances[near[at - 1]!]! > distance; at--) near[at] = near[at - 1]!;
    near[at] = j;
  }
  return near.subarray(0, count);
}

/** log(votes + 1/C) of each class into `into` from `at`. */
function score({ labels, weights, classes }: Pool, near: Int32Array, into: Float64Array, at: number): void {
  into.fill(0, at, at + classes);
  for (const j of near) into[at + labels[j]!]! += weights[j]!;
  for (let c = 0; c < classes; c++) into[at + c] = Math.log(into[at + c]! + 1 / classes);
}

function classifier(
  pool: Pool,
  centre: Float32Array,
  cosine: boolean,
  k: number,
  temperature: number,
): Classifier {
  const { rows, labels, weights, classes } = pool;
  return {
    classes,
    chosen: { k, metric: cosine ? "cosine" : "euclidean", temperature },
    predict(features) {
      requirePredictable("knn", features, rows.columns);
      requireDense("knn", features);
      const asked = shifted((cosine ? normalised(features) : features) as Matrix, centre);
      const data = new Float64Array(features.rows * classes);
      for (let from = 0; from < asked.rows; from += BLOCK) {
        const block = takeRows(
          asked,
          Int32Array.from({ length: Math.min(BLOCK, asked.rows - from) }, (_, i) => from + i),
        );
        // As near as the graph tells it: float32 makes ties of what only float64 tells apart.
        const distances = squaredDistances(block, rows).map(Math.fround);
        for (let q = 0; q < block.rows; q++) {
          const near = nearest(distances.subarray(q * rows.rows, (q + 1) * rows.rows), k);
          score(pool, near, data, (from + q) * classes);
        }
      }
      softmaxRows(data, classes, temperature);
      return matrix(features.rows, classes, Float32Array.from(data));
    },
    append(graph: Graph, features: Value): Value {
      const input = cosine ? appendNormalised(graph, features) : features;
      const b = build(graph);
      const moved = b.apply("Sub", [input, b.constant(float32([rows.columns], centre), "centre")]);
      const distances = appendSquaredDistances(b, moved, rows);
      const [, near] = b.applyMany("TopK", [distances, int64([1], [k])], { axis: 1, largest: 0 }, 2);
      const table = new Float32Array(rows.rows * classes);
      for (let i = 0; i < rows.rows; i++) table[i * classes + labels[i]!] = weights[i]!;
      const votes = b.apply("Gather", [b.constant(float32([rows.rows, classes], table), "votes"), near!]);
      const sums = b.apply("ReduceSum", [votes, ints([1])], { keepdims: 0 });
      const logs = b.apply("Log", [b.apply("Add", [sums, 1 / classes])]);
      const scores = b.apply("Div", [logs, temperature], {}, { name: "scores" });
      return b.apply("Softmax", [scores], { axis: 1 });
    },
  };
}

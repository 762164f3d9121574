import { InputError } from "../errors.ts";
import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { addRowProducts } from "../linalg/product.ts";
import { resolveSettings } from "../options.ts";
import { float32, type Matrix, matrix, type Tensor, takeRows } from "../tensor.ts";
import { fitTemperature, INNER_FOLDS, outOfFoldScores, softmaxRows } from "./calibrate.ts";
import { requireDense, requireFittable, requirePredictable, rowWeights } from "./check.ts";
import { stratifiedSample } from "./folds.ts";
import { type Latent, laplace } from "./gp-laplace.ts";
import type { Classifier, FitContext, Head } from "./head.ts";
import { appendNormalised, normalised } from "./normalise.ts";
import { columnMeans, shifted, squaredDistances, squaredLengths, variance } from "./products.ts";

/** Widths tried, as factors of 1 / (D · variance), and variances of the latent function. */
const WIDTHS: readonly number[] = [0.03, 0.1, 0.3, 1];
const AMPLITUDES: readonly number[] = [1, 4, 16, 64, 256];
/** Rows on which the kernel is chosen, and rows at most: [N, N] is stored for each class. */
const CHOSEN_ON = 250;
const LARGEST = 2000;

const options = {
  amplitude: {
    type: "number",
    default: null,
    min: 1e-6,
    max: 1e6,
    about: "prior variance of the latent function (default: by marginal likelihood)",
  },
  gamma: {
    type: "number",
    default: null,
    min: 1e-12,
    max: 1e9,
    about: "γ of the kernel amplitude · exp(−γ‖x − z‖²) (default: by marginal likelihood)",
  },
  normalise: { type: "boolean", default: true, about: "divide each row of features by its length first" },
} as const;

/** How much longer a multiplication takes in a factorisation, step after step, than in a product of matrices. */
const SLOWER = 6;
/**
 * Factorisations of all rows, a third of a cube each: Newton's steps, and those of the folds that give the
 * temperature.
 */
const OFTEN = 12 * (1 + INNER_FOLDS * 0.8 ** 3);

/**
 * Gaussian-process classification by Laplace's approximation (Rasmussen and Williams 2006, algorithms 3.1 and
 * 3.2, https://gaussianprocess.org/gpml/), one class against the others, for small data. With a given kernel
 * the latent means and variances are those of scikit-learn's
 * `GaussianProcessClassifier(ConstantKernel(amplitude) * RBF(√(1 / 2γ)))`. Left open, the kernel is the one
 * of highest marginal likelihood on a grid. A latent f of variance v counts as the logit f / √(1 + πv / 8)
 * (MacKay 1992); probabilities are softmax(logits / T), T fitted on held-out logits without trust in their
 * unit, because Laplace's own are too timid on few rows. Row and class weights multiply a row's log
 * likelihood.
 */
export const gp: Head = {
  about: "Gaussian-process classifier with a Gaussian kernel chosen by marginal likelihood, for small data",
  options,
  denseOnly: true,
  cost: (rows, columns, classes) =>
    rows > LARGEST
      ? Number.POSITIVE_INFINITY
      : rows ** 2 * columns +
        SLOWER * latentClasses(classes).length * (60 * Math.min(rows, CHOSEN_ON) ** 3 + OFTEN * rows ** 3),
  async fit(features, labels, given, context) {
    requireFittable(features, labels, context);
    requireDense("gp", features);
    if (features.rows > LARGEST)
      throw new InputError(
        `gp is for at most ${LARGEST} rows, got ${features.rows}; take logistic or rbf-svm`,
      );
    const settings = resolveSettings("gp", options, given);
    const scaled = (settings.normalise ? normalised(features) : features) as Matrix;
    const centre = columnMeans(scaled);
    const rows = shifted(scaled, centre);
    const weights = rowWeights(labels, context);
    const problem: Problem = { rows, labels, weights, classes: context.classes };
    const kernel = choose(problem, settings.amplitude, settings.gamma, context);
    const weighted = { ...context, weights: Float32Array.from(weights) };
    const heldOut = await outOfFoldScores(rows, labels, weighted, (train, test) => {
      const part: Problem = {
        rows: train.features as Matrix,
        labels: train.labels,
        weights: Float64Array.from(train.context.weights!),
        classes: context.classes,
      };
      return logits(part.rows, solve(part, kernel), kernel, context.classes, test as Matrix);
    });
    const temperature = fitTemperature(heldOut, labels, { weights, unit: "free" });
    return classifier(rows, solve(problem, kernel), kernel, {
      classes: context.classes,
      centre,
      normalise: settings.normalise,
      temperature,
    });
  },
};

interface Problem {
  readonly rows: Matrix;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly classes: number;
}

interface Kernel {
  readonly amplitude: number;
  readonly gamma: number;
}

/** Classes that have a latent function of their own: of two only the second. */
function latentClasses(classes: number): number[] {
  return classes === 2 ? [1] : Array.from({ length: classes }, (_, c) => c);
}

function solve({ rows, labels, weights, classes }: Problem, kernel: Kernel): Latent[] {
  const values = kernelValues(squaredDistances(rows, rows), kernel);
  return latentClasses(classes).map((c) =>
    laplace(
      values,
      Float64Array.from(labels, (label) => (label === c ? 1 : 0)),
      weights,
    ),
  );
}

function kernelValues(distances: Float64Array, { amplitude, gamma }: Kernel): Float64Array {
  return distances.map((distance) => amplitude * Math.exp(-gamma * distance));
}

/** Moderated logits [M, C] of rows; of two classes the first has the logit 0. */
function logits(support: Matrix, latent: readonly Latent[], kernel: Kernel, classes: number, asked: Matrix) {
  const n = support.rows;
  const values = kernelValues(squaredDistances(asked, support), kernel);
  const data = new Float64Array(asked.rows * classes);
  const order = latentClasses(classes);
  for (const [k, { residual, reduction }] of latent.entries()) {
    const reduced = new Float64Array(asked.rows * n);
    addRowProducts(values, asked.rows, reduction, n, n, reduced, n);
    for (let q = 0; q < asked.rows; q++) {
      let [mean, spread] = [0, kernel.amplitude];
      for (let i = 0; i < n; i++) {
        mean += values[q * n + i]! * residual[i]!;
        spread -= reduced[q * n + i]! ** 2;
      }
      data[q * classes + order[k]!] = mean / Math.sqrt(1 + (Math.PI / 8) * Math.max(0, spread));
    }
  }
  return { rows: asked.rows, columns: classes, data };
}

/** The kernel of highest marginal likelihood, summed over the classes' latent functions. */
function choose(
  problem: Problem,
  amplitude: number | null,
  gamma: number | null,
  { random }: FitContext,
): Kernel {
  if (amplitude !== null && gamma !== null) return { amplitude, gamma };
  const { classes } = problem;
  const chosen = stratifiedSample(problem.labels, classes, CHOSEN_ON, random.fork("chosen on"));
  const rows = takeRows(problem.rows, chosen);
  const weights = Float64Array.from(chosen, (i) => problem.weights[i]!);
  const distances = squaredDistances(rows, rows);
  const scale = 1 / (rows.columns * variance(rows));
  let best: Kernel | null = null;
  let most = Number.NEGATIVE_INFINITY;
  for (const g of gamma === null ? WIDTHS.map((width) => width * scale) : [gamma])
    for (const a of amplitude === null ? AMPLITUDES : [amplitude]) {
      const kernel = { amplitude: a, gamma: g };
      const values = kernelValues(distances, kernel);
      let evidence = 0;
      for (const c of latentClasses(classes)) {
        const targets = Float64Array.from(chosen, (i) => (problem.labels[i] === c ? 1 : 0));
        evidence += laplace(values, targets, weights, { evidenceOnly: true }).evidence;
      }
      if (evidence > most || best === null) [best, most] = [kernel, evidence];
    }
  return best!;
}

interface Shape {
  readonly classes: number;
  readonly centre: Float32Array;
  readonly normalise: boolean;
  readonly temperature: number;
}

function classifier(rows: Matrix, latent: readonly Latent[], kernel: Kernel, shape: Shape): Classifier {
  const { classes, centre, normalise, temperature } = shape;
  const n = rows.rows;
  return {
    classes,
    chosen: { ...kernel, temperature },
    predict(features) {
      requirePredictable("gp", features, rows.columns);
      requireDense("gp", features);
      const moved = shifted((normalise ? normalised(features) : features) as Matrix, centre);
      const { data } = logits(rows, latent, kernel, classes, moved);
      softmaxRows(data, classes, temperature);
      return matrix(features.rows, classes, Float32Array.from(data));
    },
    append(graph: Graph, features: Value): Value {
      const input = normalise ? appendNormalised(graph, features) : features;
      const b = build(graph);
      const moved = b.apply("Sub", [input, b.constant(float32([rows.columns], centre), "centre")]);
      // The variance is a small difference of large numbers: float64 from here on.
      const x = b.apply("Cast", [moved], { to: FLOAT64 });
      const support = new Float64Array(rows.data.length);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < rows.columns; j++) support[j * n + i] = -2 * rows.data[i * rows.columns + j]!;
      const products = b.apply("MatMul", [x, b.constant(float64([rows.columns, n], support), "support")]);
      const own = b.apply("ReduceSumSquare", [x], { axes: [1], keepdims: 1 });
      const lengths = b.constant(float64([1, n], squaredLengths(rows)), "support_lengths");
      const distance = b.apply("Relu", [b.apply("Add", [b.apply("Add", [products, own]), lengths])]);
      const scalar = (value: number) => b.constant(float64([], [value]));
      const values = b.apply("Mul", [
        b.apply("Exp", [b.apply("Mul", [distance, scalar(-kernel.gamma)])]),
        scalar(kernel.amplitude),
      ]);
      const columns = latent.map(({ residual, reduction }) => {
        const mean = b.apply("MatMul", [values, b.constant(float64([n, 1], residual), "residual")]);
        const turned = new Float64Array(n * n);
        for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) turned[j * n + i] = reduction[i * n + j]!;
        const reduced = b.apply("MatMul", [values, b.constant(float64([n, n], turned), "reduction")]);
        const less = b.apply("ReduceSumSquare", [reduced], { axes: [1], keepdims: 1 });
        const spread = b.apply("Relu", [b.apply("Sub", [scalar(kernel.amplitude), less])]);
        const factor = b.apply("Add", [b.apply("Mul", [spread, scalar(Math.PI / 8)]), scalar(1)]);
        return b.apply("Div", [mean, b.apply("Sqrt", [factor])]);
      });
      if (classes === 2) columns.unshift(b.apply("Mul", [columns[0]!, scalar(0)]));
      const all = b.apply("Concat", columns, { axis: 1 });
      const scores = b.apply("Div", [all, scalar(temperature)], {}, { name: "scores" });
      return b.apply("Softmax", [b.apply("Cast", [scores], { to: FLOAT32 })], { axis: 1 });
    },
  };
}

/** Numbers of ONNX's element types. */
const FLOAT32 = 1;
const FLOAT64 = 11;

function float64(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return { dtype: "float64", shape, data: Float64Array.from(values) };
}

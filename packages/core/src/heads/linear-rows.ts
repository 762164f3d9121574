import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { pivotedCholesky, solveUpper } from "../linalg/cholesky.ts";
import { fixedProducts } from "../linalg/fixed-products.ts";
import { addRowProducts, columnGram, type Reals, rowGram, transposedProduct } from "../linalg/product.ts";
import { writeModel } from "../onnx/write.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Features, float32, isSparse, type Matrix, type SparseMatrix, type Tensor } from "../tensor.ts";
import { addRow } from "./products.ts";
import { sparseRows } from "./sparse-rows.ts";

/** Σ_i w_i · row_i rowᵢᵀ of rows with a 1 appended: [r + 1, r + 1], or its diagonal where r is large. */
export type Moment = { readonly full: Float64Array } | { readonly diagonal: Float64Array };

/** Turns scores [count, K] of the rows from `from` on into derivatives, in place. */
export type Turn = (scores: Float64Array, from: number, count: number) => void;

/**
 * Rows that a linear model is fitted to, in the coordinates that are cheapest: the features themselves
 * (sparse ones those of the most rows first), or where dense rows are few an orthonormal basis of what they
 * span, which has the same products and the same lengths of coefficients.
 */
export interface LinearRows {
  readonly rows: number;
  /** r, the number of coordinates. */
  readonly columns: number;
  /** Relative error of a sum over all rows. */
  readonly rounding: number;
  /** The coordinates themselves [N, r], where rows are few enough to be changed into others. */
  readonly data: Reals | null;
  /** The coordinates themselves where they are sparse. */
  readonly sparse: SparseMatrix | null;
  /**
   * Scores of coefficients [K, r + 1], the last of each row being the intercept, go to `turn`; Σ turned ⊗
   * (row, 1), [K, r + 1].
   */
  pass(theta: Float64Array, K: number, turn: Turn): Promise<Float64Array>;
  /** Scores [N, K]. */
  scores(theta: Float64Array, K: number): Promise<Float64Array>;
  /** Second moment; a full one of so many rows a column where rows are many, since it only steers the search. */
  moment(weights: Float64Array, rowsPerColumn?: number): Promise<Moment>;
  /** Coefficients of the features [K, D + 1] from coefficients of the coordinates. */
  lift(theta: Float64Array, K: number): Float64Array;
  close(): Promise<void>;
}

/** Rows up to which a basis of what they span is made: the work grows with their cube. */
const SPANNED = 1000;
/** Numbers of a block beyond which ONNX Runtime is worth its overhead. */
const LARGE = 1e6;
/** Numbers up to which rows are kept as they are and transposed, which products are fastest with. */
const FIXED = 2e6;
/** Columns and numbers up to which sparse rows are better stored densely: correlations can then steer the search. */
const NARROW = 1000;
const SMALL = 1e7;
/** Rows a column that the second moment is taken over where rows are many. */
const MOMENT_ROWS = 3;
/** Rows in flight at a time. */
const BLOCK = 256;

/** Features [N, D] in the coordinates that suit them; ONNX Runtime does the products where they are large. */
export async function linearRows(features: Features, runtime: Runtime | undefined): Promise<LinearRows> {
  if (isSparse(features)) {
    if (features.columns > NARROW || features.rows * features.columns > SMALL) return sparseRows(features);
    const data = densified(features);
    return await linearRows({ rows: features.rows, columns: features.columns, data }, runtime);
  }
  if (features.rows <= SPANNED && features.rows < features.columns) return spannedRows(features);
  return await denseFeatureRows(features, runtime);
}

/** Dense features [N, D] as they are. */
export async function denseFeatureRows(features: Matrix, runtime: Runtime | undefined): Promise<LinearRows> {
  return runtime !== undefined && features.rows * features.columns > LARGE
    ? await runtimeRows(features, runtime)
    : denseRows(features.data, features.rows, features.columns);
}

function denseRows(data: Reals, rows: number, columns: number): LinearRows {
  const padded = columns + 1;
  // Rows that all fit beside their transpose; of more, blocks in turn.
  const isFixed = rows * columns <= FIXED;
  const block = isFixed ? rows : BLOCK;
  const fixed = isFixed ? fixedProducts(data, rows, columns) : null;
  const partOf = (from: number, count: number) => data.subarray(from * columns, (from + count) * columns);
  const scoresOf = (
    coefficients: Float64Array,
    theta: Float64Array,
    K: number,
    from: number,
    count: number,
  ) => {
    const scores = fixed?.scores(coefficients, K) ?? new Float64Array(count * K);
    if (fixed === null) addRowProducts(partOf(from, count), count, coefficients, K, columns, scores);
    for (let i = 0; i < count; i++)
      for (let k = 0; k < K; k++) scores[i * K + k]! += theta[k * padded + columns]!;
    return scores;
  };
  return {
    rows,
    columns,
    rounding: 1e-15,
    data: rows <= SPANNED ? data : null,
    sparse: null,
    async pass(theta, K, turn) {
      const coefficients = withoutIntercepts(theta, K, columns);
      const gradient = new Float64Array(K * padded);
      for (let from = 0; from < rows; from += block) {
        const count = Math.min(block, rows - from);
        const scores = scoresOf(coefficients, theta, K, from, count);
        turn(scores, from, count);
        const products =
          fixed?.gradient(scores, K) ?? transposedProduct(scores, K, partOf(from, count), columns, count);
        addBordered(gradient, products, scores, K);
      }
      return gradient;
    },
    async scores(theta, K) {
      return scoresOf(withoutIntercepts(theta, K, columns), theta, K, 0, rows);
    },
    async moment(weights, rowsPerColumn) {
      const { sample, sums, mass } = sampled(data, rows, columns, weights, rowsPerColumn);
      return { full: bordered(columnGram(sample, sample.length / columns, columns), columns, sums, mass) };
    },
    lift: (theta) => theta,
    async close() {},
  };
}

/** Every so-many-th row times the root of its weight, the weighted sums of the rows, and of the weights. */
function sampled(
  data: Reals,
  rows: number,
  columns: number,
  weights: Float64Array,
  rowsPerColumn = MOMENT_ROWS,
) {
  const most = rowsPerColumn * Math.max(columns, 100);
  const stride = rows <= SPANNED ? 1 : Math.max(1, Math.floor(rows / most));
  const some = Math.ceil(rows / stride);
  const sample = new Float32Array(some * columns);
  const sums = new Float64Array(columns);
  let mass = 0;
  for (let i = 0, k = 0; i < rows; i += stride, k += columns) {
    const weight = weights[i]! * stride;
    const root = Math.sqrt(weight);
    mass += weight;
    for (let j = 0; j < columns; j++) {
      const value = data[i * columns + j]!;
      sample[k + j] = root * value;
      sums[j]! += weight * value;
    }
  }
  return { sample, sums, mass };
}

/** Few rows: F with F Fᵀ = X Xᵀ stands for X, and V for W = Q V with orthonormal Q. */
function spannedRows(features: Matrix): LinearRows {
  const { rows: n, columns: d } = features;
  const { rank, pivots, factor } = pivotedCholesky(rowGram(features.data, n, d), n, 1e-12);
  const triangle = new Float64Array(rank * rank);
  for (const [j, pivot] of pivots.entries())
    triangle.set(factor.subarray(pivot * rank, (pivot + 1) * rank), j * rank);
  return {
    ...denseRows(factor, n, rank),
    lift(theta, K) {
      const lifted = new Float64Array(K * (d + 1));
      for (let k = 0; k < K; k++) {
        const v = theta.slice(k * (rank + 1), k * (rank + 1) + rank);
        solveUpper(triangle, rank, v);
        const row = lifted.subarray(k * (d + 1), (k + 1) * (d + 1));
        for (const [j, pivot] of pivots.entries()) addRow(features, pivot, v[j]!, row);
        row[d] = theta[k * (rank + 1) + rank]!;
      }
      return lifted;
    },
  };
}

function densified({ rows, columns, offsets, indices, values }: SparseMatrix): Float32Array {
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let p = offsets[i]!; p < offsets[i + 1]!; p++) data[i * columns + indices[p]!] = values[p]!;
  return data;
}

/** Dense rows that stay in ONNX Runtime, which multiplies them in float32 on all its threads. */
async function runtimeRows({ rows, columns, data }: Matrix, runtime: Runtime): Promise<LinearRows> {
  const session = await runtime.load(productModel());
  const moments = await runtime.load(momentModel());
  await session.bind({ x: float32([rows, columns], data) });
  const padded = columns + 1;
  const empty = (n: number) => float32([n, 1], new Float32Array(n));
  const scoresOf = async (theta: Float64Array, K: number) => {
    const coefficients = new Float32Array(columns * K);
    for (let k = 0; k < K; k++)
      for (let j = 0; j < columns; j++) coefficients[j * K + k] = theta[k * padded + j]!;
    const feeds = { coefficients: float32([columns, K], coefficients), left: nothingOf(rows) };
    const answer = await session.run(feeds, ["scores"], { transfer: true });
    const scores = new Float64Array(answer.scores!.data as Float32Array);
    for (let i = 0; i < rows; i++)
      for (let k = 0; k < K; k++) scores[i * K + k]! += theta[k * padded + columns]!;
    return scores;
  };
  return {
    rows,
    columns,
    rounding: 1e-7,
    data: null,
    sparse: null,
    async pass(theta, K, turn) {
      const scores = await scoresOf(theta, K);
      turn(scores, 0, rows);
      const feeds = {
        coefficients: empty(columns),
        left: turned(scores, rows, K),
      };
      const answer = await session.run(feeds, ["gradient"], { transfer: true });
      const gradient = new Float64Array(K * padded);
      addBordered(gradient, answer.gradient!.data as Float32Array, scores, K);
      return gradient;
    },
    scores: scoresOf,
    async moment(weights, rowsPerColumn) {
      const { sample, sums, mass } = sampled(data, rows, columns, weights, rowsPerColumn);
      const x = float32([sample.length / columns, columns], sample);
      const { gram } = await moments.run({ x }, ["gram"], { transfer: true });
      return { full: bordered(Float64Array.from(gram!.data as Float32Array), columns, sums, mass) };
    },
    lift: (theta) => theta,
    async close() {
      await session.close();
      await moments.close();
    },
  };
}

/** Products with a matrix Z [n, r] that many passes share. */
export interface Products {
  readonly rounding: number;
  /** Z · yᵀ [n, W] for y [W, r]. */
  scores(y: Float64Array, W: number): Promise<Float64Array>;
  /** leftᵀ · Z [W, r] for left [n, W]. */
  gradient(left: Float64Array, W: number): Promise<Float64Array>;
  close(): Promise<void>;
}

/** Multiplications of a product beyond which ONNX Runtime is worth the way to its thread. */
const WORTH = 2e7;

/** Products of Z [n, r] with `W` vectors at a time, by ONNX Runtime where they are large. */
export async function productsWith(
  z: Float64Array,
  {
    n,
    r,
    W,
    runtime,
  }: { readonly n: number; readonly r: number; readonly W: number; readonly runtime: Runtime | undefined },
): Promise<Products> {
  if (runtime === undefined || n * r * W < WORTH) {
    const products = fixedProducts(z, n, r);
    return {
      rounding: 1e-15,
      scores: async (y) => products.scores(y, W),
      gradient: async (left) => products.gradient(left, W),
      async close() {},
    };
  }
  const session = await runtime.load(productModel());
  await session.bind({ x: float32([n, r], new Float32Array(z)) });
  const empty = (rows: number) => float32([rows, 1], new Float32Array(rows));
  return {
    rounding: 1e-7,
    async scores(y) {
      const feeds = {
        coefficients: float32([r, W], new Float32Array(transposed(y, W, r))),
        left: nothingOf(n),
      };
      const answer = await session.run(feeds, ["scores"], { transfer: true });
      return new Float64Array(answer.scores!.data as Float32Array);
    },
    async gradient(left) {
      const feeds = { coefficients: empty(r), left: turned(left, n, W) };
      const answer = await session.run(feeds, ["gradient"], { transfer: true });
      return new Float64Array(answer.gradient!.data as Float32Array);
    },
    close: () => session.close(),
  };
}

/** scores = x · coefficients and gradient = left · x, of which a run computes the one it is asked for. */
export function productModel(): Uint8Array {
  const graph = emptyGraph("products");
  const b = build(graph);
  const x = b.input("x", "float32", ["rows", "columns"]);
  const coefficients = b.input("coefficients", "float32", ["columns", "outputs"]);
  const left = b.input("left", "float32", ["width", "rows"]);
  const scores = b.apply("MatMul", [x, coefficients], {}, { name: "scores" });
  const gradient = b.apply("MatMul", [left, x], {}, { name: "gradient" });
  graph.outputs.push(
    Object.assign(scores, { dtype: "float32", shape: ["rows", "outputs"] }),
    Object.assign(gradient, { dtype: "float32", shape: ["width", "columns"] }),
  );
  return writeModel(modelOf(graph));
}

/** A matrix [rows, K] as what the product model multiplies x with from the left, [K, rows]. */
export function turned(a: Float64Array, rows: number, K: number): Tensor {
  const t = new Float32Array(a.length);
  for (let i = 0, from = 0; i < rows; i++) for (let k = 0, to = i; k < K; k++, to += rows) t[to] = a[from++]!;
  return float32([K, rows], t);
}

/** What stands left of x where the gradient is not asked for, [1, rows]. */
export function nothingOf(rows: number): Tensor {
  return float32([1, rows], new Float32Array(rows));
}

/** gram = xᵀ · x. */
function momentModel(): Uint8Array {
  const graph = emptyGraph("moment");
  const b = build(graph);
  const x = b.input("x", "float32", ["rows", "columns"]);
  const gram = b.apply("Gemm", [x, x], { transA: 1 }, { name: "gram" });
  graph.outputs.push(Object.assign(gram, { dtype: "float32", shape: ["columns", "columns"] }));
  return writeModel(modelOf(graph));
}

function transposed(a: Float64Array, rows: number, columns: number): Float64Array {
  const t = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) t[j * rows + i] = a[i * columns + j]!;
  return t;
}

export function withoutIntercepts(theta: Float64Array, K: number, columns: number): Float64Array {
  const coefficients = new Float64Array(K * columns);
  for (let k = 0; k < K; k++)
    coefficients.set(theta.subarray(k * (columns + 1), k * (columns + 1) + columns), k * columns);
  return coefficients;
}

/** Adds products [K, r] and, as a last column, the sums of the derivatives [count, K]. */
export function addBordered(
  gradient: Float64Array,
  products: Reals,
  derivatives: Float64Array,
  K: number,
): void {
  const columns = products.length / K;
  const padded = columns + 1;
  for (let k = 0; k < K; k++) {
    for (let j = 0; j < columns; j++) gradient[k * padded + j]! += products[k * columns + j]!;
    for (let i = k; i < derivatives.length; i += K) gradient[k * padded + columns]! += derivatives[i]!;
  }
}

/** A symmetric matrix [n, n] with one more row and column. */
function bordered(a: Float64Array, n: number, border: Float64Array, corner: number): Float64Array {
  const out = new Float64Array((n + 1) * (n + 1));
  for (let i = 0; i < n; i++) {
    out.set(a.subarray(i * n, (i + 1) * n), i * (n + 1));
    out[i * (n + 1) + n] = border[i]!;
    out[n * (n + 1) + i] = border[i]!;
  }
  out[n * (n + 1) + n] = corner;
  return out;
}

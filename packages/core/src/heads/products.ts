import type { Builder } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import { addRowProducts, mirror } from "../linalg/product.ts";
import { type Features, float32, isSparse, type Matrix, type SparseMatrix } from "../tensor.ts";

/** Inner products of every row of a [M, D] with every row of b [N, D], [M, N]. */
export function innerProducts(a: Features, b: Features): Float64Array {
  const products = new Float64Array(a.rows * b.rows);
  if (!isSparse(a) && !isSparse(b)) {
    addRowProducts(a.data, a.rows, b.data, b.rows, a.columns, products, b.rows);
    return products;
  }
  if (!isSparse(b)) {
    if (isSparse(a)) addSparseByDense(a, b, products, b.rows, 1);
    return products;
  }
  if (!isSparse(a)) {
    addSparseByDense(b, a, products, 1, b.rows);
    return products;
  }
  if (a === b) {
    addSparseGram(a, products);
    return products;
  }
  const { offsets, indices, values } = b;
  const spread = new Float64Array(a.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let p = a.offsets[i]!; p < a.offsets[i + 1]!; p++) spread[a.indices[p]!] = a.values[p]!;
    for (let k = 0; k < b.rows; k++) {
      let sum = 0;
      for (let p = offsets[k]!, last = offsets[k + 1]!; p < last; p++)
        sum += spread[indices[p]!]! * values[p]!;
      products[i * b.rows + k] = sum;
    }
    for (let p = a.offsets[i]!; p < a.offsets[i + 1]!; p++) spread[a.indices[p]!] = 0;
  }
  return products;
}

/** Rows with themselves, column by column: only rows that share one are ever multiplied. */
function addSparseGram({ rows, columns, offsets, indices, values }: SparseMatrix, gram: Float64Array): void {
  const ends = new Int32Array(columns + 1);
  for (const j of indices) ends[j + 1]!++;
  for (let j = 0; j < columns; j++) ends[j + 1]! += ends[j]!;
  const places = ends.slice();
  const holders = new Int32Array(indices.length);
  const held = new Float64Array(indices.length);
  for (let i = 0; i < rows; i++)
    for (let p = offsets[i]!; p < offsets[i + 1]!; p++) {
      const to = places[indices[p]!]!++;
      holders[to] = i;
      held[to] = values[p]!;
    }
  for (let j = 0; j < columns; j++)
    for (let p = ends[j]!, last = ends[j + 1]!; p < last; p++) {
      const value = held[p]!;
      const from = holders[p]! * rows;
      for (let q = ends[j]!; q <= p; q++) gram[from + holders[q]!]! += value * held[q]!;
    }
  mirror(gram, rows);
}

/** Products of every row i of `a` with every row k of `b`, at i · down + k · right. */
function addSparseByDense(a: SparseMatrix, b: Matrix, products: Float64Array, down: number, right: number) {
  const { offsets, indices, values } = a;
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < b.rows; k++) {
      const from = k * b.columns;
      let sum = 0;
      for (let p = offsets[i]!, last = offsets[i + 1]!; p < last; p++)
        sum += values[p]! * b.data[from + indices[p]!]!;
      products[i * down + k * right] = sum;
    }
}

/** Calls `visit` for the stored features of row i. */
export function forRow(rows: Features, i: number, visit: (column: number, value: number) => void): void {
  if (isSparse(rows)) {
    for (let k = rows.offsets[i]!; k < rows.offsets[i + 1]!; k++) visit(rows.indices[k]!, rows.values[k]!);
    return;
  }
  for (let j = 0, from = i * rows.columns; j < rows.columns; j++) visit(j, rows.data[from + j]!);
}

/** into [D] += scale · row i. */
export function addRow(features: Features, i: number, scale: number, into: Float64Array): void {
  if (isSparse(features)) {
    for (let p = features.offsets[i]!; p < features.offsets[i + 1]!; p++)
      into[features.indices[p]!]! += scale * features.values[p]!;
    return;
  }
  const from = i * features.columns;
  for (let j = 0; j < features.columns; j++) into[j]! += scale * features.data[from + j]!;
}

/** Squared length of each row, [N]. */
export function squaredLengths(rows: Features): Float64Array {
  const squares = new Float64Array(rows.rows);
  for (let i = 0; i < rows.rows; i++) {
    const values = isSparse(rows) ? rows.values : rows.data;
    const from = isSparse(rows) ? rows.offsets[i]! : i * rows.columns;
    const to = isSparse(rows) ? rows.offsets[i + 1]! : from + rows.columns;
    let sum = 0;
    for (let p = from; p < to; p++) sum += values[p]! * values[p]!;
    squares[i] = sum;
  }
  return squares;
}

/** Squared Euclidean distances of the rows of a [M, D] from those of b [N, D], [M, N]; never below 0. */
export function squaredDistances(a: Features, b: Features): Float64Array {
  const distances = innerProducts(a, b);
  const [ofA, ofB] = [squaredLengths(a), squaredLengths(b)];
  for (let i = 0, at = 0; i < a.rows; i++)
    for (let k = 0; k < b.rows; k++, at++)
      distances[at] = Math.max(0, ofA[i]! + ofB[k]! - 2 * distances[at]!);
  return distances;
}

/** Rows moved by −shift [D], in float32 as the graph has them: distances then lose less to cancellation. */
export function shifted(rows: Matrix, shift: Float32Array): Matrix {
  const data = Float32Array.from(rows.data, (value, at) => value - shift[at % rows.columns]!);
  return { ...rows, data };
}

/** Mean of each column, [D]. */
export function columnMeans(rows: Matrix): Float32Array {
  const sums = new Float64Array(rows.columns);
  for (let i = 0; i < rows.rows; i++)
    for (let j = 0; j < rows.columns; j++) sums[j]! += rows.data[i * rows.columns + j]!;
  return Float32Array.from(sums, (sum) => sum / rows.rows);
}

/** Variance of all numbers of a matrix. */
export function variance({ data }: Matrix): number {
  let [sum, square] = [0, 0];
  for (const value of data) {
    sum += value;
    square += value * value;
  }
  return Math.max(1e-30, square / data.length - (sum / data.length) ** 2);
}

/** A constant [rows, columns] transposed, ready to stand right of a product. */
export function appendTransposed(b: Builder, rows: Matrix, name: string): Value {
  const data = new Float32Array(rows.data.length);
  for (let i = 0; i < rows.rows; i++)
    for (let j = 0; j < rows.columns; j++) data[j * rows.rows + i] = rows.data[i * rows.columns + j]!;
  return b.constant(float32([rows.columns, rows.rows], data), name);
}

/** Squared distances [batch, N] of features [batch, D] from constant rows [N, D], in a graph. */
export function appendSquaredDistances(b: Builder, features: Value, rows: Matrix): Value {
  const own = b.apply("ReduceSumSquare", [features], { axes: [1], keepdims: 1 });
  const products = b.apply("MatMul", [features, appendTransposed(b, rows, "support")]);
  const lengths = b.constant(
    float32([1, rows.rows], Float32Array.from(squaredLengths(rows))),
    "support_lengths",
  );
  const sum = b.apply("Add", [own, lengths]);
  const distance = b.apply("Sub", [sum, b.apply("Mul", [products, 2])]);
  return b.apply("Relu", [distance], {}, { name: "squared_distance" });
}

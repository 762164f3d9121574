/** Element types of ONNX tensors that Graft computes with, by their ONNX names. */
export type DataType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"
  | "complex64"
  | "complex128"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "float8e8m0"
  | "uint4"
  | "int4"
  | "float4e2m1"
  | "float6e2m3"
  | "float6e3m2"
  | "uint2"
  | "int2";

/**
 * Storage of a tensor's elements. Types that JavaScript lacks keep their bits: float16 and bfloat16 in
 * Uint16Array, bool and the 8-bit floats in Uint8Array. Types narrower than a byte stay packed as ONNX packs
 * them, low bits first, in Uint8Array; a complex number is two neighbouring floats.
 */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | readonly string[];

/**
 * A dense tensor in row-major order. `data` has as many elements as the product of `shape` (see TensorData
 * for packed and complex types); a scalar has shape [].
 */
export interface Tensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** A dense float32 matrix in row-major order, [rows, columns]. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** A float32 tensor over `data`; throws where the shape does not account for every element. */
export function float32(shape: readonly number[], data: Float32Array | readonly number[]): Tensor {
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  requireSize("float32", shape, values.length);
  return { dtype: "float32", shape, data: values };
}

/** An int64 tensor of the given integers. */
export function int64(shape: readonly number[], values: ArrayLike<number | bigint>): Tensor {
  requireSize("int64", shape, values.length);
  return {
    dtype: "int64",
    shape,
    data: BigInt64Array.from(values, (value: number | bigint) => BigInt(value)),
  };
}

/** A matrix of `rows` rows over `data`; zeros where none is given. */
export function matrix(rows: number, columns: number, data = new Float32Array(rows * columns)): Matrix {
  requireSize("matrix", [rows, columns], data.length);
  return { rows, columns, data };
}

/** Row `index` of a matrix as a view, [columns]. */
export function row(m: Matrix, index: number): Float32Array {
  return m.data.subarray(index * m.columns, (index + 1) * m.columns);
}

/** The rows named by `indices`, copied in that order, [indices.length, columns]. */
export function takeRows(m: Matrix, indices: ArrayLike<number>): Matrix {
  const taken = matrix(indices.length, m.columns);
  for (let i = 0; i < indices.length; i++) taken.data.set(row(m, indices[i]!), i * m.columns);
  return taken;
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, extent) => size * extent, 1);
}

function requireSize(what: string, shape: readonly number[], length: number): void {
  if (sizeOf(shape) !== length) {
    throw new RangeError(
      `${what}: shape [${shape.join(", ")}] needs ${sizeOf(shape)} elements, got ${length}`,
    );
  }
}

/**
 * A sparse float32 matrix in compressed rows, [rows, columns]: row i has columns `indices[j]` with `values[j]` for j
 * from `offsets[i]` to `offsets[i + 1]`, ascending within a row.
 */
export interface SparseMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly offsets: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

/** Features of N rows: dense, or sparse for counts of words. */
export type Features = Matrix | SparseMatrix;

/** Whether features are sparse. */
export function isSparse(features: Features): features is SparseMatrix {
  return "offsets" in features;
}

/** The rows named by `indices`, copied in that order, of dense or sparse features. */
export function takeFeatures(features: Features, indices: ArrayLike<number>): Features {
  if (!isSparse(features)) return takeRows(features, indices);
  const { offsets, columns } = features;
  const taken = new Int32Array(indices.length + 1);
  for (let i = 0; i < indices.length; i++)
    taken[i + 1] = taken[i]! + offsets[indices[i]! + 1]! - offsets[indices[i]!]!;
  const columnsOf = new Int32Array(taken[indices.length]!);
  const values = new Float32Array(columnsOf.length);
  for (let i = 0; i < indices.length; i++) {
    const [from, to] = [offsets[indices[i]!]!, offsets[indices[i]! + 1]!];
    columnsOf.set(features.indices.subarray(from, to), taken[i]!);
    values.set(features.values.subarray(from, to), taken[i]!);
  }
  return { rows: indices.length, columns, offsets: taken, indices: columnsOf, values };
}

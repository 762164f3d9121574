import type { DataType, TensorData } from "../tensor.ts";

type Storage =
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | Int8ArrayConstructor
  | Int16ArrayConstructor
  | Int32ArrayConstructor
  | BigInt64ArrayConstructor
  | Uint8ArrayConstructor
  | Uint16ArrayConstructor
  | Uint32ArrayConstructor
  | BigUint64ArrayConstructor;

/** TensorProto's field that holds elements which do not lie in `raw_data`. */
type Field = "floats" | "doubles" | "int32s" | "int64s" | "uint64s" | "strings";

/** How ONNX and JavaScript hold elements of a type. */
export interface ElementType {
  /** TensorProto.DataType. */
  readonly code: number;
  /** Bits of an element. */
  readonly bits: number;
  readonly storage: Storage;
  readonly field: Field;
}

const element = (code: number, bits: number, storage: Storage, field: Field): ElementType => ({
  code,
  bits,
  storage,
  field,
});

export const ELEMENTS: Readonly<Record<DataType, ElementType>> = {
  float32: element(1, 32, Float32Array, "floats"),
  uint8: element(2, 8, Uint8Array, "int32s"),
  int8: element(3, 8, Int8Array, "int32s"),
  uint16: element(4, 16, Uint16Array, "int32s"),
  int16: element(5, 16, Int16Array, "int32s"),
  int32: element(6, 32, Int32Array, "int32s"),
  int64: element(7, 64, BigInt64Array, "int64s"),
  string: element(8, 0, Uint8Array, "strings"),
  bool: element(9, 8, Uint8Array, "int32s"),
  float16: element(10, 16, Uint16Array, "int32s"),
  float64: element(11, 64, Float64Array, "doubles"),
  uint32: element(12, 32, Uint32Array, "uint64s"),
  uint64: element(13, 64, BigUint64Array, "uint64s"),
  complex64: element(14, 64, Float32Array, "floats"),
  complex128: element(15, 128, Float64Array, "doubles"),
  bfloat16: element(16, 16, Uint16Array, "int32s"),
  float8e4m3fn: element(17, 8, Uint8Array, "int32s"),
  float8e4m3fnuz: element(18, 8, Uint8Array, "int32s"),
  float8e5m2: element(19, 8, Uint8Array, "int32s"),
  float8e5m2fnuz: element(20, 8, Uint8Array, "int32s"),
  uint4: element(21, 4, Uint8Array, "int32s"),
  int4: element(22, 4, Uint8Array, "int32s"),
  float4e2m1: element(23, 4, Uint8Array, "int32s"),
  float8e8m0: element(24, 8, Uint8Array, "int32s"),
  uint2: element(25, 2, Uint8Array, "int32s"),
  int2: element(26, 2, Uint8Array, "int32s"),
  float6e2m3: element(27, 6, Uint8Array, "int32s"),
  float6e3m2: element(28, 6, Uint8Array, "int32s"),
};

const byCode = new Map(Object.entries(ELEMENTS).map(([name, { code }]) => [code, name as DataType]));

/** The type of TensorProto's number; null for one this version does not know. */
export function dataTypeOf(code: number): DataType | null {
  return byCode.get(code) ?? null;
}

/** Bytes that `count` elements take in `raw_data`. */
export function byteLength(dtype: DataType, count: number): number {
  return Math.ceil((count * ELEMENTS[dtype].bits) / 8);
}

/**
 * Little-endian bytes as a tensor's elements: a view where the alignment allows it, else a copy. `bytes` must be of
 * `byteLength(dtype, count)`. JavaScript's typed arrays are little-endian on every platform that Node and browsers run on.
 */
export function elementsOf(dtype: DataType, bytes: Uint8Array): TensorData {
  const { storage } = ELEMENTS[dtype];
  const size = storage.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new storage(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}

/** The bytes of a tensor's elements as `raw_data` has them: a view. */
export function bytesOf(data: Exclude<TensorData, readonly string[]>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

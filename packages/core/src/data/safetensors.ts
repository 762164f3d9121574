import { InputError } from "../errors.ts";
import { type DataType, sizeOf, type Tensor, type TensorData } from "../tensor.ts";

/** What a safetensors file holds. */
export interface SafeTensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Free text by key, the file's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

interface ArrayKind {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): Exclude<TensorData, readonly string[]>;
}

/** By the file's names of element types, in the order in which writers put tensors: widest first. */
const TYPES: Readonly<Record<string, readonly [DataType, ArrayKind]>> = {
  U64: ["uint64", BigUint64Array],
  I64: ["int64", BigInt64Array],
  F64: ["float64", Float64Array],
  F32: ["float32", Float32Array],
  U32: ["uint32", Uint32Array],
  I32: ["int32", Int32Array],
  BF16: ["bfloat16", Uint16Array],
  F16: ["float16", Uint16Array],
  U16: ["uint16", Uint16Array],
  I16: ["int16", Int16Array],
  F8_E4M3: ["float8e4m3fn", Uint8Array],
  F8_E5M2: ["float8e5m2", Uint8Array],
  I8: ["int8", Int8Array],
  U8: ["uint8", Uint8Array],
  BOOL: ["bool", Uint8Array],
};
const CODES = new Map(Object.entries(TYPES).map(([code, [dtype]], rank) => [dtype, { code, rank }]));

/** Longest header that is read, as in the reference implementation. */
const LONGEST_HEADER = 100_000_000;
const METADATA = "__metadata__";

/**
 * Reads a safetensors file (https://github.com/huggingface/safetensors, "Format"): 8 bytes of header length,
 * a JSON header, then the elements. Nothing is executed. The tensors are copies. Throws an InputError where
 * the header is too long, is no JSON, or where the tensors do not cover the data exactly once. `where` names
 * the file in messages.
 */
export function readSafetensors(bytes: Uint8Array, where = "the safetensors file"): SafeTensors {
  const refuse = (what: string): never => {
    throw new InputError(`${where} ${what}; it is damaged or no safetensors file`);
  };
  if (bytes.length < 8) refuse(`has ${bytes.length} bytes, less than its first field`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > LONGEST_HEADER || length > bytes.length - 8)
    refuse(`states a header of ${length} bytes, but has ${bytes.length - 8} bytes behind that`);
  const header = parse(bytes.subarray(8, 8 + Number(length)));
  if (header === null) return refuse("has a header that is no JSON object");
  const data = bytes.subarray(8 + Number(length));
  const parts: { name: string; begin: number; end: number }[] = [];
  const tensors = new Map<string, Tensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) {
      if (!isObject(entry) || !Object.values(entry).every((value) => typeof value === "string"))
        return refuse(`has ${METADATA} that is not text by key`);
      metadata = { ...(entry as Record<string, string>) };
      continue;
    }
    const label = `"${name.slice(0, 80)}"`;
    if (!isObject(entry)) return refuse(`describes ${label} not by an object`);
    const { dtype: code, shape, data_offsets: offsets } = entry;
    const known = typeof code === "string" && Object.hasOwn(TYPES, code) ? TYPES[code]! : null;
    if (known === null)
      throw new InputError(
        `${where}: tensor ${label} has elements of type ${JSON.stringify(code)?.slice(0, 40)}; read are ${Object.keys(TYPES).join(", ")}`,
      );
    if (!isSizes(shape)) return refuse(`gives ${label} no shape`);
    if (!isSizes(offsets) || offsets.length !== 2) return refuse(`gives ${label} no data_offsets`);
    const [begin, end] = offsets as readonly [number, number];
    const [dtype, Kind] = known;
    const size = sizeOf(shape) * Kind.BYTES_PER_ELEMENT;
    if (begin > end || end > data.length || end - begin !== size)
      return refuse(`gives ${label} bytes ${begin} to ${end} of ${data.length}, but its shape needs ${size}`);
    parts.push({ name, begin, end });
    tensors.set(name, { dtype, shape: [...shape], data: new Kind(bufferOf(data, begin, end)) });
  }
  parts.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of parts) {
    if (begin !== at) refuse(`has bytes that no tensor or two tensors claim before "${name.slice(0, 80)}"`);
    at = end;
  }
  if (at !== data.length) refuse(`has ${data.length - at} bytes behind its last tensor`);
  return { tensors, metadata };
}

/**
 * The bytes of a safetensors file, equal to those of the reference implementation: metadata first, keys in
 * order, tensors from wide to narrow elements and then by name. Throws an InputError for an element type the
 * format does not have.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries = [...tensors].map(([name, tensor]) => {
    const known = CODES.get(tensor.dtype);
    if (!known || !ArrayBuffer.isView(tensor.data) || name === METADATA)
      throw new InputError(`"${name}" of type ${tensor.dtype} cannot be written to a safetensors file`);
    return { name, ...known, shape: tensor.shape, data: tensor.data };
  });
  entries.sort((a, b) => a.rank - b.rank || compare(a.name, b.name));
  // Built as text because an object would move keys that look like numbers to the front.
  const fields: string[] = [];
  const keys = Object.keys(metadata).sort(compare);
  if (keys.length > 0)
    fields.push(
      `"${METADATA}":{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`).join(",")}}`,
    );
  let end = 0;
  for (const { name, code, shape, data } of entries) {
    const begin = end;
    end += data.byteLength;
    const entry = { dtype: code, shape, data_offsets: [begin, end] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  }
  const text = new TextEncoder().encode(`{${fields.join(",")}}`);
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.fill(0x20, 8, 8 + length);
  bytes.set(text, 8);
  let at = 8 + length;
  for (const { data } of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

function parse(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isObject(parsed) && bytes[0] === 0x7b ? parsed : null;
  } catch {
    return null; // the caller says so, with the file's name
  }
}

/** A buffer of its own: elements in a file need not lie where an array may begin. */
function bufferOf(data: Uint8Array, begin: number, end: number): ArrayBuffer {
  const copy = new Uint8Array(end - begin);
  copy.set(data.subarray(begin, end));
  return copy.buffer;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);
}

/** By code points, as UTF-8 bytes sort. */
function compare(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

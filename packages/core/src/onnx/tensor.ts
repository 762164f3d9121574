import { InputError } from "../errors.ts";
import type { SparseTensor, StoredTensor } from "../ir/graph.ts";
import type { DataType, Tensor, TensorData } from "../tensor.ts";
import { byteLength, bytesOf, dataTypeOf, ELEMENTS, elementsOf } from "./elements.ts";
import { readEntries, writeEntries } from "./entries.ts";
import { type ExternalData, type ExternalPart, externalBytes, parseExternal } from "./external.ts";
import { ProtoReader, ProtoWriter } from "./protobuf.ts";
import { SPARSE, TENSOR } from "./schema.ts";

/** What readers of a file's parts share. */
export interface ReadContext {
  /** The file's name, for messages. */
  readonly source: string;
  readonly externalData: ExternalData;
}

/** Reads a TensorProto by itself, as the ONNX project's own test data has them. Throws InputError on damage. */
export function readTensor(bytes: Uint8Array, source = "tensor"): StoredTensor {
  return tensorFrom(new ProtoReader(bytes, source), { source, externalData: {} });
}

/** A tensor as TensorProto bytes. */
export function writeTensor(tensor: StoredTensor): Uint8Array<ArrayBuffer> {
  const writer = new ProtoWriter();
  writeTensorTo(writer, tensor, tensor.name);
  return writer.finish();
}

/** Decodes a TensorProto. Every size is checked against the bytes that are there before anything is allocated. */
export function tensorFrom(reader: ProtoReader, context: ReadContext): StoredTensor {
  const parts = tensorParts(reader);
  const what = `${context.source}: tensor "${parts.name}"`;
  const dtype = dataTypeOf(parts.code);
  if (!dtype)
    throw new InputError(
      `${what} has element type ${parts.code}, which is none of ONNX 1.23's; update Graft`,
    );
  const count = elementCount(parts.shape, what);
  return {
    dtype,
    shape: parts.shape,
    data: elementData(parts, dtype, count, what, context, reader),
    ...(parts.name && { name: parts.name }),
    ...(parts.doc && { doc: parts.doc }),
    ...(parts.metadata.size > 0 && { metadata: parts.metadata }),
    ...(parts.unknown.length > 0 && { unknown: concat(parts.unknown) }),
  };
}

/** Decodes a SparseTensorProto. Its name is that of its values. */
export function sparseFrom(reader: ProtoReader, context: ReadContext): SparseTensor {
  let values: StoredTensor | null = null;
  let indices: StoredTensor | null = null;
  const shape: number[] = [];
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === SPARSE.values) values = tensorFrom(reader.message(), context);
    else if (field === SPARSE.indices) indices = tensorFrom(reader.message(), context);
    else if (field === SPARSE.shape) reader.integers(shape);
    else reader.unknown();
  }
  const what = `${context.source}: sparse tensor "${values?.name ?? ""}"`;
  if (!values || !indices) throw new InputError(`${what} lacks its ${values ? "indices" : "values"}`);
  elementCount(shape, what);
  if (values.shape.length !== 1 || indices.dtype !== "int64" || indices.shape[0] !== values.shape[0])
    throw new InputError(`${what}: its int64 indices must have one row for each of its values`);
  return { shape, values, indices };
}

export function writeTensorTo(writer: ProtoWriter, tensor: StoredTensor, name?: string): void {
  for (const extent of tensor.shape) writer.integer(TENSOR.shape, extent);
  writer.integer(TENSOR.dtype, ELEMENTS[tensor.dtype].code);
  if (isStrings(tensor)) for (const text of tensor.data) writer.string(TENSOR.strings, text);
  writer.text(TENSOR.name, name);
  if (!isStrings(tensor)) writer.view(TENSOR.raw, rawBytes(tensor, name));
  writer.text(TENSOR.doc, tensor.doc);
  writeEntries(writer, TENSOR.metadata, tensor.metadata);
  writer.raw(tensor.unknown);
}

/** A tensor whose elements stand in another file. */
export function writeExternalTensorTo(
  writer: ProtoWriter,
  tensor: StoredTensor,
  name: string | undefined,
  part: ExternalPart,
): void {
  for (const extent of tensor.shape) writer.integer(TENSOR.shape, extent);
  writer.integer(TENSOR.dtype, ELEMENTS[tensor.dtype].code);
  writer.text(TENSOR.name, name);
  writer.text(TENSOR.doc, tensor.doc);
  writeEntries(
    writer,
    TENSOR.external,
    new Map([
      ["location", part.location],
      ["offset", String(part.offset)],
      ["length", String(part.length)],
    ]),
  );
  writer.integer(TENSOR.location, 1);
  writeEntries(writer, TENSOR.metadata, tensor.metadata);
  writer.raw(tensor.unknown);
}

export function writeSparseTo(writer: ProtoWriter, tensor: SparseTensor, name?: string): void {
  writer.message(SPARSE.values, (inner) => writeTensorTo(inner, tensor.values, name ?? tensor.values.name));
  writer.message(SPARSE.indices, (inner) => writeTensorTo(inner, tensor.indices, tensor.indices.name));
  for (const extent of tensor.shape) writer.integer(SPARSE.shape, extent);
}

/** Elements as raw bytes, checked against the shape: a hand-made tensor may not fit its own. */
export function rawBytes(tensor: Tensor, name = ""): Uint8Array {
  const what = `tensor "${name}"`;
  const expected = byteLength(tensor.dtype, elementCount(tensor.shape, what));
  const { storage } = ELEMENTS[tensor.dtype];
  const data = tensor.data as Exclude<TensorData, readonly string[]>;
  if (!(data instanceof storage))
    throw new InputError(`${what} of ${tensor.dtype} must hold its elements in a ${storage.name}`);
  if (data.byteLength !== expected)
    throw new InputError(
      `${what}: ${tensor.dtype} [${tensor.shape.join(", ")}] takes ${expected} bytes, its data has ${data.byteLength}`,
    );
  return bytesOf(data);
}

interface TensorParts {
  code: number;
  shape: number[];
  name: string;
  doc: string;
  metadata: Map<string, string>;
  raw: Uint8Array | null;
  /** Where typed elements lie: start and end in turn. */
  typed: Map<number, number[]>;
  strings: string[];
  external: Map<string, string>;
  isExternal: boolean;
  segmented: boolean;
  unknown: Uint8Array[];
}

/** The fields of a TensorProto with its elements still undecoded. */
export function tensorParts(reader: ProtoReader): TensorParts {
  const parts: TensorParts = {
    code: 0,
    shape: [],
    name: "",
    doc: "",
    metadata: new Map(),
    raw: null,
    typed: new Map(),
    strings: [],
    external: new Map(),
    isExternal: false,
    segmented: false,
    unknown: [],
  };
  for (let field = reader.next(); field; field = reader.next()) {
    switch (field) {
      case TENSOR.shape:
        reader.integers(parts.shape);
        break;
      case TENSOR.dtype:
        parts.code = reader.integer();
        break;
      case TENSOR.name:
        parts.name = reader.string();
        break;
      case TENSOR.doc:
        parts.doc = reader.string();
        break;
      case TENSOR.raw:
        parts.raw = reader.view();
        break;
      case TENSOR.strings:
        parts.strings.push(reader.string());
        break;
      case TENSOR.floats:
      case TENSOR.doubles:
      case TENSOR.int32s:
      case TENSOR.int64s:
      case TENSOR.uint64s: {
        const ranges = parts.typed.get(field) ?? [];
        parts.typed.set(field, ranges);
        reader.elements(ranges);
        break;
      }
      case TENSOR.external:
        readEntries(reader, parts.external);
        break;
      case TENSOR.location:
        parts.isExternal = reader.integer() === 1;
        break;
      case TENSOR.metadata:
        readEntries(reader, parts.metadata);
        break;
      case TENSOR.segment:
        parts.segmented = true;
        reader.unknown();
        break;
      default:
        parts.unknown.push(reader.unknown());
    }
  }
  return parts;
}

function elementData(
  parts: TensorParts,
  dtype: DataType,
  count: number,
  what: string,
  context: ReadContext,
  reader: ProtoReader,
): TensorData {
  const { bits, field } = ELEMENTS[dtype];
  const shape = `${dtype} ${briefly(parts.shape)}`;
  if (parts.segmented)
    throw new InputError(`${what} is stored in segments, which no ONNX runtime reads either`);
  if (parts.isExternal) {
    if (dtype === "string") throw new InputError(`${what}: texts cannot lie in an external file`);
    const part = parseExternal(parts.external, what);
    return elementsOf(dtype, externalBytes(context.externalData, part, byteLength(dtype, count), what));
  }
  if (dtype === "string") {
    if (parts.strings.length !== count)
      throw new InputError(`${what}: ${shape} needs ${count} texts, the file has ${parts.strings.length}`);
    return parts.strings;
  }
  const expected = byteLength(dtype, count);
  if (parts.raw) {
    if (parts.raw.length !== expected)
      throw new InputError(`${what}: ${shape} needs ${expected} bytes, the file has ${parts.raw.length}`);
    return elementsOf(dtype, parts.raw);
  }
  const ranges = parts.typed.get(TENSOR[field]) ?? [];
  if (field === "floats" || field === "doubles")
    return fixedElements(ranges, dtype, expected, shape, what, reader);
  // One number of int32_data holds as many elements as fit a byte; the 6-bit floats have one each.
  const perNumber = bits === 4 ? 2 : bits === 2 ? 4 : 1;
  const numbers = Math.ceil(count / perNumber);
  requireCount(countVarints(reader.bytes, ranges), numbers, shape, what);
  if (bits === 64) return decode64(reader, ranges, dtype, count);
  const data = new (ELEMENTS[dtype].storage as Int32ArrayConstructor)(numbers);
  let at = 0;
  for (let i = 0; i < ranges.length; i += 2)
    reader.each(ranges[i]!, ranges[i + 1]!, (low) => {
      data[at++] = low;
    });
  return bits === 6 ? packSixBits(data, expected) : data;
}

function fixedElements(
  ranges: readonly number[],
  dtype: DataType,
  expected: number,
  shape: string,
  what: string,
  reader: ProtoReader,
): TensorData {
  let length = 0;
  for (let i = 0; i < ranges.length; i += 2) length += ranges[i + 1]! - ranges[i]!;
  requireCount(length, expected, shape, what, "bytes");
  if (ranges.length === 2) return elementsOf(dtype, reader.bytes.subarray(ranges[0], ranges[1]));
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    bytes.set(reader.bytes.subarray(ranges[i], ranges[i + 1]), at);
    at += ranges[i + 1]! - ranges[i]!;
  }
  return elementsOf(dtype, bytes);
}

function decode64(
  reader: ProtoReader,
  ranges: readonly number[],
  dtype: DataType,
  count: number,
): TensorData {
  const words = new Uint32Array(count * 2);
  let at = 0;
  for (let i = 0; i < ranges.length; i += 2)
    reader.each(ranges[i]!, ranges[i + 1]!, (low, high) => {
      words[at++] = low;
      words[at++] = high;
    });
  return elementsOf(dtype, new Uint8Array(words.buffer));
}

/** Codes of six bits, one a number, as the bit stream that raw data has: four in three bytes, low bits first. */
function packSixBits(codes: ArrayLike<number>, length: number): Uint8Array {
  const packed = new Uint8Array(length);
  for (let i = 0; i < codes.length; i++) {
    const bit = i * 6;
    const wide = (codes[i]! & 0x3f) << (bit % 8);
    packed[bit >> 3]! |= wide;
    if (wide > 0xff) packed[(bit >> 3) + 1]! |= wide >> 8;
  }
  return packed;
}

function countVarints(bytes: Uint8Array, ranges: readonly number[]): number {
  let count = 0;
  for (let i = 0; i < ranges.length; i += 2)
    for (let at = ranges[i]!; at < ranges[i + 1]!; at++) if (bytes[at]! < 0x80) count++;
  return count;
}

function requireCount(got: number, expected: number, shape: string, what: string, unit = "numbers"): void {
  if (got !== expected)
    throw new InputError(`${what}: ${shape} needs ${expected} ${unit}, the file has ${got}`);
}

function elementCount(shape: readonly number[], what: string): number {
  let count = 1;
  for (const extent of shape) {
    if (!(Number.isSafeInteger(extent) && extent >= 0))
      throw new InputError(`${what} has the shape ${briefly(shape)}; extents must be whole numbers from 0`);
    count *= extent;
  }
  if (!Number.isSafeInteger(count))
    throw new InputError(`${what} has the shape ${briefly(shape)}, more elements than any memory holds`);
  return count;
}

/** A shape for a message; a file may claim a million extents. */
function briefly(shape: readonly number[]): string {
  const shown = shape.slice(0, 8).join(", ");
  return shape.length > 8 ? `[${shown}, … ${shape.length} extents]` : `[${shown}]`;
}

function isStrings(tensor: Tensor): tensor is Tensor & { readonly data: readonly string[] } {
  return tensor.dtype === "string";
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

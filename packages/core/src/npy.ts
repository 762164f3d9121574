import { InputError } from "./errors.ts";
import type { Tensor } from "./tensor.ts";

/** Element types of NumPy's files that are read and written, by their descriptions there. */
const types = {
  "<f4": { dtype: "float32", bytes: 4, Array: Float32Array },
  "<f2": { dtype: "float16", bytes: 2, Array: Uint16Array },
  "<f8": { dtype: "float64", bytes: 8, Array: Float64Array },
  "<i4": { dtype: "int32", bytes: 4, Array: Int32Array },
  "|i1": { dtype: "int8", bytes: 1, Array: Int8Array },
  "|u1": { dtype: "uint8", bytes: 1, Array: Uint8Array },
} as const;

type Description = keyof typeof types;

/** What the header of a .npy file says: where the elements begin and what they are. */
export interface NpyHeader {
  readonly dtype: (typeof types)[Description]["dtype"];
  readonly shape: readonly number[];
  /** Byte at which the elements begin. */
  readonly start: number;
  readonly bytesPerElement: number;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * The header of a .npy file (version 1.0,
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), to be followed by the elements in
 * row-major order, little endian.
 */
export function npyHeader(shape: readonly number[], dtype: NpyHeader["dtype"] = "float32"): Uint8Array {
  const descr = (Object.keys(types) as Description[]).find((key) => types[key].dtype === dtype)!;
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${extents}), }`;
  const total = Math.ceil((10 + text.length + 1) / 64) * 64;
  const header = new Uint8Array(total).fill(0x20);
  header.set([...MAGIC, 1, 0, (total - 10) & 255, (total - 10) >> 8]);
  for (let i = 0; i < text.length; i++) header[10 + i] = text.charCodeAt(i);
  header[total - 1] = 0x0a;
  return header;
}

/**
 * Reads the header at the beginning of a .npy file, of which 4 KiB are enough. Throws an InputError that
 * names the file.
 */
export function readNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const refuse = (problem: string): never => {
    throw new InputError(`${name} ${problem}; write it again`);
  };
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) refuse("is no .npy file");
  const isLong = bytes[6] !== 1;
  const length = (bytes[8] ?? 0) + (bytes[9] ?? 0) * 256 + (isLong ? (bytes[10] ?? 0) * 65_536 : 0);
  const start = (isLong ? 12 : 10) + length;
  if (bytes.length < start || start > 65_536) refuse(`ends within its header, at byte ${bytes.length}`);
  const text = String.fromCharCode(...bytes.subarray(start - length, start));
  const descr = /'descr': *'([^']*)'/.exec(text)?.[1] ?? "";
  const extents = /'shape': *\(([\d, ]*)\)/.exec(text)?.[1];
  if (!/'fortran_order': *False/.test(text)) refuse("has its elements in the order of columns, not of rows");
  if (!(descr in types))
    refuse(`has elements of type ${JSON.stringify(descr)}; ${Object.keys(types).join(", ")} are read`);
  if (extents === undefined) return refuse("has no shape in its header");
  const { dtype, bytes: bytesPerElement } = types[descr as Description];
  const shape = (extents.match(/\d+/g) ?? []).map(Number);
  return { dtype, shape, start, bytesPerElement };
}

/** The bytes of a .npy file that holds `tensor`. */
export function writeNpy({ dtype, shape, data }: Tensor): Uint8Array {
  const known = Object.values(types).find((type) => type.dtype === dtype);
  if (known === undefined || !ArrayBuffer.isView(data))
    throw new InputError(`${dtype} is not written as .npy`);
  const header = npyHeader(shape, known.dtype);
  const file = new Uint8Array(header.length + data.byteLength);
  file.set(header);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return file;
}

/**
 * The tensor in the bytes of a .npy file; throws an InputError that names the file where they are too few or
 * too many.
 */
export function readNpy(bytes: Uint8Array, name: string): Tensor {
  const { dtype, shape, start, bytesPerElement } = readNpyHeader(bytes, name);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const expected = start + count * bytesPerElement;
  if (bytes.length !== expected)
    throw new InputError(
      `${name} has ${bytes.length} bytes where its header speaks of ${expected}; write it again`,
    );
  const { Array: Elements } = Object.values(types).find((type) => type.dtype === dtype)!;
  // Elements must begin at a multiple of their size; a Buffer's own slice would be a view.
  const own = Uint8Array.prototype.slice.call(bytes, start).buffer as ArrayBuffer;
  return { dtype, shape, data: new Elements(own, 0, count) };
}

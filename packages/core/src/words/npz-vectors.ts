import { InputError } from "../errors.ts";
import { fromHalfBits, halfBits } from "../half.ts";
import { npyHeader, readNpy } from "../npy.ts";
import type { Tensor } from "../tensor.ts";
import { crc32, isZipHead, readZipHead, writeZip, ZIP_HEAD, zipHeadLength } from "../zip.ts";
import type { ByteReader } from "./byte-reader.ts";
import { type ReadVectorsOptions, RowCollector, type VectorsRead } from "./row-collector.ts";
import { spelled } from "./spelling.ts";
import type { Subwords } from "./subwords.ts";
import type { WordVectors } from "./word-vectors.ts";

/** How numbers are kept in a file. */
export const VECTOR_STORAGES = ["float32", "float16", "int8"] as const;
/** One of the ways to keep numbers. */
export type VectorStorage = (typeof VECTOR_STORAGES)[number];

/**
 * The bytes of a NumPy archive of vectors: `words` (UTF-8 with line ends between, uint8), `vectors` [V, D] as
 * float32, float16 or int8; with int8 `scales` [V], by which a row is multiplied; where known `counts` [V]
 * float64, `subwords` [B, D] with
 * `subword_scales` [B], and `subword_lengths` [2] int32, the shortest and the longest sequence.
 */
export function* writeNpzVectors(vectors: WordVectors, storage: VectorStorage): Generator<Uint8Array, void> {
  const { words, dimension, counts, subwords } = vectors;
  for (const word of words)
    if (word.includes("\n") || /[\uD800-\uDFFF]/u.test(word))
      throw new InputError(
        `the word ${JSON.stringify(word)} has a line end or half a character in it and cannot be written; take it out`,
      );
  const text = spelled(words.join("\n"));
  const members = [
    member("words", [text.length], "uint8", text),
    ...stored("vectors", "scales", vectors.vectors, words.length, dimension, storage),
    ...(counts === null ? [] : [member("counts", [words.length], "float64", counts)]),
  ];
  if (subwords !== null) {
    const lengths = Int32Array.of(subwords.shortest, subwords.longest);
    members.push(
      ...stored("subwords", "subword_scales", subwords.table, subwords.buckets, dimension, storage),
      member("subword_lengths", [2], "int32", lengths),
    );
  }
  yield* writeZip(members);
}

function member(
  name: string,
  shape: readonly number[],
  dtype: Parameters<typeof npyHeader>[1],
  data: ArrayBufferView,
) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name: `${name}.npy`, pieces: [npyHeader(shape, dtype), bytes] };
}

function stored(
  name: string,
  scaleName: string,
  data: Float32Array,
  rows: number,
  columns: number,
  storage: VectorStorage,
) {
  const shape = [rows, columns];
  if (storage === "float32") return [member(name, shape, "float32", data)];
  if (storage === "float16")
    return [
      member(
        name,
        shape,
        "float16",
        Uint16Array.from(data, (value) => halfBits(value)),
      ),
    ];
  const { bytes, scales } = quantised(data, rows, columns);
  return [member(name, shape, "int8", bytes), member(scaleName, [rows], "float32", scales)];
}

/**
 * Rows as bytes from −127 to 127 and what each is to be multiplied by, so that the largest number of a row is
 * 127.
 */
export function quantised(
  data: Float32Array,
  rows: number,
  columns: number,
): { bytes: Int8Array; scales: Float32Array } {
  const bytes = new Int8Array(rows * columns);
  const scales = new Float32Array(rows);
  for (let i = 0; i < rows; i++) {
    let most = 0;
    for (let j = 0; j < columns; j++) most = Math.max(most, Math.abs(data[i * columns + j]!));
    scales[i] = most / 127;
    if (scales[i] === 0) continue;
    for (let j = 0; j < columns; j++)
      bytes[i * columns + j] = Math.max(-127, Math.min(127, Math.round(data[i * columns + j]! / scales[i]!)));
  }
  return { bytes, scales };
}

/** Most bytes of a packed member once unpacked, for each packed byte: deflate reaches 1032. */
const MOST_UNPACKED = 1032;
const MEMBERS = new Set(
  "words vectors scales counts subwords subword_scales subword_lengths"
    .split(" ")
    .map((name) => `${name}.npy`),
);

/**
 * Vectors from a NumPy archive as `writeNpzVectors` describes it; packed ones (numpy.savez_compressed) are
 * read, too.
 */
export async function readNpzVectors(
  reader: ByteReader,
  size: number | null,
  options: ReadVectorsOptions = {},
): Promise<VectorsRead> {
  const members = await readMembers(reader, size);
  const take = (name: string): Tensor | null => {
    const bytes = members.get(`${name}.npy`);
    return bytes === undefined ? null : readNpy(bytes, `${reader.name}: ${name}.npy`);
  };
  const need = (name: string): Tensor =>
    take(name) ??
    reader.fail(`has no array "${name}"; word vectors are the arrays words and vectors (docs/embeddings.md)`);
  const text = need("words");
  if (text.dtype !== "uint8")
    reader.fail(`has words of type ${text.dtype}; UTF-8 bytes (uint8) were expected`);
  const words = decoded(text.data as Uint8Array, reader).split("\n");
  const table = need("vectors");
  const [rows, dimension] = table.shape as [number, number];
  if (table.shape.length !== 2 || rows !== words.length)
    reader.fail(`has ${words.length} words and vectors of shape [${table.shape.join(", ")}]`);
  const vectors = numbersOf(table, take("scales"), reader, "scales");
  const counted = take("counts");
  if (counted !== null && (counted.dtype !== "float64" || counted.data.length !== rows))
    reader.fail(`has ${rows} words and counts of type ${counted.dtype} [${counted.shape.join(", ")}]`);
  const counts = counted === null ? null : (counted.data as Float64Array);
  const subwords = subwordsOf(take, dimension, reader);
  const collector = new RowCollector(reader.name, dimension, rows, 0, options);
  collector.rows = vectors; // rows that are left out are overwritten by those that follow
  for (const [i, word] of words.entries()) {
    if (collector.isFull) break;
    if (collector.count !== i) vectors.copyWithin(collector.place, i * dimension, (i + 1) * dimension);
    collector.accept(word, `word ${i + 1}`, counts?.[i] ?? null);
  }
  return collector.done(subwords);
}

function subwordsOf(
  take: (name: string) => Tensor | null,
  dimension: number,
  reader: ByteReader,
): Subwords | null {
  const table = take("subwords");
  const lengths = take("subword_lengths");
  if (table === null || lengths === null) return null;
  const [buckets, columns] = table.shape;
  const [shortest, longest] = lengths.data as Int32Array;
  if (table.shape.length !== 2 || columns !== dimension || buckets! < 1)
    reader.fail(`has subwords of shape [${table.shape.join(", ")}] for vectors of ${dimension} numbers`);
  if (!(lengths.dtype === "int32" && shortest! >= 1 && longest! >= shortest! && longest! <= 64))
    reader.fail("has subword_lengths that are no two ascending lengths");
  const numbers = numbersOf(table, take("subword_scales"), reader, "subword_scales");
  return { shortest: shortest!, longest: longest!, buckets: buckets!, table: numbers };
}

function numbersOf(
  { dtype, shape, data }: Tensor,
  scales: Tensor | null,
  reader: ByteReader,
  scaleName: string,
): Float32Array {
  if (dtype === "float32") return data as Float32Array;
  if (dtype === "float64") return Float32Array.from(data as Float64Array);
  if (dtype === "float16") return Float32Array.from(data as Uint16Array, fromHalfBits);
  if (dtype !== "int8") return reader.fail(`has vectors of type ${dtype}; float32, float16 or int8 are read`);
  if (scales?.dtype !== "float32" || scales.data.length !== shape[0])
    return reader.fail(`has vectors of int8 without their "${scaleName}" [${shape[0]}], float32`);
  const columns = shape[1]!;
  const factors = scales.data as Float32Array;
  const bytes = data as Int8Array;
  const numbers = new Float32Array(bytes.length);
  for (let i = 0; i < factors.length; i++)
    for (let j = i * columns; j < (i + 1) * columns; j++) numbers[j] = bytes[j]! * factors[i]!;
  return numbers;
}

function decoded(bytes: Uint8Array, reader: ByteReader): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return reader.fail("has words that are no UTF-8");
  }
}

async function readMembers(reader: ByteReader, size: number | null): Promise<Map<string, Uint8Array>> {
  const members = new Map<string, Uint8Array>();
  while ((await reader.has(ZIP_HEAD)) && isZipHead(reader.bytes.subarray(reader.at))) {
    const fixed = Uint8Array.from(await reader.take(ZIP_HEAD, "a member's head"));
    const head = readZipHead(fixed, await reader.take(zipHeadLength(fixed), "a member's head"));
    if (typeof head === "string") return reader.fail(`cannot be read: ${head}; save it with numpy.savez`);
    const { name, packed, isPacked } = head;
    if (size !== null && packed > size - reader.position)
      reader.fail(`ends within its member ${JSON.stringify(name)}; it was cut off`);
    if (size === null && packed > 2 ** 31)
      reader.fail(`has a member of ${packed} bytes inside a packed file; unpack it first`);
    if (!MEMBERS.has(name) || members.has(name)) {
      for (let left = packed; left > 0; ) {
        const count = Math.min(left, 2 ** 20);
        await reader.take(count, `its member ${JSON.stringify(name)}`);
        left -= count;
      }
      continue;
    }
    const bytes = new Uint8Array(packed);
    await reader.fill(bytes, `its member ${JSON.stringify(name)}`);
    if (isPacked && head.size > MOST_UNPACKED * packed + 64)
      reader.fail(
        `says of its member ${JSON.stringify(name)} that it unpacks to ${head.size} bytes; it is damaged`,
      );
    const content = isPacked ? await inflated(bytes, head.size, name, reader) : bytes;
    if (crc32(content) !== head.crc)
      reader.fail(`has a damaged member ${JSON.stringify(name)}; fetch or write it again`);
    members.set(name, content);
  }
  return members;
}

async function inflated(
  bytes: Uint8Array,
  size: number,
  name: string,
  reader: ByteReader,
): Promise<Uint8Array> {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  const writing = writer.write(bytes).then(
    () => writer.close(),
    () => {},
  );
  writing.catch(() => {}); // what is wrong shows in reading
  const content = new Uint8Array(size);
  let at = 0;
  const unpacked = stream.readable.getReader();
  try {
    for (;;) {
      const { value, done } = await unpacked.read();
      if (done || value === undefined) break;
      if (at + value.length > size) break;
      content.set(value, at);
      at += value.length;
    }
  } catch {
    at = -1;
  }
  await unpacked.cancel().catch(() => {});
  if (at !== size)
    reader.fail(`has a member ${JSON.stringify(name)} that does not unpack to ${size} bytes; it is damaged`);
  return content;
}

import { readBinaryVectors } from "./binary-vectors.ts";
import { ByteReader, type ByteSource } from "./byte-reader.ts";
import { FASTTEXT_MAGIC, readFasttextModel } from "./fasttext-model.ts";
import { readNpzVectors } from "./npz-vectors.ts";
import { LARGEST_DIMENSION, type ReadVectorsOptions, type VectorsRead } from "./row-collector.ts";
import { readTextVectors } from "./text-vectors.ts";

/** Most words a first line may promise. */
const MOST_WORDS = 2 ** 31;

/**
 * Reads word vectors, whatever form they are in: word2vec's text and binary, GloVe's text, fastText's `.vec`
 * and `.bin`, NumPy's
 * `.npz`. The form is known by its first bytes, not by the name. Throws an InputError that names the file and the place where
 * something is wrong; what a file promises is believed only as far as its size allows.
 */
export async function readWordVectors(
  source: ByteSource,
  options: ReadVectorsOptions = {},
): Promise<VectorsRead> {
  const { size } = source;
  const reader = new ByteReader(source);
  try {
    if (!(await reader.has(1))) reader.fail("is empty; there are no vectors to read");
    await reader.has(4);
    const { bytes, at } = reader;
    if (bytes[at] === 0x50 && bytes[at + 1] === 0x4b) return await readNpzVectors(reader, size, options);
    if (
      reader.left >= 4 &&
      new DataView(bytes.buffer, bytes.byteOffset + at).getInt32(0, true) === FASTTEXT_MAGIC
    )
      return await readFasttextModel(reader, size, options);
    const header = await readHeader(reader);
    if (header === null) return await readTextVectors(reader, size, null, options);
    return (await isText(reader, header.dimension))
      ? await readTextVectors(reader, size, header, options)
      : await readBinaryVectors(reader, size, header, options);
  } finally {
    await reader.close();
  }
}

/**
 * V and D of a first line that holds two whole numbers and no more; null where it is no such line, which then
 * stays.
 */
async function readHeader(reader: ByteReader): Promise<{ words: number; dimension: number } | null> {
  await reader.has(64);
  const begin = reader.bytes.subarray(reader.at, reader.at + 64);
  const text = String.fromCharCode(...begin);
  const found = /^(\d+)[ \t]+(\d+)[ \t]*\r?\n/.exec(text);
  if (found === null) return null;
  const [words, dimension] = [Number(found[1]), Number(found[2])];
  if (words < 1 || words > MOST_WORDS || dimension < 1 || dimension > LARGEST_DIMENSION)
    reader.fail(`promises ${words} words of ${dimension} numbers in its first line; it is damaged`);
  reader.at += found[0].length;
  return { words, dimension };
}

/**
 * Whether what follows the first word is text: up to the line's end there are D fields of printable
 * characters, half of them numbers at least, or as far as one looks nothing but numbers. Four bytes of a
 * float32 seldom look so, and rows have many.
 */
async function isText(reader: ByteReader, dimension: number): Promise<boolean> {
  await reader.has(4096 + 32 * dimension);
  const { bytes, at } = reader;
  let from = at;
  while (from < bytes.length && (bytes[from] === 10 || bytes[from] === 13)) from++;
  from = bytes.indexOf(32, from) + 1;
  if (from === 0) return true; // no blank: the reader of text says what is wrong
  const lineEnd = bytes.indexOf(10, from);
  const end = lineEnd < 0 ? bytes.length : lineEnd;
  for (let i = from; i < end; i++)
    if (bytes[i]! > 126 || (bytes[i]! < 32 && bytes[i] !== 9 && bytes[i] !== 13)) return false;
  const fields = String.fromCharCode(...bytes.subarray(from, Math.min(end, from + 4096)))
    .split(/[ \t\r]+/)
    .filter((field) => field !== "");
  const isNumber = (field: string) => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^[+-]?(nan|inf)/i.test(field);
  const numbers = fields.filter(isNumber).length;
  return fields.length === dimension ? 2 * numbers >= dimension : numbers > 0 && numbers >= fields.length - 1;
}

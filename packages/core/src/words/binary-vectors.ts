import type { ByteReader } from "./byte-reader.ts";
import { LONGEST_WORD, type ReadVectorsOptions, RowCollector, type VectorsRead } from "./row-collector.ts";
import { readWord, requireWritable, spelled } from "./spelling.ts";
import type { WordVectors } from "./word-vectors.ts";

const [LINE_END, BLANK] = [10, 32];

/**
 * Vectors in word2vec's binary form, after its first line: a word, a blank, D float32 little endian, and a
 * line end that some writers leave out.
 */
export async function readBinaryVectors(
  reader: ByteReader,
  size: number | null,
  header: { readonly words: number; readonly dimension: number },
  options: ReadVectorsOptions = {},
): Promise<VectorsRead> {
  const { words, dimension } = header;
  const rowBytes = 4 * dimension;
  const most = size === null ? null : Math.floor(size / (rowBytes + 2)) + 1;
  const collector = new RowCollector(reader.name, dimension, words, most, options);
  for (let i = 0; i < words && !collector.isFull; i++) {
    i += takeWhole(reader, collector, words - i, i);
    if (i === words || collector.isFull) break;
    if (!(await reader.has(1)))
      reader.fail(`promises ${words} words in its first line and ends after ${i}; it was cut off`);
    while (reader.bytes[reader.at] === LINE_END) {
      reader.at++;
      if (!(await reader.has(1))) reader.fail(`ends after ${i} of ${words} words; it was cut off`);
    }
    const where = `word ${i + 1}`;
    const spelling = await reader.until(BLANK, LONGEST_WORD);
    if (spelling === null)
      reader.fail(
        `${where}: no blank ends it within ${LONGEST_WORD} bytes, at byte ${reader.position}; the file is damaged`,
      );
    const word = readWord(spelling, 0, spelling.length);
    takeRow(collector, word, where, await reader.take(rowBytes, `the numbers of ${where}`));
  }
  return collector.done();
}

/**
 * Takes the words that lie whole in what is at hand, `most` at most, without waiting for anything; how many
 * there were.
 */
function takeWhole(reader: ByteReader, collector: RowCollector, most: number, before: number): number {
  const { bytes } = reader;
  const rowBytes = 4 * collector.dimension;
  let taken = 0;
  while (taken < most && !collector.isFull) {
    let from = reader.at;
    while (bytes[from] === LINE_END) from++;
    const blank = bytes.indexOf(BLANK, from);
    if (blank < 0 || blank - from > LONGEST_WORD || blank + 1 + rowBytes > bytes.length) break;
    const word = readWord(bytes, from, blank);
    reader.at = blank + 1 + rowBytes;
    takeRow(collector, word, `word ${before + taken + 1}`, bytes.subarray(blank + 1, reader.at));
    taken++;
  }
  return taken;
}

function takeRow(collector: RowCollector, word: string | null, where: string, numbers: Uint8Array): void {
  // `place` may move the rows: it is asked before they are looked at.
  const place = collector.place;
  copyFloats(numbers, collector.rows, place, collector.dimension);
  if (word === null) collector.reject(where, "the word is no UTF-8");
  else if (word === "") collector.reject(where, "the word is empty");
  else collector.accept(word, where);
}

/** Copies little-endian float32 from wherever they begin. */
export function copyFloats(from: Uint8Array, into: Float32Array, at: number, count: number): void {
  new Uint8Array(into.buffer, into.byteOffset + 4 * at, 4 * count).set(from);
}

/** Rows handed on at once. */
const BLOCK = 1024;

/** The bytes of a file in word2vec's binary form. Throws an InputError where a word cannot stand in one. */
export function* writeBinaryVectors(vectors: WordVectors): Generator<Uint8Array, void> {
  const { words, dimension } = vectors;
  requireWritable(words, "a binary file");
  yield spelled(`${words.length} ${dimension}\n`);
  for (let from = 0; from < words.length; from += BLOCK) {
    const spellings = words.slice(from, from + BLOCK).map(spelled);
    const block = new Uint8Array(spellings.reduce((sum, { length }) => sum + length + 2 + 4 * dimension, 0));
    let at = 0;
    for (const [k, spelling] of spellings.entries()) {
      block.set(spelling, at);
      at += spelling.length;
      block[at++] = BLANK;
      const row = vectors.vectors.subarray((from + k) * dimension, (from + k + 1) * dimension);
      block.set(new Uint8Array(row.buffer, row.byteOffset, row.byteLength), at);
      at += row.byteLength;
      block[at++] = LINE_END;
    }
    yield block;
  }
}

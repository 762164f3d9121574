import type { ByteReader } from "./byte-reader.ts";
import { type Cursor, isBlank, readDecimal, writeDecimal } from "./decimal.ts";
import { LONGEST_WORD, type ReadVectorsOptions, RowCollector, type VectorsRead } from "./row-collector.ts";
import { readWord, requireWritable } from "./spelling.ts";
import type { WordVectors } from "./word-vectors.ts";

/** Shortest form of a number in text, with the blank before it. */
const LEAST_NUMBER = 2;
/** Bytes a number may take: `-1.23456789012345678e-308` and some. */
const LONGEST_NUMBER = 32;
const LINE_END = 10;

/**
 * Vectors as text, a word and its numbers a line: word2vec's and fastText's `.vec` after a line with V and D
 * (`header`), or GloVe's without one. In GloVe's files a word may hold blanks: the last D fields are the
 * numbers.
 */
export async function readTextVectors(
  reader: ByteReader,
  size: number | null,
  header: { readonly words: number; readonly dimension: number } | null,
  options: ReadVectorsOptions = {},
): Promise<VectorsRead> {
  const dimension = header?.dimension ?? (await firstDimension(reader));
  const most = size === null ? null : Math.floor(size / (1 + LEAST_NUMBER * dimension)) + 1;
  const collector = new RowCollector(reader.name, dimension, header?.words ?? most, most, options);
  const longest = LONGEST_WORD + LONGEST_NUMBER * dimension;
  let line = header === null ? 0 : 1;
  const cursor: Cursor = { at: 0 };
  while (!collector.isFull && (header === null || collector.handled < header.words)) {
    if (!(await reader.has(1))) break;
    const at = reader.bytes.indexOf(LINE_END, reader.at);
    line++;
    if (at >= 0) {
      const from = reader.at;
      reader.at = at + 1;
      readLine(reader.bytes, from, at, collector, cursor, line);
      continue;
    }
    const bytes = await reader.until(LINE_END, longest);
    if (bytes !== null) readLine(bytes, 0, bytes.length, collector, cursor, line);
    else if (reader.left > longest)
      reader.fail(
        `line ${line} is longer than a word and ${dimension} numbers; this is no text file of vectors`,
      );
    else {
      const rest = await reader.take(reader.left, `line ${line}`);
      readLine(rest, 0, rest.length, collector, cursor, line);
    }
  }
  if (header !== null && !collector.isFull && collector.handled < header.words)
    reader.fail(
      `promises ${header.words} words in its first line and ends after ${collector.handled}; it was cut off`,
    );
  return collector.done();
}

/** Fields of the first line but one, which stays to be read. */
async function firstDimension(reader: ByteReader): Promise<number> {
  const start = reader.at;
  let end = -1;
  for (let wanted = 4096; end < 0; wanted *= 2) {
    const isMore = await reader.has(wanted);
    end = reader.bytes.indexOf(LINE_END, reader.at);
    if (!isMore && end < 0) end = reader.bytes.length;
    if (wanted > 2 ** 22 && end < 0) reader.fail("has a first line of megabytes; this is no file of vectors");
  }
  const from = reader.at === start ? start : reader.at;
  let fields = 0;
  for (let at = from; at < end; at++)
    if (!isBlank(reader.bytes[at]!) && (at === from || isBlank(reader.bytes[at - 1]!))) fields++;
  if (fields < 2) reader.fail("begins with no word and its numbers; this is no file of vectors");
  return fields - 1;
}

function readLine(
  bytes: Uint8Array,
  from: number,
  lineEnd: number,
  collector: RowCollector,
  cursor: Cursor,
  line: number,
): boolean {
  let end = lineEnd;
  while (end > from && isBlank(bytes[end - 1]!)) end--;
  if (end === from) return true;
  const where = `line ${line}`;
  const { dimension, place } = collector;
  const wordEnd = endOfWord(bytes, from, end, dimension);
  if (wordEnd < 0) return collector.reject(where, `has fewer than ${dimension} numbers behind its word`);
  const word = readWord(bytes, from, wordEnd);
  if (word === null) return collector.reject(where, "the word is no UTF-8");
  const { rows } = collector;
  cursor.at = wordEnd;
  for (let d = 0; d < dimension; d++) {
    while (isBlank(bytes[cursor.at]!)) cursor.at++;
    const start = cursor.at;
    const value = readDecimal(bytes, cursor, end);
    if (Number.isNaN(value)) {
      const shown = JSON.stringify(
        String.fromCharCode(...bytes.subarray(start, Math.min(start + 20, cursor.at))),
      );
      return collector.reject(where, `number ${d + 1} is ${shown}`);
    }
    rows[place + d] = value;
  }
  return collector.accept(word, where);
}

/** Where the word ends so that `dimension` fields follow; −1 where there are fewer. */
function endOfWord(bytes: Uint8Array, from: number, end: number, dimension: number): number {
  let at = end;
  for (let field = 0; field < dimension; field++) {
    while (at > from && !isBlank(bytes[at - 1]!)) at--;
    if (at === from) return -1;
    while (at > from && isBlank(bytes[at - 1]!)) at--;
  }
  return at === from ? -1 : at;
}

/** Lines of about this many bytes together are handed on at once. */
const BLOCK = 2 ** 18;

/**
 * The bytes of a text file of vectors, word2vec's with its first line, or GloVe's without. Numbers are the
 * shortest that read back as the same. Throws an InputError where a word cannot stand in such a file.
 */
export function* writeTextVectors(
  vectors: WordVectors,
  { header }: { readonly header: boolean },
): Generator<Uint8Array, void> {
  requireWritable(vectors.words, "a text file");
  const { dimension, words } = vectors;
  const encoder = new TextEncoder();
  let text = header ? `${words.length} ${dimension}\n` : "";
  for (const [i, word] of words.entries()) {
    text += word;
    for (let d = 0; d < dimension; d++) text += ` ${writeDecimal(vectors.vectors[i * dimension + d]!)}`;
    text += "\n";
    if (text.length >= BLOCK) {
      yield encoder.encode(text);
      text = "";
    }
  }
  if (text !== "") yield encoder.encode(text);
}

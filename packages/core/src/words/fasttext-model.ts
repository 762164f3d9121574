import type { ByteReader } from "./byte-reader.ts";
import { LONGEST_WORD, type ReadVectorsOptions, RowCollector, type VectorsRead } from "./row-collector.ts";
import { readWord } from "./spelling.ts";
import { subwordBuckets } from "./subwords.ts";

/** First four bytes of fastText's models, little endian. */
export const FASTTEXT_MAGIC = 793_712_314;
const NEWEST_VERSION = 12;
/** Most buckets and words that are read: 16 times what fastText's own models have. */
const MOST_ROWS = 2 ** 25;

/**
 * The input vectors of a fastText model (`.bin`): each word's mean over its own row and those of its
 * character sequences, and the buckets for words it does not know. After fastText's args.cc, dictionary.cc
 * and densematrix.cc. Quantised models (`.ftz`) are refused; labels of supervised ones are left out.
 */
export async function readFasttextModel(
  reader: ByteReader,
  size: number | null,
  options: ReadVectorsOptions = {},
): Promise<VectorsRead> {
  const head = numbers(await reader.take(64, "its head"));
  const version = head.int(4);
  if (version < 11 || version > NEWEST_VERSION)
    reader.fail(`is a fastText model of version ${version}; 11 and ${NEWEST_VERSION} are read`);
  const dimension = head.int(8);
  const isSupervised = head.int(32) === 3;
  const buckets = head.int(40);
  // Supervised models of version 11 have no sequences, whatever they say: fastText.cc sets maxn to 0.
  const longest = version === 11 && isSupervised ? 0 : head.int(48);
  const shortest = head.int(44);
  const sizes = numbers(await reader.take(28, "its dictionary"));
  const [entries, known] = [sizes.int(0), sizes.int(4)];
  const pruned = sizes.long(20);
  if (
    entries < 1 ||
    known < 1 ||
    known > entries ||
    entries > MOST_ROWS ||
    buckets < 0 ||
    buckets > MOST_ROWS
  )
    reader.fail(`speaks of ${entries} entries, ${known} words and ${buckets} buckets; it is damaged`);
  if (longest < 0 || longest > 64 || shortest < 0)
    reader.fail("has sequences of impossible length; it is damaged");
  const words: (string | null)[] = [];
  const counts: number[] = [];
  for (let i = 0; i < entries; i++) {
    const spelling = await reader.until(0, LONGEST_WORD);
    if (spelling === null) reader.fail(`entry ${i + 1} of its dictionary does not end; it is damaged`);
    const word = readWord(spelling, 0, spelling.length);
    const about = numbers(await reader.take(9, `entry ${i + 1} of its dictionary`));
    if (about.byte(8) === 0) {
      words.push(word);
      counts.push(about.long(0));
    }
  }
  if (words.length !== known) reader.fail(`promises ${known} words and has ${words.length}; it is damaged`);
  if (pruned > 0 || (await reader.take(1, "its matrix"))[0] !== 0)
    reader.fail("is a quantised fastText model; its full-precision .bin is read");
  const extents = numbers(await reader.take(16, "its matrix"));
  const [rows, columns] = [extents.long(0), extents.long(8)];
  if (columns !== dimension || rows !== known + buckets)
    reader.fail(
      `has a matrix of ${rows} × ${columns} where ${known + buckets} × ${dimension} was expected; it is damaged`,
    );
  if (size !== null && rows * columns * 4 > size - reader.position)
    reader.fail(`ends within its matrix: ${rows} × ${columns} numbers do not fit into ${size} bytes`);
  const collector = new RowCollector(reader.name, dimension, known, known, options);
  const own = new Float32Array(known * dimension);
  await reader.fill(new Uint8Array(own.buffer), "its matrix");
  const table = new Float32Array(buckets * dimension);
  await reader.fill(new Uint8Array(table.buffer), "its matrix");
  const subwords = longest === 0 || buckets === 0 ? null : { shortest, longest, buckets, table };
  for (const [i, word] of words.entries()) {
    if (collector.isFull) break;
    const where = `word ${i + 1}`;
    const { place, rows: target } = collector;
    const parts = subwords === null || word === null || word === "</s>" ? [] : subwordBuckets(word, subwords);
    for (let d = 0; d < dimension; d++) {
      let sum = own[i * dimension + d]!;
      for (const bucket of parts) sum += table[bucket * dimension + d]!;
      target[place + d] = sum / (1 + parts.length);
    }
    if (word === null) collector.reject(where, "the word is no UTF-8");
    else collector.accept(word, where, counts[i]!);
  }
  return collector.done(subwords);
}

/** Little-endian numbers by their place. */
function numbers(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    byte: (at: number) => view.getUint8(at),
    int: (at: number) => view.getInt32(at, true),
    long: (at: number) => Number(view.getBigInt64(at, true)),
  };
}

import { InputError } from "../errors.ts";
import type { Model } from "../ir/graph.ts";
import { type Options, resolveSettings, type Settings } from "../options.ts";
import type { Feeds } from "../runtime/runtime.ts";
import type { SparseMatrix } from "../tensor.ts";
import { tfidfTrunk } from "./tfidf-graph.ts";
import { fixedTerms, growingTerms, type TermSettings, type Terms } from "./tfidf-terms.ts";

/** Settings of `fitTfidf`. */
export const tfidfOptions = {
  words: {
    type: "number",
    default: 2,
    min: 0,
    max: 5,
    about: "longest sequence of words counted; 0 for none",
  },
  characters: {
    type: "number",
    default: 5,
    min: 0,
    max: 8,
    about: "longest sequence of characters within a word; 0 for none",
  },
  unspaced: {
    type: "number",
    default: 3,
    min: 0,
    max: 5,
    about: "longest sequence of characters in scripts without spaces (Chinese, Japanese, Thai); 0 for none",
  },
  minCount: {
    type: "number",
    default: 2,
    min: 1,
    about: "a term must occur in at least this many texts; 1 where there are fewer than 1000 texts",
  },
  maxFeatures: {
    type: "number",
    default: 100_000,
    min: 1,
    about: "terms kept, those of the most texts first",
  },
  wordWeight: {
    type: "number",
    default: 1,
    min: 0,
    about: "weight of words against characters; each kind has length 1 before it is weighed",
  },
} as const satisfies Options;

/** TF-IDF of words and characters, fitted to texts: the features of a text model without transfer. */
export interface Tfidf {
  /** V, the number of terms: the extent of a row. */
  readonly size: number;
  /**
   * The terms in the order of the columns [V]: "w:" words, "c:" characters within a word, "z:" characters
   * without spaces.
   */
  readonly terms: readonly string[];
  /** Inverse document frequency of each term [V]. */
  readonly idf: Float32Array;
  /** Differs wherever two of them could give different features. */
  readonly fingerprint: string;
  /** Features [N, V], each row of length 1 (or 0 where no term is known); a row depends on its own text alone. */
  transform(texts: readonly string[]): SparseMatrix;
  /**
   * The same as inputs of `trunk`: `feature_ids` int64 and `feature_weights` float32, both [N, L] with L the
   * most terms of a row, or `length` where given. Places left over have the id V and weight 0.
   */
  feeds(texts: readonly string[], length?: number): Feeds;
  /** Places a text needs, known terms rounded up to a power of two (from 64): depends on this text alone. */
  lengthOf(text: string): number;
  /** The graph from `feature_ids`, `feature_weights` [batch, L] to `features` [batch, V]. */
  trunk(): Model;
  /** All that `readTfidf` needs, as plain data. */
  toJSON(): TfidfJson;
}

/** Stored form of a Tfidf. */
export interface TfidfJson {
  readonly format: "graft-tfidf";
  readonly version: 2;
  readonly settings: TermSettings & { readonly wordWeight: number };
  /** N, the number of texts it was fitted to. */
  readonly texts: number;
  /** Terms in the order of the columns. */
  readonly terms: readonly string[];
  /** Texts that hold each term [V]. */
  readonly counts: readonly number[];
}

/**
 * Learns the vocabulary and the weight of each term: sublinear term frequency 1 + ln tf times smoothed
 * inverse document frequency ln((1 + N) / (1 + df)) + 1 (as scikit-learn's TfidfVectorizer has it), words and
 * characters each scaled to length 1 (Salton and Buckley 1988). Throws InputError where no text holds a term.
 */
export function fitTfidf(
  texts: readonly string[],
  given: Partial<Settings<typeof tfidfOptions>> = {},
): Tfidf {
  const { words, characters, unspaced, minCount, maxFeatures, wordWeight } = resolveSettings(
    "TF-IDF",
    tfidfOptions,
    given,
  );
  const settings = {
    words: [1, words],
    characters: [Math.min(2, characters), characters],
    unspaced: [1, unspaced],
    wordWeight,
  } as const;
  const least = given.minCount === undefined && texts.length < 1000 ? 1 : minCount;
  const { terms, counts } = countTerms(texts, settings);
  const frequent = [...counts.keys()].filter((number) => counts[number]! >= least);
  if (frequent.length === 0)
    throw new InputError(
      `TF-IDF: none of the ${texts.length} texts holds a word that occurs in ${least} of them; check the text column`,
    );
  const kept = mostFrequent(frequent, counts, maxFeatures, terms.nameOf);
  const vocabulary = kept.map((number) => ({ term: terms.nameOf(number), count: counts[number]! }));
  vocabulary.sort((a, b) => (a.term < b.term ? -1 : 1));
  return readTfidf({
    format: "graft-tfidf",
    version: 2,
    settings,
    texts: texts.length,
    terms: vocabulary.map(({ term }) => term),
    counts: vocabulary.map(({ count }) => count),
  });
}

/** In how many texts each term occurs, by its number; 0 for numbers that are no term. */
function countTerms(texts: readonly string[], settings: TermSettings): { terms: Terms; counts: Int32Array } {
  const terms = growingTerms(settings);
  let counts = new Int32Array(1024);
  let last = new Int32Array(1024);
  for (const [i, text] of texts.entries()) {
    const found = terms.of(text);
    if (terms.size > counts.length) {
      counts = enlarged(counts, 2 * terms.size);
      last = enlarged(last, 2 * terms.size);
    }
    for (let j = 0; j < found.length; j++) {
      const number = found[j]!;
      if (last[number] === i + 1) continue;
      last[number] = i + 1;
      counts[number]!++;
    }
  }
  return { terms, counts };
}

/** The `most` terms of the most texts. Ties by the term itself, so that the order of the texts does not matter. */
function mostFrequent(
  numbers: readonly number[],
  counts: Int32Array,
  most: number,
  nameOf: (number: number) => string,
): readonly number[] {
  if (numbers.length <= most) return numbers;
  const limit = Int32Array.from(numbers, (number) => counts[number]!).sort()[numbers.length - most]!;
  const above = numbers.filter((number) => counts[number]! > limit);
  const ties = numbers
    .filter((number) => counts[number] === limit)
    .map((number) => ({ number, name: nameOf(number) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...above, ...ties.slice(0, most - above.length).map(({ number }) => number)];
}

function enlarged(old: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(old);
  return larger;
}

/** A Tfidf from its stored form. Throws InputError where that is no such thing. */
export function readTfidf(json: TfidfJson): Tfidf {
  check(json);
  const size = json.terms.length;
  const idf = Float32Array.from(json.counts, (count) => Math.log((1 + json.texts) / (1 + count)) + 1);
  const rowOf = weigher(json, idf);
  return {
    size,
    terms: json.terms,
    idf,
    fingerprint: `tfidf-2-${hash(JSON.stringify(json))}`,
    transform(texts) {
      const offsets = new Int32Array(texts.length + 1);
      let indices = new Int32Array(64 * texts.length);
      let values = new Float32Array(indices.length);
      for (const [i, text] of texts.entries()) {
        const { ids, weights } = rowOf(text);
        const [from, to] = [offsets[i]!, offsets[i]! + ids.length];
        offsets[i + 1] = to;
        if (to > indices.length) {
          indices = enlarged(indices, 2 * to);
          const larger = new Float32Array(2 * to);
          larger.set(values);
          values = larger;
        }
        indices.set(ids, from);
        values.set(weights, from);
      }
      const end = offsets[texts.length]!;
      return {
        rows: texts.length,
        columns: size,
        offsets,
        indices: indices.slice(0, end),
        values: values.slice(0, end),
      };
    },
    feeds(texts, length) {
      const rows = texts.map((text) => {
        const { ids, weights } = rowOf(text);
        return { ids: ids.slice(), weights: weights.slice() };
      });
      const longest = rows.reduce((most, { ids }) => Math.max(most, ids.length), 1);
      const width = length ?? longest;
      if (width < longest) throw new RangeError(`TF-IDF: a text has ${longest} terms, more than ${width}`);
      const ids = new BigInt64Array(texts.length * width).fill(BigInt(size));
      const weights = new Float32Array(texts.length * width);
      for (const [i, row] of rows.entries()) {
        for (const [j, id] of row.ids.entries()) ids[i * width + j] = BigInt(id);
        weights.set(row.weights, i * width);
      }
      const shape = [texts.length, width];
      return {
        feature_ids: { dtype: "int64", shape, data: ids },
        feature_weights: { dtype: "float32", shape, data: weights },
      };
    },
    lengthOf(text) {
      return 2 ** Math.max(6, Math.ceil(Math.log2(Math.max(1, rowOf(text).ids.length))));
    },
    trunk: () => tfidfTrunk(size),
    toJSON: () => json,
  };
}

/** 1 + ln tf, the usual ones looked up. */
const frequencies = Float64Array.from({ length: 64 }, (_, count) => 1 + Math.log(count));
const frequency = (count: number) => frequencies[count] ?? 1 + Math.log(count);

/** What gives the columns of a text, ascending, and their weights; both are used again by the next call. */
function weigher(
  { settings, terms: names }: TfidfJson,
  idf: Float32Array,
): (text: string) => { ids: Int32Array; weights: Float32Array } {
  const terms = fixedTerms(names, settings);
  const isWord = Uint8Array.from(names, (name) => (name.startsWith("w:") ? 1 : 0));
  const counts = new Int32Array(names.length);
  let ids = new Int32Array(256);
  let raw = new Float64Array(256);
  let weights = new Float32Array(256);
  return (text) => {
    const found = terms.of(text);
    if (found.length > ids.length) {
      ids = new Int32Array(2 * found.length);
      raw = new Float64Array(2 * found.length);
      weights = new Float32Array(2 * found.length);
    }
    let size = 0;
    for (let j = 0; j < found.length; j++) if (counts[found[j]!]!++ === 0) ids[size++] = found[j]!;
    ids.subarray(0, size).sort();
    // Words and characters (of either sort) are each brought to length 1, so that the many character terms do
    // not drown the words.
    const squares = [0, 0];
    for (let j = 0; j < size; j++) {
      const id = ids[j]!;
      const weight = frequency(counts[id]!) * idf[id]!;
      counts[id] = 0;
      raw[j] = weight;
      squares[isWord[id]!]! += weight * weight;
    }
    const scale = [1 / Math.sqrt(squares[0]!), settings.wordWeight / Math.sqrt(squares[1]!)];
    let square = 0;
    for (let j = 0; j < size; j++) {
      raw[j]! *= scale[isWord[ids[j]!]!]!;
      square += raw[j]! * raw[j]!;
    }
    const length = Math.sqrt(square);
    for (let j = 0; j < size; j++) weights[j] = length > 0 ? raw[j]! / length : 0;
    return { ids: ids.subarray(0, size), weights: weights.subarray(0, size) };
  };
}

function check(json: TfidfJson): void {
  const fail = (what: string): never => {
    throw new InputError(`tfidf.json: ${what}; it was not written by this version of graft, train again`);
  };
  if (json === null || typeof json !== "object" || json.format !== "graft-tfidf" || json.version !== 2)
    fail(`format "graft-tfidf" version 2 was expected`);
  const { settings, texts, terms, counts } = json;
  if (!Array.isArray(terms) || terms.some((term) => typeof term !== "string" || !/^[wcz]:./su.test(term)))
    fail('terms must be a list of texts that begin with "w:", "c:" or "z:"');
  if (terms.length === 0 || new Set(terms).size !== terms.length)
    fail("terms must be there, each of them once");
  if (!Number.isInteger(texts) || texts < 1) fail("texts must be the number of texts it was fitted to");
  if (
    !Array.isArray(counts) ||
    counts.length !== terms.length ||
    !counts.every((count) => Number.isInteger(count) && count >= 1 && count <= texts)
  )
    fail("counts must be a list of numbers from 1 to the number of texts, one a term");
  for (const key of ["words", "characters", "unspaced"] as const) {
    const range: unknown = settings?.[key];
    if (
      !Array.isArray(range) ||
      range.length !== 2 ||
      !range.every((n) => Number.isInteger(n) && n >= 0 && n <= 8)
    )
      fail(`settings.${key} must be [shortest, longest]`);
  }
  if (!Number.isFinite(settings.wordWeight)) fail("settings.wordWeight must be a number");
}

/** FNV-1a, twice with different starts: 64 bits, enough to tell settings apart, not to resist forgery. */
function hash(text: string): string {
  const words = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < text.length; i++)
    for (const [w, word] of words.entries())
      words[w] = Math.imul(word ^ text.charCodeAt(i), 0x01000193 + 2 * w);
  return words.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

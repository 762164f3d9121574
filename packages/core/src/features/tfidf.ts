import { InputError } from "../errors.ts";
import { build, emptyGraph, ints, modelOf } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";
import { type Options, resolveSettings, type Settings } from "../options.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { float32, type SparseMatrix } from "../tensor.ts";
import { type TermSettings, termsOf } from "./tfidf-terms.ts";

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
  /** Differs wherever two of them could give different features. */
  readonly fingerprint: string;
  /** Features [N, V], each row of length 1 (or 0 where no term is known); a row depends on its own text alone. */
  transform(texts: readonly string[]): SparseMatrix;
  /**
   * The same as inputs of `trunk`: `feature_ids` int64 and `feature_weights` float32, both [N, L] with L the most terms of
   * a row, or `length` where given. Places left over have the id V and weight 0.
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
  readonly version: 1;
  readonly settings: TermSettings & { readonly wordWeight: number };
  /** Terms in the order of the columns. */
  readonly terms: readonly string[];
  /** Inverse document frequencies [V]. */
  readonly idf: readonly number[];
}

/**
 * Learns the vocabulary and the weight of each term: sublinear term frequency 1 + ln tf times smoothed inverse document
 * frequency ln((1 + N) / (1 + df)) + 1 (as scikit-learn's TfidfVectorizer has it), words and characters each scaled to length 1
 * (Salton and Buckley 1988). Throws InputError where no text holds a term.
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
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const term of new Set(termsOf(text, settings))) counts.set(term, (counts.get(term) ?? 0) + 1);
  const least = given.minCount === undefined && texts.length < 1000 ? 1 : minCount;
  const kept = [...counts].filter(([, count]) => count >= least);
  if (kept.length === 0)
    throw new InputError(
      `TF-IDF: none of the ${texts.length} texts holds a word that occurs in ${least} of them; check the text column`,
    );
  // Ties by the term itself, so that the order of the texts does not matter.
  kept.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const vocabulary = kept.slice(0, maxFeatures).sort(([a], [b]) => (a < b ? -1 : 1));
  return readTfidf({
    format: "graft-tfidf",
    version: 1,
    settings,
    terms: vocabulary.map(([term]) => term),
    idf: vocabulary.map(([, count]) => Math.fround(Math.log((1 + texts.length) / (1 + count)) + 1)),
  });
}

/** A Tfidf from its stored form. Throws InputError where that is no such thing. */
export function readTfidf(json: TfidfJson): Tfidf {
  check(json);
  const { settings, terms, idf } = json;
  const size = terms.length;
  const columns = new Map(terms.map((term, column) => [term, column]));
  const rowOf = (text: string) => weigh(text, columns, terms, idf, settings);
  return {
    size,
    fingerprint: `tfidf-1-${hash(JSON.stringify(json))}`,
    transform(texts) {
      const rows = texts.map(rowOf);
      const offsets = new Int32Array(texts.length + 1);
      for (const [i, { ids }] of rows.entries()) offsets[i + 1] = offsets[i]! + ids.length;
      const indices = new Int32Array(offsets[texts.length]!);
      const values = new Float32Array(indices.length);
      for (const [i, row] of rows.entries()) {
        indices.set(row.ids, offsets[i]!);
        values.set(row.weights, offsets[i]!);
      }
      return { rows: texts.length, columns: size, offsets, indices, values };
    },
    feeds(texts, length) {
      const rows = texts.map(rowOf);
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
    trunk: () => trunk(size),
    toJSON: () => json,
  };
}

/** Columns of a text, ascending, and their weights. */
function weigh(
  text: string,
  columns: ReadonlyMap<string, number>,
  terms: readonly string[],
  idf: readonly number[],
  settings: TfidfJson["settings"],
): { ids: Int32Array; weights: Float32Array } {
  const counts = new Map<number, number>();
  for (const term of termsOf(text, settings)) {
    const column = columns.get(term);
    if (column !== undefined) counts.set(column, (counts.get(column) ?? 0) + 1);
  }
  const ids = Int32Array.from(counts.keys()).sort();
  const raw = Float64Array.from(ids, (id) => (1 + Math.log(counts.get(id)!)) * idf[id]!);
  // Words and characters (of either sort) are each brought to length 1, so that the many character terms do not drown the words.
  const isWord = Uint8Array.from(ids, (id) => (terms[id]!.startsWith("w:") ? 1 : 0));
  const squares = [0, 0];
  for (const [j, kind] of isWord.entries()) squares[kind]! += raw[j]! * raw[j]!;
  for (const [j, kind] of isWord.entries())
    raw[j]! *= (kind ? settings.wordWeight : 1) / Math.sqrt(squares[kind]!);
  const length = Math.sqrt(raw.reduce((sum, value) => sum + value * value, 0));
  return { ids, weights: Float32Array.from(raw, (value) => (length > 0 ? value / length : 0)) };
}

/**
 * Scatters weights into rows of V + 1 zeros, the last column taking the padding, and cuts that column off. Within a row
 * every id but the padding's occurs once, so that nothing is summed and a row's bits do not depend on its batch.
 */
function trunk(size: number): Model {
  const graph = emptyGraph("tfidf");
  const b = build(graph);
  const ids = b.input("feature_ids", "int64", ["batch", "terms"]);
  const weights = b.input("feature_weights", "float32", ["batch", "terms"]);
  const batch = b.apply("Shape", [ids], { start: 0, end: 1 });
  const shape = b.apply("Concat", [batch, ints([size + 1])], { axis: 0 });
  const zeros = b.apply("ConstantOfShape", [shape], { value: float32([1], [0]) });
  const rows = b.apply("ScatterElements", [zeros, ids, weights], { axis: 1 });
  const features = b.apply("Slice", [rows, ints([0]), ints([size]), ints([1])], {}, { name: "features" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", size] }));
  return modelOf(graph);
}

function check(json: TfidfJson): void {
  const fail = (what: string): never => {
    throw new InputError(`tfidf.json: ${what}; it was not written by this version of graft, train again`);
  };
  if (json === null || typeof json !== "object" || json.format !== "graft-tfidf" || json.version !== 1)
    fail(`format "graft-tfidf" version 1 was expected`);
  const { settings, terms, idf } = json;
  if (!Array.isArray(terms) || terms.some((term) => typeof term !== "string"))
    fail("terms must be a list of texts");
  if (terms.length === 0 || new Set(terms).size !== terms.length)
    fail("terms must be there, each of them once");
  if (!Array.isArray(idf) || idf.length !== terms.length || !idf.every(Number.isFinite))
    fail("idf must be a list of numbers, one a term");
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

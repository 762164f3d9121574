import { InputError } from "../errors.ts";
import { build, emptyGraph, ints, modelOf } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { type SubwordShape, subwordBuckets } from "../subword-buckets.ts";
import { float32 } from "../tensor.ts";
import { TOKEN_KINDS, type TokenKind, wordTokenizer } from "../word-tokenizer.ts";

/** How the vectors of a text's words become one row, by name. */
export const WORD_POOLINGS = ["mean", "sif", "tfidf"] as const;
/** One of the ways: see `fitWordMean`. */
export type WordPooling = (typeof WORD_POOLINGS)[number];

/** Words with vectors, the commonest first. */
export interface WordTable {
  readonly words: readonly string[];
  readonly dimension: number;
  /** [V, D] */
  readonly vectors: Float32Array;
  /** How often each word was seen [V]; null where nobody counted. */
  readonly counts: Float64Array | null;
  /** Vectors of character sequences, of which words without a vector of their own are made. */
  readonly sequences?: WordSequences | null;
}

/** The buckets of character sequences that are kept, and their vectors. */
export interface WordSequences {
  readonly shape: SubwordShape;
  /** Numbers of the buckets, ascending [B]. */
  readonly kept: Int32Array;
  /** [B, D] */
  readonly vectors: Float32Array;
}

/** Texts as weighted means of the vectors of their words. */
export interface WordMean {
  /** D */
  readonly dimension: number;
  /** Differs wherever two of them could give different features. */
  readonly fingerprint: string;
  /**
   * Inputs of `trunk` for texts: `word_ids` int64 and `word_weights` float32, both [N, length]; places left
   * over have the last id and weight 0. A word without a vector is the mean of its character sequences where
   * these have some, else passed over.
   */
  feeds(texts: readonly string[], length: number): Feeds;
  /**
   * Places a text needs, its words with vectors and the sequences of others, rounded up to a power of two
   * (from 16): depends on this text alone.
   */
  lengthOf(text: string): number;
  /** All that `readWordMean` needs to make texts into inputs again, as plain data; the vectors are in the trunk. */
  toJSON(): WordMeanJson;
}

/** Stored form of a WordMean. */
export interface WordMeanJson {
  readonly format: "graft-words";
  readonly version: 1;
  readonly pooling: WordPooling;
  readonly tokens: TokenKind;
  readonly dimension: number;
  readonly words: readonly string[];
  /** What each word's vector is multiplied by before the mean [V]. */
  readonly weights: readonly number[];
  /** Which character sequences have a vector: the buckets kept are rows after those of the words. */
  readonly sequences?: SubwordShape & { readonly kept: readonly number[]; readonly weight: number };
}

/** What `fitWordMean` gives: how texts become inputs, and the graph from these to features. */
export interface FittedWordMean {
  readonly mean: WordMean;
  /** From `word_ids`, `word_weights` [batch, words] to `features` [batch, D]. */
  trunk(): Model;
}

/** The texts are of another language than the vectors, or no texts: none of them holds a word that has a vector. */
export class NoWordKnown extends InputError {}

/** The weight of smooth inverse frequency: a / (a + p). */
const SIF = 1e-3;

/**
 * Means of word vectors. "mean": all words alike. "sif": each by a / (a + p(w)) of its share p of the corpus,
 * and the commonest direction of the training texts taken out (Arora et al. 2017,
 * https://openreview.net/forum?id=SyK00v5xx). "tfidf": each by ln((1 + N) / (1 + df)) + 1 over the N training
 * texts. Throws NoWordKnown where no training text holds a known word.
 */
export function fitWordMean(
  table: WordTable,
  texts: readonly string[],
  { pooling, tokens }: { readonly pooling: WordPooling; readonly tokens: TokenKind },
): FittedWordMean {
  const { words, dimension, sequences = null } = table;
  const weights = weightsOf(table, texts, pooling, tokens);
  const mean = readWordMean({
    format: "graft-words",
    version: 1,
    pooling,
    tokens,
    dimension,
    words,
    weights,
    ...(sequences === null
      ? {}
      : {
          sequences: {
            ...sequences.shape,
            kept: Array.from(sequences.kept),
            // As a word that was never seen: rarer than all others.
            weight: pooling === "tfidf" ? Math.fround(Math.log(1 + texts.length) + 1) : 1,
          },
        }),
  });
  const vectors = rowsOf(table);
  const common = pooling === "sif" ? commonDirection(mean, vectors, dimension, texts) : null;
  if (!texts.some((text) => mean.lengthOf(text) > 0))
    throw new NoWordKnown(
      `none of the ${texts.length} texts holds a word that has a vector; check the text column, or take vectors of its language`,
    );
  return { mean, trunk: () => trunkOf(vectors, dimension, common) };
}

/** The vectors of words, then of character sequences, then zeros for places left over. */
function rowsOf({ vectors, dimension, sequences = null }: WordTable): Float32Array {
  const rows = new Float32Array(vectors.length + (sequences?.vectors.length ?? 0) + dimension);
  rows.set(vectors);
  if (sequences !== null) rows.set(sequences.vectors, vectors.length);
  return rows;
}

function weightsOf(
  { words, counts }: WordTable,
  texts: readonly string[],
  pooling: WordPooling,
  tokens: TokenKind,
): number[] {
  if (pooling === "mean") return words.map(() => 1);
  if (pooling === "sif") {
    const seen = counts ?? Float64Array.from(words, (_, rank) => 1 / (rank + 2.7)); // Zipf and Mandelbrot
    const total = seen.reduce((sum, count) => sum + count, 0);
    return Array.from(seen, (count) => Math.fround(SIF / (SIF + count / total)));
  }
  const tokenize = wordTokenizer(tokens);
  const frequency = new Map<string, number>();
  for (const text of texts) {
    const found = new Set<string>();
    tokenize(text, (token) => found.add(token));
    for (const token of found) frequency.set(token, (frequency.get(token) ?? 0) + 1);
  }
  return words.map((word) =>
    Math.fround(Math.log((1 + texts.length) / (1 + (frequency.get(word) ?? 0))) + 1),
  );
}

/** The first right singular vector of the texts' rows [D], by power iteration. */
function commonDirection(
  mean: WordMean,
  vectors: Float32Array,
  dimension: number,
  texts: readonly string[],
): Float64Array {
  const rows = texts.slice(0, 5000).map((text) => {
    const row = new Float64Array(dimension);
    const { word_ids, word_weights } = mean.feeds([text], Math.max(1, mean.lengthOf(text)));
    const ids = word_ids!.data as BigInt64Array;
    const weights = word_weights!.data as Float32Array;
    for (const [k, id] of ids.entries()) {
      if (weights[k] === 0) continue;
      const from = Number(id) * dimension;
      for (let d = 0; d < dimension; d++) row[d]! += weights[k]! * vectors[from + d]!;
    }
    return row;
  });
  let direction = new Float64Array(dimension).fill(1 / Math.sqrt(dimension));
  for (let step = 0; step < 50; step++) {
    const next = new Float64Array(dimension);
    for (const row of rows) {
      const along = row.reduce((sum, value, d) => sum + value * direction[d]!, 0);
      for (let d = 0; d < dimension; d++) next[d]! += along * row[d]!;
    }
    const length = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
    if (length === 0) return direction;
    direction = next.map((value) => value / length);
  }
  return direction;
}

/** Σ weights · rows of the words, and what is along the common direction taken out. */
function trunkOf(table: Float32Array, dimension: number, common: Float64Array | null): Model {
  const graph = emptyGraph("words");
  const b = build(graph);
  const ids = b.input("word_ids", "int64", ["batch", "words"]);
  const weights = b.input("word_weights", "float32", ["batch", "words"]);
  const embedding = b.constant(float32([table.length / dimension, dimension], table), "word_vectors");
  const rows = b.apply("Gather", [embedding, ids], { axis: 0 });
  const wide = b.apply("Unsqueeze", [weights, ints([1])]);
  const sum = b.apply("Squeeze", [b.apply("MatMul", [wide, rows]), ints([1])]);
  const features =
    common === null
      ? b.apply("Identity", [sum], {}, { name: "features" })
      : b.apply("MatMul", [sum, float32([dimension, dimension], without(common))], {}, { name: "features" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", dimension] }));
  return modelOf(graph);
}

/** I − u uᵀ */
function without(u: Float64Array): Float32Array {
  const n = u.length;
  return Float32Array.from(
    { length: n * n },
    (_, i) => (Math.floor(i / n) === i % n ? 1 : 0) - u[Math.floor(i / n)]! * u[i % n]!,
  );
}

/** A WordMean from its stored form. Throws an InputError where that is no such thing. */
export function readWordMean(json: WordMeanJson): WordMean {
  check(json);
  const { words, weights, tokens, dimension } = json;
  const rows = new Map(words.map((word, row) => [word, row]));
  const tokenize = wordTokenizer(tokens);
  const places = new Map(json.sequences?.kept.map((bucket, i) => [bucket, words.length + i]) ?? []);
  /** Rows of a text and the share of each in the sum. */
  const partsOf = (text: string) => {
    const ids: number[] = [];
    const shares: number[] = [];
    let count = 0;
    tokenize(text, (token) => {
      const row = rows.get(token);
      if (row !== undefined) {
        ids.push(row);
        shares.push(weights[row]!);
        count++;
      } else if (json.sequences) {
        const known = subwordBuckets(token, json.sequences).flatMap((bucket) => places.get(bucket) ?? []);
        for (const place of known) {
          ids.push(place);
          shares.push(json.sequences.weight / known.length);
        }
        if (known.length > 0) count++;
      }
    });
    return { ids, shares, count };
  };
  return {
    dimension,
    fingerprint: `words-1-${hash(`${json.pooling} ${tokens} ${dimension} ${words.join(" ")} ${weights.join(" ")}${json.sequences ? JSON.stringify(json.sequences) : ""}`)}`,
    feeds(texts, length) {
      const ids = new BigInt64Array(texts.length * length).fill(BigInt(words.length + places.size));
      const shares = new Float32Array(texts.length * length);
      for (const [i, text] of texts.entries()) {
        const found = partsOf(text);
        if (found.ids.length > length)
          throw new RangeError(`a text has ${found.ids.length} words with vectors, more than ${length}`);
        for (const [k, id] of found.ids.entries()) {
          ids[i * length + k] = BigInt(id);
          shares[i * length + k] = found.shares[k]! / found.count;
        }
      }
      const shape = [texts.length, length];
      return {
        word_ids: { dtype: "int64", shape, data: ids },
        word_weights: { dtype: "float32", shape, data: shares },
      };
    },
    lengthOf(text) {
      const count = partsOf(text).ids.length;
      return count === 0 ? 0 : 2 ** Math.max(4, Math.ceil(Math.log2(count)));
    },
    toJSON: () => json,
  };
}

function check(json: WordMeanJson): void {
  const fail = (what: string): never => {
    throw new InputError(`words.json: ${what}; it was not written by this version of graft, train again`);
  };
  if (json === null || typeof json !== "object" || json.format !== "graft-words" || json.version !== 1)
    fail('format "graft-words" version 1 was expected');
  const { words, weights, tokens, pooling, dimension } = json;
  if (!Array.isArray(words) || words.length === 0 || words.some((word) => typeof word !== "string"))
    fail("words must be a list of texts");
  if (!Array.isArray(weights) || weights.length !== words.length || !weights.every(Number.isFinite))
    fail("weights must be a list of numbers, one a word");
  if (!TOKEN_KINDS.includes(tokens) || !WORD_POOLINGS.includes(pooling)) fail("tokens or pooling is unknown");
  const { sequences } = json;
  if (sequences !== undefined && !(Array.isArray(sequences.kept) && sequences.kept.every(Number.isInteger)))
    fail("sequences must list the numbers of buckets");
  if (!Number.isInteger(dimension) || dimension < 1) fail("dimension must be a whole number from 1");
}

/** FNV-1a, twice with different starts: 64 bits, enough to tell settings apart, not to resist forgery. */
function hash(text: string): string {
  const parts = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < text.length; i++)
    for (const [w, part] of parts.entries())
      parts[w] = Math.imul(part ^ text.charCodeAt(i), 0x01000193 + 2 * w);
  return parts.map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
}

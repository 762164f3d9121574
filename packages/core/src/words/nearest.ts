import { InputError } from "../errors.ts";
import { PHRASE_MARK } from "./phrases.ts";
import { highest, type Neighbour, type WordIndex } from "./word-index.ts";

/** How an analogy is answered: by a sum of cosines, or by a product (Levy and Goldberg 2014). */
export const ANALOGY_METHODS = ["add", "multiply"] as const;
/** One of the ways to answer analogies. */
export type AnalogyMethod = (typeof ANALOGY_METHODS)[number];

/** Keeps the denominator of 3CosMul from 0, as in the paper. */
const EPSILON = 0.001;

/**
 * The words whose vectors point most nearly the same way as a word's, itself left out; an unknown word is
 * made of its known parts where there are sub-words. Throws an InputError where it has no vector.
 */
export function nearestWords(index: WordIndex, word: string, count = 10): Neighbour[] {
  const vector = vectorFor(index, word);
  const scores = index.cosines(vector);
  return neighbours(index, scores, count, new Set([index.vectors.indexOf(word)]));
}

/** Words asked about at once. */
const BLOCK = 16;

/**
 * The nearest words of each of many words, as `nearestWords` has them: the cosines of 16 at a time are one
 * product of matrices.
 */
export function nearestOfMany(index: WordIndex, words: readonly string[], count = 10): Neighbour[][] {
  const { dimension } = index.vectors;
  const found: Neighbour[][] = [];
  for (let from = 0; from < words.length; from += BLOCK) {
    const block = words.slice(from, from + BLOCK);
    const queries = new Float32Array(block.length * dimension);
    for (const [q, word] of block.entries()) queries.set(vectorFor(index, word), q * dimension);
    const scores = index.cosines(queries);
    for (const [q, word] of block.entries()) {
      const own = scores.subarray(q * index.size, (q + 1) * index.size);
      found.push(neighbours(index, own, count, new Set([index.vectors.indexOf(word)])));
    }
  }
  return found;
}

/**
 * The words for the place of d in "a is to b as c is to d", the three given ones left out. "add": the
 * greatest cos(d, b − a + c) over vectors of length 1 (3CosAdd; Mikolov et al. 2013,
 * https://aclanthology.org/N13-1090); "multiply": the greatest cos(d, b) cos(d, c) / (cos(d, a) + 0.001) with
 * cosines moved to [0, 1] (3CosMul; Levy and Goldberg 2014, https://aclanthology.org/W14-1618). Throws an
 * InputError where a word has no vector.
 */
export function analogyWords(
  index: WordIndex,
  [a, b, c]: readonly [string, string, string],
  { count = 10, method = "add" }: { readonly count?: number; readonly method?: AnalogyMethod } = {},
): Neighbour[] {
  const { dimension } = index.vectors;
  const given = new Float32Array(3 * dimension);
  for (const [i, word] of [a, b, c].entries()) given.set(scaled(vectorFor(index, word)), i * dimension);
  const excluded = new Set([a, b, c].map((word) => index.vectors.indexOf(word)));
  const scores =
    method === "add"
      ? index.cosines(offset(given, dimension))
      : multiplied(index.cosines(given), 0, index.size, 2 * index.size, index.size);
  return neighbours(index, scores, count, excluded);
}

/** b − a + c for three rows [3, D]. */
export function offset(rows: Float32Array, dimension: number): Float32Array {
  return Float32Array.from(
    { length: dimension },
    (_, d) => rows[dimension + d]! - rows[d]! + rows[2 * dimension + d]!,
  );
}

/** 3CosMul of every row, from the cosines that begin at three places. */
export function multiplied(
  cosines: Float32Array,
  a: number,
  b: number,
  c: number,
  size: number,
): Float32Array {
  const moved = (at: number) => (1 + cosines[at]!) / 2;
  return Float32Array.from(
    { length: size },
    (_, i) => (moved(b + i) * moved(c + i)) / (moved(a + i) + EPSILON),
  );
}

function scaled(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? vector : vector.map((value) => value / length);
}

function vectorFor({ vectors }: WordIndex, word: string): Float32Array {
  const vector = vectors.vectorOf(word);
  if (vector !== null) return vector;
  const phrase = word.trim().replace(/\s+/g, PHRASE_MARK);
  const other = [
    word.toLowerCase(),
    word[0]?.toUpperCase() + word.slice(1),
    phrase,
    phrase.toLowerCase(),
  ].find((form) => vectors.indexOf(form) >= 0);
  throw new InputError(
    `there is no vector for ${JSON.stringify(word)}${other === undefined ? "" : `; there is one for ${JSON.stringify(other)}`}`,
  );
}

function neighbours(
  { vectors, size }: WordIndex,
  scores: Float32Array,
  count: number,
  excluded: ReadonlySet<number>,
): Neighbour[] {
  return highest(scores, 0, size, count, excluded).map((row) => ({
    word: vectors.words[row]!,
    row,
    score: scores[row]!,
  }));
}

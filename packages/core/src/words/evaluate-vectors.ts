import { InputError } from "../errors.ts";
import { type AnalogyMethod, multiplied } from "./nearest.ts";
import { highest, type WordIndex } from "./word-index.ts";
import type { WordVectors } from "./word-vectors.ts";

/** Pairs of words with the similarity that people gave them. */
export interface WordPair {
  readonly first: string;
  readonly second: string;
  readonly similarity: number;
}

/** How well cosines agree with people. */
export interface SimilarityScore {
  /** Spearman's rank correlation over the pairs with vectors; null for fewer than two. */
  readonly spearman: number | null;
  readonly pairs: number;
  /** Pairs that have a vector for both words. */
  readonly covered: number;
}

/** Questions "a is to b as c is to d" under the heading they stand under. */
export interface AnalogySection {
  readonly name: string;
  readonly questions: readonly (readonly [string, string, string, string])[];
}

/** Questions asked, answered and right. */
export interface AnalogyScore {
  readonly name: string;
  readonly questions: number;
  /** Questions whose four words are among the first `limit`. */
  readonly covered: number;
  readonly right: number;
}

/**
 * Pairs from a text of two words and a number a line, blanks, tabs, commas or semicolons between; other lines
 * are refused.
 */
export function readWordPairs(text: string, name: string): WordPair[] {
  const pairs: WordPair[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [first, second, third] = line.trim().split(/[\t ,;]+/);
    const similarity = Number(third);
    if (third !== undefined && Number.isFinite(similarity))
      pairs.push({ first: first!, second: second!, similarity });
    else if (i > 0)
      throw new InputError(
        `${name} line ${i + 1}: two words and a number were expected, got ${JSON.stringify(line.slice(0, 60))}`,
      );
  }
  if (pairs.length === 0) throw new InputError(`${name} holds no pairs of words with a number`);
  return pairs;
}

/**
 * Questions from a text of four words a line under headings ": name". Throws an InputError at a line of
 * another kind.
 */
export function readAnalogies(text: string, name: string): AnalogySection[] {
  const sections: { name: string; questions: [string, string, string, string][] }[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const words = line.trim().split(/\s+/);
    if (line.trim() === "" || line.startsWith("//")) continue;
    if (words[0] === ":") sections.push({ name: words.slice(1).join(" ") || "unnamed", questions: [] });
    else if (words.length === 4) {
      if (sections.length === 0) sections.push({ name: "questions", questions: [] });
      sections.at(-1)!.questions.push(words as [string, string, string, string]);
    } else
      throw new InputError(
        `${name} line ${i + 1}: four words or a heading ": name" were expected, got ${JSON.stringify(line.slice(0, 60))}`,
      );
  }
  if (sections.every(({ questions }) => questions.length === 0))
    throw new InputError(`${name} holds no questions of four words`);
  return sections;
}

/**
 * Spearman's correlation between cosines and the given similarities, over pairs that have vectors for both
 * words as they are or in lower case; how many have is counted.
 */
export function similarityScore(vectors: WordVectors, pairs: readonly WordPair[]): SimilarityScore {
  const given: number[] = [];
  const cosines: number[] = [];
  for (const { first, second, similarity } of pairs) {
    const a = vectorOf(vectors, first);
    const b = vectorOf(vectors, second);
    if (a === null || b === null) continue;
    given.push(similarity);
    cosines.push(cosine(a, b));
  }
  return { spearman: spearman(given, cosines), pairs: pairs.length, covered: given.length };
}

function vectorOf(vectors: WordVectors, word: string): Float32Array | null {
  return vectors.vectorOf(vectors.indexOf(word) >= 0 ? word : word.toLowerCase());
}

/** Queries asked at once. */
const BLOCK = 64;

/**
 * Questions right by 3CosAdd or 3CosMul among the words of the index, case folded, the three given words
 * never an answer; a question with a word that is not there is not asked, only counted (as word2vec's
 * compute-accuracy does).
 */
export function analogyScores(
  index: WordIndex,
  sections: readonly AnalogySection[],
  {
    method = "add",
    onProgress,
  }: { readonly method?: AnalogyMethod; readonly onProgress?: (done: number, total: number) => void } = {},
): AnalogyScore[] {
  const rows = foldedRows(index);
  const total = sections.reduce((sum, { questions }) => sum + questions.length, 0);
  let done = 0;
  return sections.map(({ name, questions }) => {
    const asked = questions
      .map((words) => words.map((word) => rows.get(word.toLowerCase()) ?? -1))
      .filter((question) => question.every((row) => row >= 0));
    let right = 0;
    for (let from = 0; from < asked.length; from += BLOCK) {
      const block = asked.slice(from, from + BLOCK);
      right += method === "add" ? rightByAdding(index, block) : rightByMultiplying(index, block);
      onProgress?.(done + from, total);
    }
    done += questions.length;
    onProgress?.(done, total);
    return { name, questions: questions.length, covered: asked.length, right };
  });
}

/** The first row of each word in lower case. */
function foldedRows({ vectors, size }: WordIndex): Map<string, number> {
  const rows = new Map<string, number>();
  for (let i = 0; i < size; i++) {
    const word = vectors.words[i]!.toLowerCase();
    if (!rows.has(word)) rows.set(word, i);
  }
  return rows;
}

function rightByAdding(index: WordIndex, block: readonly number[][]): number {
  const { dimension } = index.vectors;
  const queries = new Float32Array(block.length * dimension);
  for (const [q, [a, b, c]] of block.entries()) {
    const [x, y, z] = [index.unit(a!), index.unit(b!), index.unit(c!)];
    for (let d = 0; d < dimension; d++) queries[q * dimension + d] = y[d]! - x[d]! + z[d]!;
  }
  const cosines = index.cosines(queries);
  return block.filter(([a, b, c, d], q) => {
    const [answer] = highest(cosines, q * index.size, index.size, 1, new Set([a!, b!, c!]));
    return answer === d;
  }).length;
}

function rightByMultiplying(index: WordIndex, block: readonly number[][]): number {
  const { size, vectors } = index;
  const rows = [...new Set(block.flatMap((question) => question.slice(0, 3)))];
  const queries = new Float32Array(rows.length * vectors.dimension);
  for (const [q, row] of rows.entries()) queries.set(index.unit(row), q * vectors.dimension);
  const cosines = index.cosines(queries);
  const place = new Map(rows.map((row, q) => [row, q * size]));
  return block.filter(([a, b, c, d]) => {
    const scores = multiplied(cosines, place.get(a!)!, place.get(b!)!, place.get(c!)!, size);
    return highest(scores, 0, size, 1, new Set([a!, b!, c!]))[0] === d;
  }).length;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [product, left, right] = [0, 0, 0];
  for (let d = 0; d < a.length; d++) {
    product += a[d]! * b[d]!;
    left += a[d]! * a[d]!;
    right += b[d]! * b[d]!;
  }
  return left === 0 || right === 0 ? 0 : product / Math.sqrt(left * right);
}

/**
 * Spearman's correlation of two rows of numbers, equal ones sharing the mean of their ranks; null where one
 * has no spread.
 */
export function spearman(a: readonly number[], b: readonly number[]): number | null {
  if (a.length < 2) return null;
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (a.length - 1) / 2;
  let [product, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += (x[i]! - mean) * (y[i]! - mean);
    left += (x[i]! - mean) ** 2;
    right += (y[i]! - mean) ** 2;
  }
  return left === 0 || right === 0 ? null : product / Math.sqrt(left * right);
}

function ranks(values: readonly number[]): Float64Array {
  const order = [...values.keys()].sort((i, j) => values[i]! - values[j]!);
  const found = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let k = from; k < to; k++) found[order[k]!] = (from + to - 1) / 2;
    from = to;
  }
  return found;
}

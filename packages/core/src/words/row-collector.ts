import { InputError } from "../errors.ts";
import type { Subwords } from "./subwords.ts";
import { type WordVectors, wordVectors } from "./word-vectors.ts";

/** How files of vectors are read. */
export interface ReadVectorsOptions {
  /** Words read at most, from the beginning, which holds the commonest ones. */
  readonly limit?: number;
  /** At a row that cannot be taken: stop with an InputError, or leave it out and list it. */
  readonly onError?: "fail" | "skip";
  readonly onProgress?: (done: number, total: number | null) => void;
  readonly signal?: { throwIfAborted(): void };
}

/** Vectors read from a file, with what was passed over. */
export interface VectorsRead {
  readonly vectors: WordVectors;
  /** Rows left out, in words; 20 at most are described. */
  readonly skipped: readonly string[];
  readonly skippedCount: number;
}

/** Words a progress report. */
const REPORTED = 8192;
/** Most bytes of a word, and numbers of a vector: beyond it a file is damaged, or something else. */
export const LONGEST_WORD = 4096;
export const LARGEST_DIMENSION = 65_536;

/**
 * Takes rows as they come. Memory is taken for `expected` rows only where `most` of them can lie in the file,
 * and grows otherwise, so that a header that promises too much costs nothing.
 */
export class RowCollector {
  readonly dimension: number;
  /** [capacity, D]; the row at `place` is the one to write. */
  rows: Float32Array;
  readonly #name: string;
  readonly #words: string[] = [];
  readonly #index = new Map<string, number>();
  readonly #counts: number[] = [];
  readonly #options: ReadVectorsOptions;
  readonly #total: number | null;
  readonly #skipped: string[] = [];
  #skippedCount = 0;

  constructor(
    name: string,
    dimension: number,
    expected: number | null,
    most: number | null,
    options: ReadVectorsOptions,
  ) {
    if (!(dimension >= 1 && dimension <= LARGEST_DIMENSION))
      throw new InputError(
        `${name} would have ${dimension} numbers a word; 1 to ${LARGEST_DIMENSION} are read, so this is no file of word vectors`,
      );
    this.#name = name;
    this.#options = options;
    this.dimension = dimension;
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    this.#total = expected === null ? null : Math.min(expected, limit);
    this.rows = new Float32Array(dimension * Math.min(this.#total ?? 1024, most ?? 4096, limit));
  }

  /** Where the next row belongs in `rows`. */
  get place(): number {
    const place = this.#words.length * this.dimension;
    if (place + this.dimension > this.rows.length) {
      const larger = new Float32Array(Math.max(place + this.dimension, Math.ceil(this.rows.length * 1.5)));
      larger.set(this.rows);
      this.rows = larger;
    }
    return place;
  }

  get count(): number {
    return this.#words.length;
  }

  /** Rows taken or left out. */
  get handled(): number {
    return this.#words.length + this.#skippedCount;
  }

  get isFull(): boolean {
    return this.#words.length >= (this.#options.limit ?? Number.POSITIVE_INFINITY);
  }

  /** Takes the row written at `place` as that of a word; refuses what is no number, and words that came before. */
  accept(word: string, where: string, count: number | null = null): boolean {
    const place = this.#words.length * this.dimension;
    for (let d = 0; d < this.dimension; d++) {
      const value = this.rows[place + d]!;
      if (!Number.isFinite(value))
        return this.reject(where, `${JSON.stringify(word)} has a number that is ${value}`);
    }
    if (this.#index.has(word)) return this.reject(where, `the word ${JSON.stringify(word)} came before`);
    this.#index.set(word, this.#words.length);
    this.#words.push(word);
    if (count !== null) this.#counts.push(count);
    if (this.#words.length % REPORTED === 0) {
      this.#options.signal?.throwIfAborted();
      this.#options.onProgress?.(this.#words.length, this.#total);
    }
    return true;
  }

  /** Leaves a row out, or stops; false. */
  reject(where: string, problem: string): false {
    const sentence = `${this.#name} ${where}: ${problem}`;
    if ((this.#options.onError ?? "fail") === "fail")
      throw new InputError(`${sentence}; correct the file, or leave such rows out (--on-error skip)`);
    this.#skippedCount++;
    if (this.#skipped.length < 20) this.#skipped.push(sentence);
    return false;
  }

  done(subwords: Subwords | null = null): VectorsRead {
    const words = this.#words;
    if (words.length === 0) throw new InputError(`${this.#name} holds no words with vectors`);
    this.#options.onProgress?.(words.length, words.length);
    return {
      vectors: wordVectors({
        words,
        dimension: this.dimension,
        vectors: this.rows.subarray(0, words.length * this.dimension),
        counts: this.#counts.length === words.length ? Float64Array.from(this.#counts) : null,
        subwords,
        index: this.#index,
      }),
      skipped: this.#skipped,
      skippedCount: this.#skippedCount,
    };
  }
}

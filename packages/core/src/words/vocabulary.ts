import { InputError } from "../errors.ts";

/**
 * The words of a corpus that get a vector, the commonest first; of equally common ones in the order of their
 * characters.
 */
export interface Vocabulary {
  readonly words: readonly string[];
  /** How often each is in the corpus [V]. */
  readonly counts: Float64Array;
}

/** Distinct words held at once; beyond them those seen once are forgotten, as word2vec and gensim do. */
const MOST_DISTINCT = 8_000_000;

/** Counts words as they come, and numbers them by first sight, so that a corpus is read once. */
export class WordCounter {
  #numbers = new Map<string, number>();
  #counts = new Float64Array(1 << 16);
  #total = 0;
  #issued = 0;
  #forgotten = 0;
  readonly #most: number;

  constructor(most = MOST_DISTINCT) {
    this.#most = most;
  }

  /** Counts a word; its number, which stays the same as long as the word is not forgotten. */
  add(word: string): number {
    let number = this.#numbers.get(word);
    if (number === undefined) {
      if (this.#numbers.size >= this.#most) this.#forget();
      number = this.#issued++;
      this.#numbers.set(word, number);
      if (number >= this.#counts.length) {
        const larger = new Float64Array(2 * number);
        larger.set(this.#counts);
        this.#counts = larger;
      }
    }
    this.#counts[number]!++;
    this.#total++;
    return number;
  }

  /** The words by number; none for those that were forgotten. */
  words(): (string | undefined)[] {
    const words = new Array<string | undefined>(this.#issued);
    for (const [word, number] of this.#numbers) words[number] = word;
    return words;
  }

  /** How often the word of a number came. */
  countOf(number: number): number {
    return this.#counts[number]!;
  }

  /** Tokens counted. */
  get total(): number {
    return this.#total;
  }

  /** Distinct words met and held; how many rare ones were forgotten on the way. */
  get distinct(): number {
    return this.#numbers.size;
  }
  get forgotten(): number {
    return this.#forgotten;
  }

  /**
   * The vocabulary, and for every number that was given the word's row in it, −1 for words without one.
   * Throws an InputError where no word is common enough.
   */
  finish(minCount: number, maxWords: number | null): { vocabulary: Vocabulary; rows: Int32Array } {
    const kept = [...this.#numbers]
      .filter(([, number]) => this.#counts[number]! >= minCount)
      .sort(([a, i], [b, j]) => this.#counts[j]! - this.#counts[i]! || (a < b ? -1 : 1))
      .slice(0, maxWords ?? undefined);
    if (kept.length < 2)
      throw new InputError(
        `the corpus has ${this.#total} words, of which ${kept.length} occur ${minCount} times or more; give more text, or lower --min-count`,
      );
    const rows = new Int32Array(this.#issued).fill(-1);
    for (const [row, [, number]] of kept.entries()) rows[number] = row;
    return {
      vocabulary: {
        words: kept.map(([word]) => word),
        counts: Float64Array.from(kept, ([, number]) => this.#counts[number]!),
      },
      rows,
    };
  }

  #forget(): void {
    const before = this.#numbers.size;
    for (let least = 1; this.#numbers.size > this.#most / 2; least++)
      for (const [word, number] of this.#numbers)
        if (this.#counts[number]! <= least) this.#numbers.delete(word);
    this.#forgotten += before - this.#numbers.size;
  }
}

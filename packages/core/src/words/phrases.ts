/** Stands between the words of a phrase; no tokenizer leaves one inside a word. */
export const PHRASE_MARK = "_";

/** Distinct pairs held at once; beyond them the rarest are forgotten, as gensim does. */
const MOST_PAIRS = 2 ** 24;

/** How often words of a corpus, by number, stand directly before others. */
export class PairCounter {
  #keys = new Int32Array(2 ** 17).fill(-1);
  #counts = new Float64Array(2 ** 16);
  #size = 0;
  readonly #most: number;

  constructor(most = MOST_PAIRS) {
    this.#most = most;
  }

  /** Distinct pairs held. */
  get size(): number {
    return this.#size;
  }

  add(first: number, second: number): void {
    const place = this.#placeOf(first, second);
    if (this.#keys[2 * place]! < 0) {
      this.#keys[2 * place] = first;
      this.#keys[2 * place + 1] = second;
      this.#size++;
    }
    this.#counts[place]!++;
    if (this.#size > this.#most) this.#keepAbove(2);
    else if (3 * this.#size > 2 * this.#counts.length) this.#rebuilt(2 * this.#counts.length, 1);
  }

  count(first: number, second: number): number {
    const place = this.#placeOf(first, second);
    return this.#keys[2 * place]! < 0 ? 0 : this.#counts[place]!;
  }

  /** The pair's place, or the free one where it belongs. */
  #placeOf(first: number, second: number): number {
    const mask = this.#counts.length - 1;
    let hash = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    for (let place = (hash ^ (hash >>> 13)) & mask; ; place = (place + 1) & mask) {
      const key = this.#keys[2 * place]!;
      if (key < 0 || (key === first && this.#keys[2 * place + 1] === second)) return place;
    }
  }

  #keepAbove(least: number): void {
    for (let from = least; this.#size > this.#most / 2; from++) this.#rebuilt(this.#counts.length, from);
  }

  #rebuilt(places: number, least: number): void {
    const [keys, counts] = [this.#keys, this.#counts];
    this.#keys = new Int32Array(2 * places).fill(-1);
    this.#counts = new Float64Array(places);
    this.#size = 0;
    for (let i = 0; i < counts.length; i++) {
      if (keys[2 * i]! < 0 || counts[i]! < least) continue;
      const place = this.#placeOf(keys[2 * i]!, keys[2 * i + 1]!);
      this.#keys[2 * place] = keys[2 * i]!;
      this.#keys[2 * place + 1] = keys[2 * i + 1]!;
      this.#counts[place] = counts[i]!;
      this.#size++;
    }
  }
}

/**
 * How much oftener two words follow each other than their own counts would have it: (count(ab) − least) /
 * (count(a) count(b)) · N (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546, formula 6). N, which makes
 * thresholds comparable between corpora, is the number of distinct words and pairs, as in gensim's original
 * scorer.
 */
export function phraseScore(pair: number, first: number, second: number, least: number, N: number): number {
  return ((pair - least) / (first * second)) * N;
}

/**
 * Takes a corpus token by token, by number, and gives it back with pairs joined: from left to right, each
 * word in one pair at most. Numbers below 0 stand between texts; they come out as they are.
 */
export class PhraseJoiner {
  #held = -1;
  readonly #isPhrase: (first: number, second: number) => boolean;
  readonly #give: (first: number, second: number | null) => void;

  constructor(
    isPhrase: (first: number, second: number) => boolean,
    give: (first: number, second: number | null) => void,
  ) {
    this.#isPhrase = isPhrase;
    this.#give = give;
  }

  take(token: number): void {
    const held = this.#held;
    if (held >= 0 && token >= 0 && this.#isPhrase(held, token)) {
      this.#give(held, token);
      this.#held = -1;
      return;
    }
    if (held >= 0) this.#give(held, null);
    if (token < 0) this.#give(token, null);
    this.#held = token;
  }
}

import type { EmbedModel } from "./embed-model.ts";
import type { WordVectors } from "./word-vectors.ts";

/** Given vectors that training begins from, and how far words may leave them. */
export interface WordAnchor {
  /** Row in the given vectors of each word in training [V]; −1 for words that are new. */
  readonly rows: Int32Array;
  /**
   * Draws the old words among `tokens` back: what lies between a word's vector and the given one shrinks by
   * exp(−strength · rate) for each time the word came.
   */
  pull(tokens: Int32Array, rate: number, strength: number): void;
}

/**
 * Writes given vectors into a model's inputs; words that they lack stay as they were drawn. The outputs begin at 0: no file of
 * vectors holds them.
 */
export function startFrom(model: EmbedModel, given: WordVectors): WordAnchor {
  const { vocabulary, parameters, layout, settings } = model;
  const columns = layout.stride / 4;
  const { dim } = settings;
  const rows = Int32Array.from(vocabulary.words, (word) => given.indexOf(word));
  for (const [i, row] of rows.entries())
    if (row >= 0) for (let d = 0; d < dim; d++) parameters[i * columns + d] = given.vectors[row * dim + d]!;
  const times = new Int32Array(rows.length);
  return {
    rows,
    pull(tokens, rate, strength) {
      if (strength === 0) return;
      const seen: number[] = [];
      for (const token of tokens)
        if (token >= 0 && rows[token]! >= 0 && times[token]!++ === 0) seen.push(token);
      for (const token of seen) {
        const kept = Math.exp(-strength * rate * times[token]!);
        times[token] = 0;
        const [at, from] = [token * columns, rows[token]! * dim];
        for (let d = 0; d < dim; d++) {
          const origin = given.vectors[from + d]!;
          parameters[at + d] = origin + kept * (parameters[at + d]! - origin);
        }
      }
    },
  };
}

/** A word that training moved. */
export interface MovedWord {
  readonly word: string;
  /** Cosine between the given vector and the new one: 1 where it stayed. */
  readonly cosine: number;
  readonly count: number;
}

/** The words of given vectors that training moved farthest, among those seen `least` times or more. */
export function movedWords(before: WordVectors, after: WordVectors, least: number, most = 20): MovedWord[] {
  const moved: MovedWord[] = [];
  const { dimension } = after;
  for (const [i, word] of after.words.entries()) {
    const row = before.indexOf(word);
    const count = after.counts?.[i] ?? 0;
    if (row < 0 || count < least) continue;
    let [product, left, right] = [0, 0, 0];
    for (let d = 0; d < dimension; d++) {
      const [a, b] = [before.vectors[row * dimension + d]!, after.vectors[i * dimension + d]!];
      product += a * b;
      left += a * a;
      right += b * b;
    }
    moved.push({ word, cosine: left * right === 0 ? 0 : product / Math.sqrt(left * right), count });
  }
  return moved.sort((a, b) => a.cosine - b.cosine).slice(0, most);
}

/**
 * The mean loss of predicting the words around each word of held-out tokens, against the given noise words: −log σ(x·o) of what is
 * there, −log σ(−x·n) of what is not. Windows are of full width; the noise goes round in order.
 */
export function heldOutLoss(model: EmbedModel, tokens: Int32Array, noise: Int32Array): number {
  const { parameters, layout, settings } = model;
  const columns = layout.stride / 4;
  const outputs = layout.inputRows * columns;
  const { dim, window, negative } = settings;
  let [sum, pairs, at] = [0, 0, 0];
  const cost = (input: number, output: number, sign: number) => {
    let product = 0;
    for (let d = 0; d < dim; d++)
      product += parameters[input * columns + d]! * parameters[outputs + output * columns + d]!;
    return Math.log1p(Math.exp(-sign * product));
  };
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i]! < 0) continue;
    for (let j = i + 1; j <= Math.min(tokens.length - 1, i + window) && tokens[j]! >= 0; j++) {
      sum += cost(tokens[j]!, tokens[i]!, 1);
      for (let k = 0; k < negative; k++) sum += cost(tokens[j]!, noise[at++ % noise.length]!, -1);
      pairs++;
    }
  }
  return pairs === 0 ? 0 : sum / pairs;
}

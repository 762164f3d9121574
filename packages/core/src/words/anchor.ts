import { InputError } from "../errors.ts";
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
 * Writes given vectors into a model's inputs; words that they lack stay as they were drawn. The outputs begin
 * at 0: no file of vectors holds them. A model of sub-words begins with the given sub-words, and a word's own
 * vector is what makes their mean the given one. Throws an InputError where sub-words are wanted and the
 * given ones are cut otherwise, or there are none.
 */
export function startFrom(model: EmbedModel, given: WordVectors): WordAnchor {
  const { vocabulary, parameters, layout, settings, tables } = model;
  const columns = layout.stride / 4;
  const { dim } = settings;
  const { words } = vocabulary;
  const rows = Int32Array.from(words, (word) => given.indexOf(word));
  const { parts } = tables;
  const table = parts === null ? null : sameSubwords(given, settings).table;
  if (table !== null)
    for (let b = 0; b < settings.buckets; b++)
      parameters.set(table.subarray(b * dim, (b + 1) * dim), (words.length + b) * columns);
  for (const [i, row] of rows.entries()) if (row >= 0) parameters.set(ownVector(i, row), i * columns);
  const times = new Map<number, number>();
  return {
    rows,
    pull(tokens, rate, strength) {
      if (strength === 0) return;
      const came = (place: number) => times.set(place, (times.get(place) ?? 0) + 1);
      for (const token of tokens) {
        if (token < 0 || rows[token]! < 0) continue;
        came(token);
        for (const bucket of bucketsOf(token)) came(words.length + bucket);
      }
      for (const [place, count] of times) {
        const kept = Math.exp(-strength * rate * count);
        const isWord = place < words.length;
        const origin = isWord ? ownVector(place, rows[place]!) : table!;
        const from = isWord ? 0 : (place - words.length) * dim;
        for (let d = 0; d < dim; d++) {
          const at = place * columns + d;
          parameters[at] = origin[from + d]! + kept * (parameters[at]! - origin[from + d]!);
        }
      }
      times.clear();
    },
  };

  function bucketsOf(token: number): Int32Array {
    return parts === null ? NONE : parts.buckets.subarray(parts.offsets[token]!, parts.offsets[token + 1]!);
  }

  /** The given vector; of sub-words, times one and their number, less their sum. */
  function ownVector(token: number, row: number): Float32Array {
    const vector = given.vectors.subarray(row * dim, (row + 1) * dim);
    if (table === null) return vector;
    const buckets = bucketsOf(token);
    const own = vector.map((value) => value * (1 + buckets.length));
    for (const bucket of buckets) for (let d = 0; d < dim; d++) own[d]! -= table[bucket * dim + d]!;
    return own;
  }
}

const NONE = new Int32Array(0);

function sameSubwords(
  { subwords }: WordVectors,
  { shortest, longest, buckets }: EmbedModel["settings"],
): NonNullable<WordVectors["subwords"]> {
  const isSame =
    subwords !== null &&
    subwords.shortest === shortest &&
    subwords.longest === longest &&
    subwords.buckets === buckets;
  if (isSame) return subwords;
  throw new InputError(
    `embed: going on with sub-words of ${shortest} to ${longest} characters in ${buckets} buckets needs vectors that have such, and these have ${subwords === null ? "none" : `${subwords.shortest} to ${subwords.longest} in ${subwords.buckets}`}; leave out --subwords and what belongs to it`,
  );
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
 * The mean loss of predicting the words around each word of held-out tokens, against the given noise words:
 * −log σ(x·o) of what is there, −log σ(−x·n) of what is not. Windows are of full width; the noise goes round
 * in order.
 */
export function heldOutLoss(model: EmbedModel, tokens: Int32Array, noise: Int32Array): number {
  const { parameters, layout, settings } = model;
  const columns = layout.stride / 4;
  const outputs = layout.inputRows * columns;
  const { dim, window, negative } = settings;
  let [sum, pairs, at] = [0, 0, 0];
  const { parts } = model.tables;
  const input = new Float64Array(dim);
  /** What a word predicts by: its vector, or the mean with those of its sub-words. */
  const take = (token: number) => {
    for (let d = 0; d < dim; d++) input[d] = parameters[token * columns + d]!;
    if (parts === null) return;
    const [from, to] = [parts.offsets[token]!, parts.offsets[token + 1]!];
    for (let k = from; k < to; k++) {
      const row = (model.vocabulary.words.length + parts.buckets[k]!) * columns;
      for (let d = 0; d < dim; d++) input[d]! += parameters[row + d]!;
    }
    for (let d = 0; d < dim; d++) input[d]! /= 1 + to - from;
  };
  const cost = (output: number, sign: number) => {
    let product = 0;
    for (let d = 0; d < dim; d++) product += input[d]! * parameters[outputs + output * columns + d]!;
    return Math.log1p(Math.exp(-sign * product));
  };
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i]! < 0) continue;
    for (let j = i + 1; j <= Math.min(tokens.length - 1, i + window) && tokens[j]! >= 0; j++) {
      take(tokens[j]!);
      sum += cost(tokens[i]!, 1);
      for (let k = 0; k < negative; k++) sum += cost(noise[at++ % noise.length]!, -1);
      pairs++;
    }
  }
  return pairs === 0 ? 0 : sum / pairs;
}

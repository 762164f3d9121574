import type { Random } from "../random.ts";
import { GROUP, GROUP_BYTES, RECORD_HEAD, scratchLayout, type TrainKernel } from "./embed-kernel.ts";
import type { EmbedLayout } from "./embed-memory.ts";
import { type EmbedSettings, startRate } from "./embed-options.ts";
import type { HuffmanTree } from "./huffman.ts";
import { type Noise, noiseOf, sampleChances } from "./noise.ts";

/** What every thread knows of the words. */
export interface EmbedTables {
  /** How often each word is in the corpus [V], the commonest first. */
  readonly counts: Float64Array;
  readonly tree: HuffmanTree | null;
  /** Buckets of each word's character sequences, by word [V + 1]; null without sub-words. */
  readonly parts: { readonly offsets: Int32Array; readonly buckets: Int32Array } | null;
}

/** Trains on consecutive tokens. */
export interface BlockTrainer {
  /**
   * One pass over a block of word numbers, −1 between sentences. `progress` tells how much of all training is
   * done at the block's beginning and at its end, from 0 to 1: the rate falls along it.
   */
  train(tokens: Int32Array, progress: readonly [number, number], random: Random): void;
}

/** Tokens after which the learning rate is set anew, as in word2vec. */
const RATE_EVERY = 10_000;
/** Words of a sentence that are taken together; what is longer is cut, as in word2vec. */
const LONGEST_SENTENCE = 1000;
/** The share of the first learning rate that it falls to. */
const LEAST_RATE = 1e-4;
/** Draws until a noise word is given up that is none of those at hand. */
const TRIES = 8;

/** The trainer of one thread, over the memory that `kernel` works on. */
export function blockTrainer(
  settings: EmbedSettings,
  tables: EmbedTables,
  layout: EmbedLayout,
  kernel: TrainKernel,
  buffer: ArrayBufferLike,
  thread: number,
): BlockTrainer {
  const { window, negative, method, subwords } = settings;
  const { counts, tree, parts } = tables;
  const size = counts.length;
  const noise: Noise = noiseOf(counts);
  const chances = sampleChances(counts, settings.sample);
  const scratch = layout.scratch(thread);
  const begin = scratch + layout.records;
  const limit = begin + layout.recordBytes;
  const nothing = scratch + scratchLayout(layout.stride, 2 * window).nothing;
  const integers = new Int32Array(buffer);
  const floats = new Float32Array(buffer);
  const { stride, inputs, outputs } = layout;
  const nodesAt = outputs + (negative > 0 ? size * stride : 0);
  const isWhole = method === "cbow" || subwords;
  const most = Math.max(1, Math.floor((limit - begin - RECORD_HEAD) / 4 / 2));

  let next: () => number = () => 0;
  let rate = 0;
  /** The record being written, and the number of places taken in its last group. */
  let at = begin;
  let place = GROUP;
  let groups = 0;
  let record = begin;

  const flush = () => {
    if (at > begin) kernel(begin, at, scratch);
    at = begin;
  };
  const startRecord = (rows: number) => {
    // Room for the inputs and all groups a record of this kind may have.
    const targets = negative + 1 + (isWhole ? 2 * window * (negative + 1) : 0) + (tree ? 64 * 2 * window : 0);
    if (at + RECORD_HEAD + 4 * rows + GROUP_BYTES * (2 + Math.ceil(targets / GROUP)) > limit) flush();
    record = at;
    integers[at >> 2] = rows;
    integers[(at >> 2) + 1] = isWhole ? 1 : 0;
    at += RECORD_HEAD;
    place = GROUP;
    groups = 0;
  };
  const addInput = (row: number) => {
    integers[at >> 2] = inputs + row * stride;
    at += 4;
  };
  const addOutput = (address: number, label: number) => {
    if (place === GROUP) {
      if (groups > 0) at += GROUP_BYTES;
      groups++;
      place = 0;
      const word = at >> 2;
      for (let k = 0; k < 8; k++) integers[word + k] = nothing;
      for (let k = 8; k < 24; k++) floats[word + k] = 0;
    }
    const word = (at >> 2) + place;
    integers[word] = address;
    floats[word + 8] = label;
    floats[word + 16] = rate;
    place++;
  };
  const endRecord = () => {
    if (groups === 0) {
      at = record;
      return;
    }
    at += GROUP_BYTES;
    integers[(record >> 2) + 2] = groups;
  };
  const drawn = new Int32Array(negative + 1);
  /** The word to be predicted, and noise words of which none is it or another one. */
  const addTargets = (target: number) => {
    if (negative > 0) {
      addOutput(outputs + target * stride, 1);
      drawn[0] = target;
      let count = 1;
      for (let k = 0; k < negative; k++) {
        for (let tries = 0; tries < TRIES; tries++) {
          const i = Math.floor((next() * size) / 4294967296);
          const word = next() < noise.kept[i]! ? i : noise.other[i]!;
          let isNew = true;
          for (let j = 0; j < count; j++) if (drawn[j] === word) isNew = false;
          if (!isNew) continue;
          drawn[count++] = word;
          addOutput(outputs + word * stride, 0);
          break;
        }
      }
    }
    if (tree === null) return;
    for (let k = tree.offsets[target]!; k < tree.offsets[target + 1]!; k++)
      addOutput(nodesAt + tree.nodes[k]! * stride, 1 - tree.turns[k]!);
  };
  const rowsOf = (word: number) => (parts === null ? 1 : 1 + parts.offsets[word + 1]! - parts.offsets[word]!);
  const addWord = (word: number) => {
    addInput(word);
    if (parts === null) return;
    for (let k = parts.offsets[word]!; k < parts.offsets[word + 1]!; k++) addInput(size + parts.buckets[k]!);
  };

  /** Skip-gram: every word around predicts the one in the middle, with the same noise words for all. */
  const skipgram = (sentence: Int32Array, middle: number, from: number, to: number) => {
    startRecord(to - from - 1);
    for (let i = from; i < to; i++) if (i !== middle) addInput(sentence[i]!);
    addTargets(sentence[middle]!);
    endRecord();
  };
  /** Skip-gram with sub-words: the middle's own parts predict every word around it, as in fastText. */
  const skipgramOfParts = (sentence: Int32Array, middle: number, from: number, to: number) => {
    const word = sentence[middle]!;
    startRecord(rowsOf(word));
    addWord(word);
    for (let i = from; i < to; i++) if (i !== middle) addTargets(sentence[i]!);
    endRecord();
  };
  /** CBOW: the mean of the words around, or of all their parts, predicts the one in the middle. */
  const cbow = (sentence: Int32Array, middle: number, from: number, to: number) => {
    let [rows, last] = [0, from];
    for (; last < to; last++) {
      const more = last === middle ? 0 : rowsOf(sentence[last]!);
      if (rows + more > most) break;
      rows += more;
    }
    startRecord(rows);
    for (let i = from; i < last; i++) if (i !== middle) addWord(sentence[i]!);
    addTargets(sentence[middle]!);
    endRecord();
  };
  const learn = method === "cbow" ? cbow : subwords ? skipgramOfParts : skipgram;

  const sentence = new Int32Array(LONGEST_SENTENCE);
  const learnSentence = (length: number) => {
    for (let middle = 0; middle < length; middle++) {
      const reach = window - Math.floor((next() * window) / 4294967296);
      const from = Math.max(0, middle - reach);
      const to = Math.min(length, middle + reach + 1);
      if (to - from > 1) learn(sentence, middle, from, to);
    }
  };
  const first = startRate(settings);
  return {
    train(tokens, [before, after], random) {
      next = generator(random);
      const rateAt = (i: number) =>
        first * Math.max(LEAST_RATE, 1 - before - ((after - before) * i) / tokens.length);
      rate = rateAt(0);
      let length = 0;
      for (let i = 0; i < tokens.length; i++) {
        const token = tokens[i]!;
        if (i % RATE_EVERY === 0) rate = rateAt(i);
        if (token >= 0 && (chances[token]! >= 4294967296 || next() < chances[token]!))
          sentence[length++] = token;
        if (token < 0 || length === LONGEST_SENTENCE) {
          learnSentence(length);
          length = 0;
        }
      }
      learnSentence(length);
      flush();
    },
  };
}

/**
 * Whole numbers of 32 bits: sfc32 of PractRand (Doty-Humphrey), written out here because a call a number
 * would cost too much.
 */
function generator(random: Random): () => number {
  let [a, b, c, d] = random.state() as [number, number, number, number];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

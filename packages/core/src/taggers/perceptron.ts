import type { Random } from "../random.ts";
import { type Transitions, viterbi } from "./decode.ts";
import type { LinearFeatures } from "./linear-features.ts";

/** A linear tagger: the scores of a token are the rows of its features added up. */
export interface LinearTagger {
  /** [rows, C] */
  readonly weights: Float32Array;
  readonly transitions: Transitions;
}

/** Sentences of tokens with class numbers of their tags. */
export interface TaggedIds {
  readonly tokens: readonly string[];
  readonly tags: Int32Array;
}

/** How a perceptron is trained. */
export interface PerceptronOptions {
  readonly tags: number;
  readonly features: LinearFeatures;
  readonly random: Random;
  readonly epochs: number;
  /** By how much the right sequence must win: what every wrong tag is given ahead in training. */
  readonly margin?: number;
  /** Share of features that a token hides in training, so that no one of them is relied upon. */
  readonly dropout?: number;
  /** Called after an epoch with the share of training tokens it got wrong; false stops. */
  onEpoch?(epoch: number, wrong: number): boolean | undefined;
}

/**
 * A first-order structured perceptron (Collins 2002, https://aclanthology.org/W02-1001): where the best
 * sequence is wrong, the features of the right one gain and those of the other lose. The weights given back
 * are their mean over all steps.
 */
export function trainPerceptron(sentences: readonly TaggedIds[], options: PerceptronOptions): LinearTagger {
  const { tags: count, features, random, epochs, margin = 0, dropout = 0, onEpoch } = options;
  const weights = new Float32Array(features.rows * count);
  const sums = new Float64Array(weights.length); // Σ step·change: what the mean lacks
  const transitions = new Float32Array(count * (count + 2));
  const transitionSums = new Float64Array(transitions.length);
  const [startAt, endAt] = [count * count, count * (count + 1)];
  const view: Transitions = {
    between: transitions.subarray(0, startAt),
    start: transitions.subarray(startAt, endAt),
    end: transitions.subarray(endAt),
  };
  const rows = sentences.map(({ tokens }) => features.of(tokens));
  const total = sentences.reduce((sum, { tokens }) => sum + tokens.length, 0);
  let step = 1;
  const move = (row: number, tag: number, by: number) => {
    const at = row * count + tag;
    weights[at]! += by;
    sums[at]! += by * step;
  };
  const shift = (at: number, by: number) => {
    transitions[at]! += by;
    transitionSums[at]! += by * step;
  };
  let scores = new Float32Array(0);
  let hidden = new Int32Array(0);
  for (let epoch = 0; epoch < epochs; epoch++) {
    let wrong = 0;
    for (const s of random.permutation(sentences.length)) {
      const { tags } = sentences[s]!;
      const ids = rows[s]!;
      const { length } = tags;
      if (scores.length < length * count) scores = new Float32Array(length * count * 2);
      if (dropout > 0) hidden = hide(hidden, ids, dropout, random);
      const shown = dropout > 0 ? hidden : ids;
      addScores(weights, shown, length, features.count, count, scores);
      if (margin > 0)
        for (let t = 0, at = 0; t < length; t++)
          for (let c = 0; c < count; c++, at++) if (c !== tags[t]) scores[at]! += margin;
      const found = viterbi(scores, length, view).tags;
      let before = -1;
      let foundBefore = -1;
      for (let t = 0; t < length; t++) {
        const [right, given] = [tags[t]!, found[t]!];
        if (right !== given) {
          wrong++;
          for (let f = t * features.count; f < (t + 1) * features.count; f++) {
            if (shown[f]! < 0) continue;
            move(shown[f]!, right, 1);
            move(shown[f]!, given, -1);
          }
        }
        if (right !== given || before !== foundBefore) {
          shift(t === 0 ? startAt + right : before * count + right, 1);
          shift(t === 0 ? startAt + given : foundBefore * count + given, -1);
        }
        before = right;
        foundBefore = given;
      }
      if (before !== foundBefore) {
        shift(endAt + before, 1);
        shift(endAt + foundBefore, -1);
      }
      step++;
    }
    if (onEpoch?.(epoch, wrong / total) === false) break;
  }
  const mean = (values: Float32Array, late: Float64Array) =>
    values.map((value, i) => value - late[i]! / step);
  const averaged = mean(transitions, transitionSums);
  return {
    weights: mean(weights, sums),
    transitions: {
      between: averaged.slice(0, startAt),
      start: averaged.slice(startAt, endAt),
      end: averaged.slice(endAt),
    },
  };
}

/** A copy of features, a share of them replaced by −1. */
function hide(into: Int32Array, ids: Int32Array, share: number, random: Random): Int32Array<ArrayBuffer> {
  const copy = into.length >= ids.length ? (into as Int32Array<ArrayBuffer>) : new Int32Array(ids.length * 2);
  // One draw serves four features: eight bits of it each.
  const bound = Math.round(share * 256);
  for (let i = 0; i < ids.length; ) {
    let bits = random.integer(2 ** 32);
    for (let k = 0; k < 4 && i < ids.length; k++, i++) {
      copy[i] = (bits & 255) < bound ? -1 : ids[i]!;
      bits >>>= 8;
    }
  }
  return copy;
}

/** Puts the scores [length, C] of tokens with features `ids` [length, width] into `scores`. */
export function addScores(
  weights: Float32Array,
  ids: Int32Array,
  length: number,
  width: number,
  count: number,
  scores: Float32Array,
): void {
  scores.fill(0, 0, length * count);
  const rows = new Int32Array(width);
  for (let t = 0; t < length; t++) {
    const to = t * count;
    let shown = 0;
    for (let f = t * width; f < (t + 1) * width; f++) if (ids[f]! >= 0) rows[shown++] = ids[f]! * count;
    let k = 0;
    // Four rows at a time, so that the scores are read and written a quarter as often.
    for (; k + 3 < shown; k += 4) {
      const [a, b, c, d] = [rows[k]!, rows[k + 1]!, rows[k + 2]!, rows[k + 3]!];
      for (let i = 0; i < count; i++)
        scores[to + i]! += weights[a + i]! + weights[b + i]! + weights[c + i]! + weights[d + i]!;
    }
    for (; k < shown; k++) for (let i = 0; i < count; i++) scores[to + i]! += weights[rows[k]! + i]!;
  }
}

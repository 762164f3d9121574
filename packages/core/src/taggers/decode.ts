import { InputError } from "../errors.ts";
import { mayFollow, type Scheme } from "../spans.ts";

/**
 * What a tag adds to the score of a sentence beside its tokens: `start` [C] where it comes first, `between`
 * [C, C] (from row to column) where it follows another, `end` [C] where it comes last.
 */
export interface Transitions {
  readonly start: Float32Array;
  readonly between: Float32Array;
  readonly end: Float32Array;
}

/** Transitions that add nothing, of C tags. */
export function noTransitions(tags: number): Transitions {
  return {
    start: new Float32Array(tags),
    between: new Float32Array(tags * tags),
    end: new Float32Array(tags),
  };
}

/** The same transitions with −∞ wherever the scheme of the tags lets nothing follow. */
export function constrained(
  transitions: Transitions,
  tags: readonly string[],
  scheme: Scheme | null,
): Transitions {
  const only = (score: number, before: string | null, tag: string | null) =>
    mayFollow(scheme, before, tag) ? score : Number.NEGATIVE_INFINITY;
  const count = tags.length;
  return {
    start: transitions.start.map((score, i) => only(score, null, tags[i]!)),
    between: transitions.between.map((score, i) =>
      only(score, tags[Math.floor(i / count)]!, tags[i % count]!),
    ),
    end: transitions.end.map((score, i) => only(score, tags[i]!, null)),
  };
}

/** A sequence of tags and its score. */
export interface Path {
  readonly tags: Int32Array;
  readonly score: number;
}

/**
 * The best sequence for scores [length, C] of tokens (Viterbi 1967, doi:10.1109/TIT.1967.1054010); of equal
 * ones the first tags win. Throws an InputError where transitions forbid every sequence.
 */
export function viterbi(scores: Float32Array, length: number, transitions: Transitions): Path {
  const { start, between, end } = transitions;
  const count = start.length;
  if (length === 0) return { tags: new Int32Array(0), score: 0 };
  const from = new Int32Array(length * count);
  let now = new Float64Array(count);
  let next = new Float64Array(count);
  for (let c = 0; c < count; c++) now[c] = start[c]! + scores[c]!;
  for (let t = 1; t < length; t++) {
    for (let c = 0; c < count; c++) {
      let best = Number.NEGATIVE_INFINITY;
      let which = 0;
      for (let b = 0, at = c; b < count; b++, at += count) {
        const score = now[b]! + between[at]!;
        if (score > best) {
          best = score;
          which = b;
        }
      }
      next[c] = best + scores[t * count + c]!;
      from[t * count + c] = which;
    }
    [now, next] = [next, now];
  }
  let score = Number.NEGATIVE_INFINITY;
  let last = -1;
  for (let c = 0; c < count; c++) {
    if (now[c]! + end[c]! > score) {
      score = now[c]! + end[c]!;
      last = c;
    }
  }
  if (last < 0)
    throw new InputError(`no sequence of ${length} tags is allowed by the transitions between them`);
  const tags = new Int32Array(length);
  for (let t = length - 1; t >= 0; t--) {
    tags[t] = last;
    last = from[t * count + last]!;
  }
  return { tags, score };
}

/**
 * Probability [length, C] of each tag of each token over all sequences (forward-backward; Rabiner 1989,
 * doi:10.1109/5.18626), and the logarithm of what all sequences weigh together.
 */
export function marginals(
  scores: Float32Array,
  length: number,
  { start, between, end }: Transitions,
): { readonly probabilities: Float32Array; readonly logPartition: number } {
  const count = start.length;
  const weights = Float64Array.from(between, Math.exp);
  const forward = new Float64Array(length * count);
  const backward = new Float64Array(length * count);
  const later = new Float64Array(count);
  let logPartition = 0;
  // Each position is scaled to sum 1, so that nothing runs over; the logarithms of the scales add up to the
  // partition.
  for (let t = 0; t < length; t++) {
    const at = t * count;
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < count; c++) top = Math.max(top, scores[at + c]! + (t === 0 ? start[c]! : 0));
    let sum = 0;
    for (let c = 0; c < count; c++) {
      let before = 1;
      if (t > 0) {
        before = 0;
        for (let b = 0; b < count; b++) before += forward[at - count + b]! * weights[b * count + c]!;
      }
      const value = before * Math.exp(scores[at + c]! + (t === 0 ? start[c]! : 0) - top);
      forward[at + c] = value;
      sum += value;
    }
    for (let c = 0; c < count; c++) forward[at + c]! /= sum;
    logPartition += top + Math.log(sum);
  }
  const probabilities = new Float32Array(length * count);
  for (let t = length - 1; t >= 0; t--) {
    const at = t * count;
    if (t === length - 1) {
      let sum = 0;
      for (let c = 0; c < count; c++) {
        backward[at + c] = Math.exp(end[c]!);
        sum += forward[at + c]! * backward[at + c]!;
      }
      logPartition += Math.log(sum);
    } else {
      let top = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < count; c++) top = Math.max(top, scores[at + count + c]!);
      for (let c = 0; c < count; c++)
        later[c] = Math.exp(scores[at + count + c]! - top) * backward[at + count + c]!;
      let sum = 0;
      for (let b = 0; b < count; b++) {
        let value = 0;
        for (let c = 0; c < count; c++) value += weights[b * count + c]! * later[c]!;
        backward[at + b] = value;
        sum += value;
      }
      for (let b = 0; b < count; b++) backward[at + b]! /= sum;
    }
    let all = 0;
    for (let c = 0; c < count; c++) all += forward[at + c]! * backward[at + c]!;
    for (let c = 0; c < count; c++) probabilities[at + c] = (forward[at + c]! * backward[at + c]!) / all;
  }
  return { probabilities, logPartition };
}

/**
 * What a tagger expects of a sentence's tags: how probable each tag of a token is, and how often each move is
 * made.
 */
export interface ExpectedTags {
  /** [length, C] */
  readonly probabilities: Float32Array;
  /** From each tag to the column's, then starts and ends [C + 2, C]. */
  readonly moves: Float32Array;
}

/**
 * The expected counts of a chain's tags and moves over all sequences: what stands for tags that are known
 * where another tagger is to learn from this one (Wang et al. 2021, https://arxiv.org/abs/2010.05010).
 */
export function expectedTags(scores: Float32Array, length: number, transitions: Transitions): ExpectedTags {
  const { start, between, end } = transitions;
  const count = start.length;
  const { probabilities } = marginals(scores, length, transitions);
  const moves = new Float32Array((count + 2) * count);
  if (length === 0) return { probabilities, moves };
  moves.set(probabilities.subarray(0, count), count * count);
  moves.set(probabilities.subarray((length - 1) * count), (count + 1) * count);
  if (length === 1) return { probabilities, moves };
  // What all ways onward from a tag weigh, each place scaled.
  const onward = new Float64Array(length * count);
  const weights = Float64Array.from(between, Math.exp);
  const raised = (t: number) => {
    const own = scores.subarray(t * count, (t + 1) * count);
    const top = own.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    return Float64Array.from(own, (score) => Math.exp(score - top));
  };
  for (let c = 0; c < count; c++) onward[(length - 1) * count + c] = Math.exp(end[c]!);
  for (let t = length - 2; t >= 0; t--) {
    const next = raised(t + 1);
    let sum = 0;
    for (let b = 0; b < count; b++) {
      let value = 0;
      for (let c = 0; c < count; c++)
        value += weights[b * count + c]! * next[c]! * onward[(t + 1) * count + c]!;
      onward[t * count + b] = value;
      sum += value;
    }
    for (let b = 0; b < count; b++) onward[t * count + b]! /= sum;
  }
  // A move out of a tag is made as often as the tag is there, by what lies behind each move.
  for (let t = 0; t + 1 < length; t++) {
    const next = raised(t + 1);
    for (let b = 0; b < count; b++) {
      const here = probabilities[t * count + b]!;
      if (here === 0) continue;
      let all = 0;
      for (let c = 0; c < count; c++)
        all += weights[b * count + c]! * next[c]! * onward[(t + 1) * count + c]!;
      if (all === 0) continue;
      for (let c = 0; c < count; c++)
        moves[b * count + c]! +=
          (here * weights[b * count + c]! * next[c]! * onward[(t + 1) * count + c]!) / all;
    }
  }
  return { probabilities, moves };
}

/** Tags that are known, as expectations: each is certain. */
export function knownTags(tags: Int32Array, count: number): ExpectedTags {
  const probabilities = new Float32Array(tags.length * count);
  const moves = new Float32Array((count + 2) * count);
  for (const [t, tag] of tags.entries()) {
    probabilities[t * count + tag] = 1;
    moves[(t === 0 ? count : tags[t - 1]!) * count + tag]! += 1;
  }
  if (tags.length > 0) moves[(count + 1) * count + tags.at(-1)!]! += 1;
  return { probabilities, moves };
}

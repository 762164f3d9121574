import type { Random } from "../random.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Sentences that run together, padded to one length. */
export interface TagBatch {
  /** Sentence numbers, fewer than `rows` where the batch is not full. */
  readonly sentences: Int32Array;
  readonly rows: number;
  readonly length: number;
}

/** Lengths sentences are padded to; each has a session of its own. */
const BUCKETS = [4, 8, 12, 16, 20, 24, 32, 40, 52, 64, 96, 128];

/** Longest piece that is trained on at once: what is longer is cut. */
export const LONGEST = BUCKETS.at(-1)!;

/** Share of its rows from which on a batch is not put off. */
const FULL = 0.75;

/**
 * Full batches of an epoch from which on a step is several smaller ones at once: of fewer, those of a length are
 * seldom full, and half of them each would be half the steps.
 */
const LEAST_WIDE = 32;

/** How many smaller batches a step is, out of `tokens` an epoch and `batchTokens` a step. */
export function batchesAtOnce(
  tokens: number,
  batchTokens: number,
  { lanes = 1 }: Pick<Runtime, "lanes">,
): number {
  return tokens >= LEAST_WIDE * batchTokens ? lanes : 1;
}

/** The length that a sentence of `tokens` is padded to. */
export function bucketOf(tokens: number): number {
  return BUCKETS.find((length) => length >= tokens) ?? tokens;
}

/**
 * The batches of an epoch: sentences of like lengths together, about `tokens` a batch and at most `most`
 * sentences, in random order where there is a source. Every batch of a length has as many rows, so that a
 * length is one shape; what would leave a batch of an epoch largely empty goes with the next longer
 * sentences. With `atOnce` a batch is so many smaller ones of like lengths, which follow each other: of those that
 * run at once none waits for another.
 */
export function tagBatches(
  lengths: ArrayLike<number>,
  tokens: number,
  most: number,
  random: Random | null,
  atOnce = 1,
): TagBatch[] {
  const members = new Map<number, number[]>();
  const order = random
    ? random.permutation(lengths.length)
    : Int32Array.from({ length: lengths.length }, (_, i) => i);
  for (const i of order) {
    const bucket = bucketOf(lengths[i]!);
    const found = members.get(bucket);
    if (found) found.push(i);
    else members.set(bucket, [i]);
  }
  const [share, limit] = [Math.ceil(tokens / atOnce), Math.ceil(most / atOnce)];
  const rowsOf = (length: number) => Math.max(1, Math.min(limit, Math.floor(share / length)));
  const batches: TagBatch[] = [];
  const add = (sentences: readonly number[]) => {
    const length = sentences.reduce((longest, i) => Math.max(longest, bucketOf(lengths[i]!)), 0);
    batches.push({ sentences: Int32Array.from(sentences), rows: rowsOf(length), length });
  };
  let left: number[] = [];
  const buckets = [...members.keys()].sort((a, b) => a - b);
  for (const [b, length] of buckets.entries()) {
    const all = [...members.get(length)!, ...left];
    left = [];
    const rows = rowsOf(length);
    for (let at = 0; at < all.length; at += rows) {
      const own = all.slice(at, at + rows);
      if (random && b + 1 < buckets.length && own.length < FULL * rows) left = own;
      else add(own);
    }
  }
  if (random === null) return batches;
  const whole = batches.length - (batches.length % atOnce);
  const groups = Array.from(random.permutation(whole / atOnce), (g) =>
    batches.slice(g * atOnce, (g + 1) * atOnce),
  );
  return [...groups.flat(), ...batches.slice(whole)];
}

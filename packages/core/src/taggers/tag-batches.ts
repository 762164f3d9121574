import type { Random } from "../random.ts";

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

/** The length that a sentence of `tokens` is padded to. */
export function bucketOf(tokens: number): number {
  return BUCKETS.find((length) => length >= tokens) ?? tokens;
}

/**
 * The batches of an epoch: sentences of like lengths together, about `tokens` a batch and at most `most` sentences, in random
 * order where there is a source. Every batch of a length has as many rows, so that a length is one shape.
 */
export function tagBatches(
  lengths: ArrayLike<number>,
  tokens: number,
  most: number,
  random: Random | null,
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
  const batches: TagBatch[] = [];
  for (const length of [...members.keys()].sort((a, b) => a - b)) {
    const all = members.get(length)!;
    const rows = Math.max(1, Math.min(most, Math.floor(tokens / length)));
    for (let at = 0; at < all.length; at += rows)
      batches.push({ sentences: Int32Array.from(all.slice(at, at + rows)), rows, length });
  }
  return random ? Array.from(random.permutation(batches.length), (i) => batches[i]!) : batches;
}

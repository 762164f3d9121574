import { type SubwordShape, subwordBuckets } from "../subword-buckets.ts";

export { type SubwordShape, subwordBuckets };

/**
 * Vectors of character sequences, as in fastText (Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606):
 * the sequences of `<word>` are hashed into buckets, and a word's vector is the mean of its own and its
 * sequences' vectors.
 */
export interface Subwords extends SubwordShape {
  /** [buckets, D] */
  readonly table: Float32Array;
}

/** The mean of the vectors of a word's sequences [D]; null where it has no sequence. */
export function composeVector(word: string, subwords: Subwords, dimension: number): Float32Array | null {
  const buckets = subwordBuckets(word, subwords);
  if (buckets.length === 0) return null;
  const mean = new Float32Array(dimension);
  for (const bucket of buckets)
    for (let d = 0; d < dimension; d++) mean[d]! += subwords.table[bucket * dimension + d]!;
  for (let d = 0; d < dimension; d++) mean[d]! /= buckets.length;
  return mean;
}

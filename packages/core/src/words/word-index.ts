import { floatProducts } from "../linalg/float-products.ts";
import type { WordVectors } from "./word-vectors.ts";

/** A word that is near, and how near. */
export interface Neighbour {
  readonly word: string;
  readonly row: number;
  /** Cosine of the angle, from −1 to 1; of `multiplied` answers the product. */
  readonly score: number;
}

/** Vectors made ready for comparison: scaled to length 1. */
export interface WordIndex {
  readonly vectors: WordVectors;
  /** Rows compared with, from the first on. */
  readonly size: number;
  /** Cosines of queries [Q, D] with every row [Q, size]; queries need not have length 1. */
  cosines(queries: Float32Array): Float32Array;
  /** The row of a word scaled to length 1 [D], a view. */
  unit(row: number): Float32Array;
}

/** An index over the first `limit` words, all by default. */
export function wordIndex(vectors: WordVectors, limit = Number.POSITIVE_INFINITY): WordIndex {
  const { dimension } = vectors;
  const size = Math.min(vectors.words.length, limit);
  const stride = 4 * Math.ceil(dimension / 4); // whole vectors of four
  const products = floatProducts(size, stride);
  const units = products.rows;
  if (stride === dimension) units.set(vectors.vectors.subarray(0, size * dimension));
  else
    for (let i = 0; i < size; i++)
      units.set(vectors.vectors.subarray(i * dimension, (i + 1) * dimension), i * stride);
  products.scaleRows();
  return {
    vectors,
    size,
    cosines(queries) {
      const count = queries.length / dimension;
      const scaled = new Float32Array(count * stride);
      for (let q = 0; q < count; q++) unitInto(queries, q * dimension, scaled, q * stride, dimension);
      return products.scores(scaled, count);
    },
    unit: (row) => units.subarray(row * stride, row * stride + dimension),
  };
}

/** The `count` highest scores that are not of excluded rows, the highest first; of equal ones the first row. */
export function highest(
  scores: Float32Array,
  from: number,
  size: number,
  count: number,
  excluded: ReadonlySet<number>,
): number[] {
  const best: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < size; i++) {
    const score = scores[from + i]!;
    if ((best.length === count && score <= least) || excluded.has(i)) continue;
    let at = best.length;
    while (at > 0 && scores[from + best[at - 1]!]! < score) at--;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
    least = scores[from + best.at(-1)!]!;
  }
  return best;
}

function unitInto(from: Float32Array, at: number, into: Float32Array, to: number, dimension: number): void {
  let square = 0;
  for (let d = 0; d < dimension; d++) square += from[at + d]! * from[at + d]!;
  const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
  for (let d = 0; d < dimension; d++) into[to + d] = from[at + d]! * scale;
}

import type { SparseMatrix } from "../tensor.ts";
import type { LinearRows } from "./linear-rows.ts";

/** Rows in flight at a time. */
const BLOCK = 256;

/**
 * Sparse rows as they are, but for the order of their columns: near each other in memory lie those of the
 * most rows.
 */
export function sparseRows(features: SparseMatrix): LinearRows {
  const { places, sparse } = byFrequency(features);
  const { rows, columns, offsets, indices, values } = sparse;
  const padded = columns + 1;
  const addScoresOf = (i: number, theta: Float64Array, K: number, scores: Float64Array, o: number) => {
    for (let k = 0; k < K; k++)
      scores[o + k] = theta[k * padded + columns]! + sparseDot(sparse, i, theta, k * padded);
  };
  return {
    rows,
    columns,
    rounding: 1e-15,
    data: null,
    sparse,
    async pass(theta, K, turn) {
      const sums = new Float64Array(padded * K);
      const scores = new Float64Array(BLOCK * K);
      for (let from = 0; from < rows; from += BLOCK) {
        const count = Math.min(BLOCK, rows - from);
        for (let q = 0; q < count; q++) addScoresOf(from + q, theta, K, scores, q * K);
        turn(scores, from, count);
        for (let q = 0; q < count; q++)
          for (let k = 0; k < K; k++) {
            const residual = scores[q * K + k]!;
            if (residual === 0) continue;
            sums[k * padded + columns]! += residual;
            addSparse(sparse, from + q, residual, sums, k * padded);
          }
      }
      return sums;
    },
    async scores(theta, K) {
      const scores = new Float64Array(rows * K);
      for (let i = 0; i < rows; i++) addScoresOf(i, theta, K, scores, i * K);
      return scores;
    },
    async moment(weights) {
      const diagonal = new Float64Array(padded);
      for (let i = 0; i < rows; i++) {
        const w = weights[i]!;
        for (let p = offsets[i]!; p < offsets[i + 1]!; p++) diagonal[indices[p]!]! += w * values[p]! ** 2;
        diagonal[columns]! += w;
      }
      return { diagonal };
    },
    lift(theta, K) {
      const lifted = new Float64Array(theta.length);
      for (let from = 0; from < K * padded; from += padded) {
        for (let j = 0; j < columns; j++) lifted[from + j] = theta[from + places[j]!]!;
        lifted[from + columns] = theta[from + columns]!;
      }
      return lifted;
    },
    async close() {},
  };
}

/**
 * Scores [N, K] of each row by the model whose number it has [N], of coefficients [M · K, D + 1]; NaN where
 * that is −1.
 */
export function scoresByModel(
  sparse: SparseMatrix,
  theta: Float64Array,
  K: number,
  model: Int32Array,
): Float64Array {
  const padded = sparse.columns + 1;
  const scores = new Float64Array(sparse.rows * K).fill(Number.NaN);
  for (let i = 0; i < sparse.rows; i++)
    for (let k = 0; k < K && model[i]! >= 0; k++) {
      const from = (model[i]! * K + k) * padded;
      scores[i * K + k] = theta[from + sparse.columns]! + sparseDot(sparse, i, theta, from);
    }
  return scores;
}

/** The same rows with their columns ordered, and the new place of each column [D]. */
function byFrequency({ indices, ...features }: SparseMatrix) {
  const counts = new Int32Array(features.columns);
  for (const j of indices) counts[j]!++;
  const order = Int32Array.from(counts.keys()).sort((a, b) => counts[b]! - counts[a]! || a - b);
  const places = new Int32Array(features.columns);
  for (const [place, j] of order.entries()) places[j] = place;
  const sparse = { ...features, indices: indices.map((j) => places[j]!) };
  return { places, sparse };
}

// Functions of their own, since loops over what a closure holds load it anew at every step.

/** Σ x_j · theta[from + j] of row i. */
function sparseDot(
  { offsets, indices, values }: SparseMatrix,
  i: number,
  theta: Float64Array,
  from: number,
): number {
  let sum = 0;
  for (let p = offsets[i]!, end = offsets[i + 1]!; p < end; p++)
    sum += values[p]! * theta[from + indices[p]!]!;
  return sum;
}

/** sums[from + j] += scale · x_j of row i. */
function addSparse(
  { offsets, indices, values }: SparseMatrix,
  i: number,
  scale: number,
  sums: Float64Array,
  from: number,
): void {
  for (let p = offsets[i]!, end = offsets[i + 1]!; p < end; p++) {
    const at = from + indices[p]!;
    sums[at] = sums[at]! + scale * values[p]!;
  }
}

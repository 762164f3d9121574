import { addRowProducts } from "../linalg/product.ts";
import type { Matrix } from "../tensor.ts";

/** The rows nearest to each row, nearest first, itself left out. */
export interface NearestRows {
  /** [N, k] */
  readonly indices: Int32Array;
  /** Euclidean distances [N, k]. */
  readonly distances: Float64Array;
}

/** Rows worked on at a time. */
const BLOCK = 256;

/**
 * The k nearest rows of every row of features [N, D] by Euclidean distance, all compared; the lower row of
 * two as near.
 */
export function nearestRows({ rows: n, columns: d, data }: Matrix, k: number): NearestRows {
  const indices = new Int32Array(n * k);
  const distances = new Float64Array(n * k);
  const squares = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let c = 0; c < d; c++) squares[i]! += data[i * d + c]! ** 2;
  for (let from = 0; from < n; from += BLOCK) {
    const count = Math.min(BLOCK, n - from);
    const products = new Float64Array(count * n);
    addRowProducts(data.subarray(from * d, (from + count) * d), count, data, n, d, products);
    for (let i = 0; i < count; i++) {
      const row = from + i;
      const square = (j: number) => Math.max(0, squares[row]! + squares[j]! - 2 * products[i * n + j]!);
      const all = Float64Array.from({ length: n }, (_, j) => square(j));
      const order = smallest(all, k, row);
      for (const [place, j] of order.entries()) {
        indices[row * k + place] = j;
        distances[row * k + place] = Math.sqrt(all[j]!);
      }
    }
  }
  return { indices, distances };
}

/** Places of the k smallest values but one, smallest first. */
function smallest(values: Float64Array, k: number, except: number): number[] {
  const kept: number[] = [];
  for (let j = 0; j < values.length; j++) {
    if (j === except || (kept.length === k && values[j]! >= values[kept[k - 1]!]!)) continue;
    let at = kept.length;
    while (at > 0 && values[kept[at - 1]!]! > values[j]!) at--;
    kept.splice(at, 0, j);
    if (kept.length > k) kept.pop();
  }
  return kept;
}

import { InputError } from "../errors.ts";
import { type Matrix, matrix } from "../tensor.ts";
import { nearestRows } from "./nearest-rows.ts";

/**
 * How far the neighbours that a picture [N, 2] shows are neighbours indeed (Venna and Kaski 2001,
 * doi:10.1007/3-540-44668-0_68): 1 − 2 / (N k (2N − 3k − 1)) Σ (rank − k) over the k nearest on the picture
 * whose rank among the features' [N, D] neighbours is beyond k. 1 where all are; about ½ by chance. Throws an
 * InputError where k is not below N / 2.
 */
export function trustworthiness(features: Matrix, plane: Float64Array, k: number): number {
  const n = features.rows;
  if (!(Number.isInteger(k) && k >= 1 && k < n / 2))
    throw new InputError(
      `trustworthiness of ${n} rows takes 1 to ${Math.ceil(n / 2) - 1} neighbours, got ${k}`,
    );
  const shown = nearestRows(matrix(n, plane.length / n, Float32Array.from(plane)), k).indices;
  const real = nearestRows(features, n - 1).indices;
  const rank = new Int32Array(n);
  let penalty = 0;
  for (let i = 0; i < n; i++) {
    for (let r = 0; r < n - 1; r++) rank[real[i * (n - 1) + r]!] = r + 1;
    for (let p = 0; p < k; p++) penalty += Math.max(0, rank[shown[i * k + p]!]! - k);
  }
  return 1 - (2 / (n * k * (2 * n - 3 * k - 1))) * penalty;
}

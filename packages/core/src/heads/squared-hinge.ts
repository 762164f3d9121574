import type { LinearLoss } from "./linear-solver.ts";

/** max(0, 1 − t s)² of each column's score s, t = ±1 saying whether the row is of its class; two classes share a column. */
export const squaredHinge: LinearLoss = {
  columns: (classes) => (classes === 2 ? 1 : classes),
  curvature: () => 1, // 2 within the margin, 0 beyond it
  penalisesIntercept: true,
  derive(scores, o, K, label, weight) {
    let loss = 0;
    for (let k = 0; k < K; k++) {
      const target = K === 1 ? 2 * label - 1 : k === label ? 1 : -1;
      const short = Math.max(0, 1 - target * scores[o + k]!);
      loss += weight * short * short;
      scores[o + k] = -2 * weight * target * short;
    }
    return loss;
  },
};

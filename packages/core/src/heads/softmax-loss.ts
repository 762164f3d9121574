import type { LinearLoss } from "./linear-solver.ts";
import { logisticAscent, softmaxAscent } from "./softmax-ascent.ts";

/**
 * −log p of the label under softmax. Two classes share one column, as scikit-learn has it: the penalty is that of the
 * difference of their scores.
 */
export const softmaxLoss: LinearLoss = {
  columns: (classes) => (classes === 2 ? 1 : classes),
  // Half of p(1 − p) where all classes are alike; the bound of 1/2 (of 1/4 in two classes) holds everywhere,
  // far too high.
  curvature: (classes) => (1 - 1 / classes) / (2 * classes),
  penalisesIntercept: false,
  derive(scores, o, K, label, weight) {
    if (K === 1) {
      const s = scores[o]!;
      const z = label === 1 ? -s : s; // −log p = log(1 + e^z)
      scores[o] = weight * (1 / (1 + Math.exp(-s)) - label);
      return weight * (z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)));
    }
    const loss = -weight * logSoftmax(scores, o, K, label);
    for (let c = o; c < o + K; c++) scores[c]! *= weight;
    scores[o + label]! -= weight;
    return loss;
  },
  ascent: (K) => (K === 1 ? logisticAscent() : softmaxAscent(K)),
};

/** Turns the scores at `o` into probabilities in place and returns the log of that of `label`. */
export function logSoftmax(scores: Float64Array, o: number, classes: number, label: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let c = o; c < o + classes; c++) most = Math.max(most, scores[c]!);
  const gap = scores[o + label]! - most;
  let sum = 0;
  for (let c = o; c < o + classes; c++) {
    const p = Math.exp(scores[c]! - most);
    scores[c] = p;
    sum += p;
  }
  for (let c = o; c < o + classes; c++) scores[c]! /= sum;
  return gap - Math.log(sum);
}

import type { Ascent, LinearLoss } from "./linear-solver.ts";

/**
 * max(0, 1 − t s)² of each column's score s, t = ±1 saying whether the row is of its class; two classes share
 * a column.
 */
export const squaredHinge: LinearLoss = {
  columns: (classes) => (classes === 2 ? 1 : classes),
  curvature: () => 1, // 2 within the margin, 0 beyond it
  penalisesIntercept: true,
  derive(scores, o, K, label, weight) {
    let loss = 0;
    for (let k = 0; k < K; k++) {
      const target = targetOf(K, k, label);
      const short = Math.max(0, 1 - target * scores[o + k]!);
      loss += weight * short * short;
      scores[o + k] = -2 * weight * target * short;
    }
    return loss;
  },
  ascent: (K) => new SquaredHingeAscent(K),
};

/** The hinge's part of the dual has β = 2 max(0, 1 − t s) for a pull, and β² / 4 − β for its value. */
class SquaredHingeAscent implements Ascent {
  loss = 0;
  readonly #K: number;

  constructor(K: number) {
    this.#K = K;
  }

  step(
    scores: Float64Array,
    pulls: Float64Array,
    at: number,
    label: number,
    curvature: number,
    idle: number,
  ): number {
    const K = this.#K;
    let [loss, gap] = [0, 0];
    for (let k = 0; k < K; k++) {
      const target = targetOf(K, k, label);
      const old = target * pulls[at + k]!;
      const free = 1 - target * scores[k]!;
      const own = Math.max(0, free) ** 2;
      loss += own;
      gap += own + 0.25 * old * old - old * free;
    }
    this.loss = loss;
    if (gap <= idle) return gap;
    for (let k = 0; k < K; k++) {
      const target = targetOf(K, k, label);
      const old = target * pulls[at + k]!;
      const pull = Math.max(0, (2 * (1 - target * scores[k]! + curvature * old)) / (1 + 2 * curvature));
      scores[k] = target * (pull - old);
      pulls[at + k] = target * pull;
    }
    return gap;
  }
}

/** 1 where a row of `label` is of column k's class, else −1. */
function targetOf(K: number, k: number, label: number): number {
  if (K === 1) return 2 * label - 1;
  return k === label ? 1 : -1;
}

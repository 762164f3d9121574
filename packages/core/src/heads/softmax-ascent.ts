import type { Ascent } from "./linear-solver.ts";

/** Newton steps that are taken at most. */
const STEPS = 50;
/** The greatest step up of a logarithm: beyond it e to the power of it is a poor guide. */
const FARTHEST = 2;
/** Least logarithm of a probability. */
const LEAST = -700;

/**
 * Dual ascent of −log p under softmax. A row's part of the dual is the entropy of p = e_label − pulls; the
 * best p solves log p + q p = z − ν, z being the scores without the row's own pull on them, and q the
 * curvature. It is found by Newton's method in log p. A row's duality gap is KL(p ‖ softmax(scores)).
 */
export function softmaxAscent(K: number): Ascent {
  const z = new Float64Array(K);
  const logs = new Float64Array(K);
  const found = new Float64Array(K);
  const ascent = {
    loss: 0,
    step(
      scores: Float64Array,
      pulls: Float64Array,
      at: number,
      label: number,
      curvature: number,
      idle: number,
    ): number {
      toLogProbabilities(scores, K);
      ascent.loss = -scores[label]!;
      let gap = 0;
      for (let k = 0; k < K; k++) {
        const p = (k === label ? 1 : 0) - pulls[at + k]!;
        if (p > 0) gap += p * (Math.log(p) - scores[k]!);
      }
      if (gap <= idle) return gap;
      for (let k = 0; k < K; k++) z[k] = scores[k]! + curvature * ((k === label ? 1 : 0) - pulls[at + k]!);
      logs.set(scores);
      const isFound = solve(z, curvature, logs, found);
      for (let k = 0; k < K; k++) {
        const pull = (k === label ? 1 : 0) - found[k]!;
        scores[k] = isFound ? pull - pulls[at + k]! : 0;
        if (isFound) pulls[at + k] = pull;
      }
      return gap;
    },
  };
  return ascent;
}

function toLogProbabilities(scores: Float64Array, K: number): void {
  let most = scores[0]!;
  for (let k = 1; k < K; k++) most = Math.max(most, scores[k]!);
  let sum = 0;
  for (let k = 0; k < K; k++) sum += Math.exp(scores[k]! - most);
  const norm = most + Math.log(sum);
  for (let k = 0; k < K; k++) scores[k] = Math.max(LEAST, scores[k]! - norm);
}

/** p with log p + q p = z − ν and Σ p = 1, searched from `logs`; says whether it was found. */
export function solve(z: Float64Array, q: number, logs: Float64Array, p: Float64Array): boolean {
  const K = z.length;
  let isFound = false;
  for (let step = 0; step < STEPS && !isFound; step++) {
    let [mass, slack, total] = [0, 0, 0];
    for (let k = 0; k < K; k++) {
      const own = Math.exp(logs[k]!);
      const share = own / (1 + q * own);
      p[k] = own;
      total += own;
      mass += share;
      slack += share * (z[k]! - logs[k]! - q * own);
    }
    const nu = (slack + total - 1) / mass;
    let farthest = 0;
    for (let k = 0; k < K; k++) {
      const own = p[k]!;
      const move = Math.min(FARTHEST, (z[k]! - logs[k]! - q * own - nu) / (1 + q * own));
      const to = Math.max(LEAST, Math.min(0, logs[k]! + move));
      farthest = Math.max(farthest, Math.abs(to - logs[k]!) * Math.max(own, 1e-6));
      logs[k] = to;
    }
    isFound = farthest < 1e-7;
  }
  let total = 0;
  for (let k = 0; k < K; k++) total += p[k] = Math.exp(logs[k]!);
  for (let k = 0; k < K; k++) p[k]! /= total;
  return isFound;
}

/** The same of two classes, whose log-odds are the one score: it solves s + q p(s) = z, p = 1 / (1 + e⁻ˢ). */
export function logisticAscent(): Ascent {
  const ascent = {
    loss: 0,
    step(
      scores: Float64Array,
      pulls: Float64Array,
      at: number,
      label: number,
      curvature: number,
      idle: number,
    ): number {
      const s = scores[0]!;
      const pull = pulls[at]!;
      const old = label - pull;
      const softplus = s > 0 ? s + Math.log1p(Math.exp(-s)) : Math.log1p(Math.exp(s));
      ascent.loss = softplus - label * s;
      let gap = softplus - old * s;
      if (old > 0) gap += old * Math.log(old);
      if (old < 1) gap += (1 - old) * Math.log1p(-old);
      if (gap <= idle) return gap;
      const found = label - solveLogistic(s + curvature * old, curvature, s);
      scores[0] = found - pull;
      pulls[at] = found;
      return gap;
    },
  };
  return ascent;
}

/** p(s) with s + q p(s) = z, searched from s = `start`. */
export function solveLogistic(z: number, q: number, start: number): number {
  let [low, high] = [z - q, z];
  let s = Math.max(low, Math.min(high, start));
  for (let step = 0; step < 2 * STEPS; step++) {
    const p = 1 / (1 + Math.exp(-s));
    const surplus = s + q * p - z;
    if (surplus > 0) high = s;
    else low = s;
    const newton = s - surplus / (1 + q * p * (1 - p));
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    const moved = Math.abs(next - s);
    s = next;
    if (moved <= 1e-9 * (1 + Math.abs(s))) break;
  }
  return 1 / (1 + Math.exp(-s));
}

import { random } from "../random.ts";
import type { SparseMatrix } from "../tensor.ts";
import type { LinearLoss } from "./linear-solver.ts";

/** One linear model of sparse rows: labels [N], the weight of each row [N], strength C. */
export interface DualProblem {
  readonly rows: SparseMatrix;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly classes: number;
  readonly loss: LinearLoss;
  readonly strength: number;
}

/** Where the search ended. */
export interface DualSolution {
  /** Coefficients [K, D + 1], the intercept last. */
  readonly theta: Float64Array;
  /** Bound on how far the objective is above its least value, relative to it. */
  readonly distance: number;
  readonly epochs: number;
}

const EPOCHS = 200;
/** Variance of a free intercept about where it was an epoch ago, in squared lengths of a row. */
const INTERCEPT = 0.25;
/** Share of the gap allowed that rows may have which are passed over. */
const IDLE = 0.3;
/** Epochs that such a row is left alone. */
const REST = 3;

/**
 * Coefficients that minimise C Σ w · loss + ½‖W‖² of sparse rows, by ascent in the dual one row at a time
 * (Shalev-Shwartz and Zhang 2013, https://jmlr.org/papers/v14/shalev-shwartz13a.html; of softmax all classes
 * of a row at once, Yu, Huang and Lin 2011, doi:10.1007/s10994-010-5221-8): a visit costs what the row holds,
 * and curvature is met row by row, which suits rows that have little in common. The duality gap, a sum over
 * rows, says how near the least objective is. A free intercept has no dual of this kind: it is penalised
 * about where it was an epoch ago (proximal point, Rockafellar 1976).
 */
export function dualAscent(problem: DualProblem, tolerance: number): DualSolution {
  const { rows, labels, weights, classes, loss, strength } = problem;
  const { offsets, indices, values, columns } = rows;
  const K = loss.columns(classes);
  const ascent = loss.ascent(K);
  const order = Int32Array.from(weights.keys()).filter((i) => weights[i]! > 0);
  const squares = squaresOf(rows);
  const sigma = loss.penalisesIntercept ? 1 : INTERCEPT * meanOf(squares, order);
  // Zeros fill a column's coefficients up to whole fours, which are then met together.
  const S = K <= 2 ? K : 4 * Math.ceil(K / 4);
  const w = new Float64Array(columns * S);
  const pulls = new Float64Array(rows.rows * K); // −∂loss/∂scores of each row as the dual has it
  const total = new Float64Array(K); // Σ C w · pulls, nothing at the optimum of a free intercept
  const centre = new Float64Array(K);
  const bias = new Float64Array(S);
  const scores = new Float64Array(S);
  const classScores = scores.subarray(0, K);
  const lost = new Float64Array(rows.rows);
  const resting = new Uint8Array(rows.rows);
  /** Meets every row that is not resting once; those whose duality gap is `idle` or less keep their pulls. */
  const meet = (idle: number) => {
    let [losses, gap] = [0, 0];
    for (const i of order) {
      if (resting[i]! > 0) {
        resting[i]!--;
        losses += lost[i]!;
        continue;
      }
      const [begin, end] = [offsets[i]!, offsets[i + 1]!];
      const c = strength * weights[i]!;
      scores.set(bias);
      addScores(values, indices, begin, end, w, S, scores);
      const own = c * ascent.step(classScores, pulls, i * K, labels[i]!, c * (squares[i]! + sigma), idle / c);
      lost[i] = c * ascent.loss;
      losses += lost[i]!;
      gap += own;
      if (own <= idle) {
        resting[i] = REST;
        continue;
      }
      for (let k = 0; k < K; k++) {
        const change = c * scores[k]!;
        scores[k] = change;
        total[k]! += change;
        bias[k]! += sigma * change;
      }
      addChanges(values, indices, begin, end, w, S, scores);
    }
    let objective = losses + 0.5 * squareOf(w);
    for (let k = 0; k < K; k++) {
      if (loss.penalisesIntercept) objective += 0.5 * bias[k]! ** 2;
      else gap += (bias[k]! - centre[k]!) ** 2 / sigma;
    }
    return { objective, distance: gap / objective };
  };
  // Gaps seen on the way are those of coefficients that move: at the end all are taken of the same ones.
  const source = random(0);
  let seen = { objective: 0, distance: Number.POSITIVE_INFINITY };
  let epochs = 0;
  for (let isOver = false; !isOver; ) {
    if (seen.distance <= tolerance || epochs === EPOCHS) {
      resting.fill(0);
      seen = meet(Number.POSITIVE_INFINITY);
      resting.fill(0);
      isOver = seen.distance <= tolerance || epochs === EPOCHS;
      continue;
    }
    if (!loss.penalisesIntercept && epochs > 0)
      for (let k = 0; k < K; k++) {
        centre[k] = bias[k]!;
        bias[k] = centre[k]! + sigma * total[k]!;
      }
    shuffle(order, source);
    seen = meet((IDLE * Math.min(1, tolerance) * seen.objective) / order.length);
    epochs++;
  }
  const theta = new Float64Array(K * (columns + 1));
  for (let k = 0, at = 0; k < K; k++) {
    for (let j = k; j < w.length; j += S) theta[at++] = w[j]!;
    theta[at++] = bias[k]!;
  }
  return { theta, distance: seen.distance, epochs };
}

// Functions of their own, since loops over what a closure holds load it anew at every step.

/** scores [K] += Σ values[p] · w[indices[p]] for p in [begin, end), K being 1, 2 or a multiple of four. */
function addScores(
  values: Float32Array,
  indices: Int32Array,
  begin: number,
  end: number,
  w: Float64Array,
  K: number,
  scores: Float64Array,
): void {
  let k = 0;
  for (; k + 8 <= K; k += 8) {
    let [a, b, c, d] = [0, 0, 0, 0];
    let [e, f, g, h] = [0, 0, 0, 0];
    for (let p = begin; p < end; p++) {
      const x = values[p]!;
      const at = indices[p]! * K + k;
      a += x * w[at]!;
      b += x * w[at + 1]!;
      c += x * w[at + 2]!;
      d += x * w[at + 3]!;
      e += x * w[at + 4]!;
      f += x * w[at + 5]!;
      g += x * w[at + 6]!;
      h += x * w[at + 7]!;
    }
    scores[k]! += a;
    scores[k + 1]! += b;
    scores[k + 2]! += c;
    scores[k + 3]! += d;
    scores[k + 4]! += e;
    scores[k + 5]! += f;
    scores[k + 6]! += g;
    scores[k + 7]! += h;
  }
  for (; k + 4 <= K; k += 4) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let p = begin; p < end; p++) {
      const x = values[p]!;
      const at = indices[p]! * K + k;
      a += x * w[at]!;
      b += x * w[at + 1]!;
      c += x * w[at + 2]!;
      d += x * w[at + 3]!;
    }
    scores[k]! += a;
    scores[k + 1]! += b;
    scores[k + 2]! += c;
    scores[k + 3]! += d;
  }
  for (; k + 2 <= K; k += 2) {
    let [a, b] = [0, 0];
    for (let p = begin; p < end; p++) {
      const x = values[p]!;
      const at = indices[p]! * K + k;
      a += x * w[at]!;
      b += x * w[at + 1]!;
    }
    scores[k]! += a;
    scores[k + 1]! += b;
  }
  if (k < K) {
    let a = 0;
    for (let p = begin; p < end; p++) a += values[p]! * w[indices[p]! * K + k]!;
    scores[k]! += a;
  }
}

/** w[indices[p]] += values[p] · changes [K] for p in [begin, end), K as above. */
function addChanges(
  values: Float32Array,
  indices: Int32Array,
  begin: number,
  end: number,
  w: Float64Array,
  K: number,
  changes: Float64Array,
): void {
  let k = 0;
  for (; k + 8 <= K; k += 8) {
    const [a, b, c, d] = [changes[k]!, changes[k + 1]!, changes[k + 2]!, changes[k + 3]!];
    const [e, f, g, h] = [changes[k + 4]!, changes[k + 5]!, changes[k + 6]!, changes[k + 7]!];
    for (let p = begin; p < end; p++) {
      const x = values[p]!;
      const at = indices[p]! * K + k;
      w[at] = w[at]! + x * a;
      w[at + 1] = w[at + 1]! + x * b;
      w[at + 2] = w[at + 2]! + x * c;
      w[at + 3] = w[at + 3]! + x * d;
      w[at + 4] = w[at + 4]! + x * e;
      w[at + 5] = w[at + 5]! + x * f;
      w[at + 6] = w[at + 6]! + x * g;
      w[at + 7] = w[at + 7]! + x * h;
    }
  }
  for (; k + 4 <= K; k += 4) {
    const [a, b, c, d] = [changes[k]!, changes[k + 1]!, changes[k + 2]!, changes[k + 3]!];
    for (let p = begin; p < end; p++) {
      const x = values[p]!;
      const at = indices[p]! * K + k;
      w[at] = w[at]! + x * a;
      w[at + 1] = w[at + 1]! + x * b;
      w[at + 2] = w[at + 2]! + x * c;
      w[at + 3] = w[at + 3]! + x * d;
    }
  }
  for (; k < K; k++) {
    const a = changes[k]!;
    for (let p = begin; p < end; p++) {
      const at = indices[p]! * K + k;
      w[at] = w[at]! + values[p]! * a;
    }
  }
}

function shuffle(order: Int32Array, source: { integer(bound: number): number }): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = source.integer(i + 1);
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
}

function squaresOf({ rows, offsets, values }: SparseMatrix): Float64Array {
  const squares = new Float64Array(rows);
  for (let i = 0; i < rows; i++)
    for (let p = offsets[i]!; p < offsets[i + 1]!; p++) squares[i]! += values[p]! * values[p]!;
  return squares;
}

function meanOf(values: Float64Array, of: Int32Array): number {
  let sum = 0;
  for (const i of of) sum += values[i]!;
  return sum / of.length || 1;
}

function squareOf(a: Float64Array): number {
  return dotOf(a, a);
}

function dotOf(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

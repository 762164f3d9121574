import { cholesky, inverseTransposed, solveLower, solveUpper } from "../linalg/cholesky.ts";
import { lbfgs, type Minimum } from "../linalg/lbfgs.ts";
import { addRowProducts } from "../linalg/product.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { SparseMatrix } from "../tensor.ts";
import { dualAscent } from "./dual-ascent.ts";
import { type LinearRows, type Moment, productsWith } from "./linear-rows.ts";

/** A loss of linear scores, in the form that the solver needs. */
export interface LinearLoss {
  /** Scores a row has: K. */
  columns(classes: number): number;
  /** About how much the loss curves in one score, to start from. */
  curvature(classes: number): number;
  /** Whether the intercept is penalised like every coefficient. */
  readonly penalisesIntercept: boolean;
  /** Loss of the scores at `o` [K] of a row of `label`, times `weight`; the scores become its derivatives. */
  derive(scores: Float64Array, o: number, K: number, label: number, weight: number): number;
  /** Steps of dual ascent in scores of K columns. */
  ascent(K: number): Ascent;
}

/** What a loss does in dual ascent, one row at a time. */
export interface Ascent {
  /** Loss of the row visited last, before its step. */
  readonly loss: number;
  /**
   * A row's step. `pulls` at `at` [K] are −∂loss/∂scores as the dual has it; a change of them moves the scores [K] by
   * `curvature` times as much. Returns the row's duality gap; unless it is `idle` or less, the pulls become the best ones
   * and the scores their change.
   */
  step(
    scores: Float64Array,
    pulls: Float64Array,
    at: number,
    label: number,
    curvature: number,
    idle: number,
  ): number;
}

/** What linear models are fitted to: labels [N], and for each model made at once the weight of each row [N]. */
export interface LinearProblem {
  readonly rows: LinearRows;
  readonly labels: Int32Array;
  readonly weights: readonly Float64Array[];
  readonly classes: number;
  readonly loss: LinearLoss;
}

/** How exactly to solve, and from where. */
export interface SolveOptions {
  /** C. */
  readonly strength: number;
  /** Distance from the least objective, relative to it, that ends the fit. */
  readonly tolerance: number;
  /** Coefficients [M · K, r + 1] of the M models to start from; zeros where left out. */
  readonly start?: Float64Array | null;
  /** Second moment Σ w x xᵀ of the rows of one model, and these w [N]. */
  readonly moment: Moment;
  readonly weight: Float64Array;
  readonly runtime?: Runtime | undefined;
}

/** Where the search ended. */
export interface Solution {
  /** Coefficients [M · K, r + 1]. */
  readonly theta: Float64Array;
  /**
   * 0 where the objective is within the tolerance of its least value; else how far it may be above it,
   * relative to it, where rounding or the number of iterations ended the search before.
   */
  readonly distance: number;
  readonly iterations: number;
}

/**
 * What a fit records of a search that ended before its tolerance: `shortBy`, how far above the least
 * objective it may be.
 */
export function unsolved(distance: number): { readonly shortBy?: number } {
  return distance === 0 ? {} : { shortBy: distance };
}

/**
 * Coefficients [M · K, r + 1] of M models, each minimising C Σ w · loss + ½‖W‖². Those of sparse rows are
 * found by dual ascent, from nothing. All others are searched at once, by L-BFGS in
 * coordinates in which the objective curves about alike in all directions: those of the fixed bound on the Hessian
 * κ Σ w x xᵀ + I / C (Böhning 1992, doi:10.1007/BF00048682), where half the squared gradient is about the distance
 * from the least objective.
 */
export async function solveLinear(problem: LinearProblem, options: SolveOptions): Promise<Solution> {
  if (problem.rows.sparse === null) return await solveTogether(problem, options);
  const ascended = solveSparse(problem.rows.sparse, problem, options);
  if (ascended.distance === 0) return ascended;
  // Of great strengths the dual's steps become short ones.
  return await solveTogether(problem, { ...options, start: ascended.theta });
}

/** Sparse rows: one model after the other, by dual ascent. */
function solveSparse(
  sparse: SparseMatrix,
  { labels, weights, classes, loss }: LinearProblem,
  { strength, tolerance }: SolveOptions,
): Solution {
  const size = loss.columns(classes) * (sparse.columns + 1);
  const theta = new Float64Array(weights.length * size);
  let [distance, iterations] = [0, 0];
  for (const [m, own] of weights.entries()) {
    const problem = { rows: sparse, labels, weights: own, classes, loss, strength };
    const solved = dualAscent(problem, tolerance);
    theta.set(solved.theta, m * size);
    if (solved.distance > tolerance) distance = Math.max(distance, solved.distance);
    iterations += solved.epochs;
  }
  return { theta, distance, iterations };
}

async function solveTogether(problem: LinearProblem, options: SolveOptions): Promise<Solution> {
  const { rows, labels, weights, classes, loss } = problem;
  const { strength, tolerance, start, moment } = options;
  const K = loss.columns(classes);
  const padded = rows.columns + 1;
  const total = weights[0]!.reduce((sum, weight) => sum + weight, 0);
  const ridge = 1 / (strength * total);
  const bound = loss.curvature(classes) / total;
  const trace = rows.data === null ? 1e-7 : 1e-13;
  const change = preconditioner(moment, { bound, ridge, trace, onIntercept: loss.penalisesIntercept });
  const width = weights.length * K;
  if (rows.data !== null && change.factor !== null)
    return await solveWhitened(problem, options, { ...change, factor: change.factor, bound, total });
  const objective = async (point: Float64Array, gradient: Float64Array): Promise<number> => {
    const theta = point.slice();
    change.forward(theta);
    let value = 0;
    const sums = await rows.pass(theta, width, (scores, from, count) => {
      for (let i = 0; i < count; i++)
        for (const [m, own] of weights.entries()) {
          const o = i * width + m * K;
          const weight = own[from + i]!;
          if (weight === 0) scores.fill(0, o, o + K);
          else value += loss.derive(scores, o, K, labels[from + i]!, weight / total);
        }
    });
    gradient.set(sums);
    for (let i = 0; i < theta.length; i++) {
      if (!loss.penalisesIntercept && i % padded === rows.columns) continue;
      value += 0.5 * ridge * theta[i]! * theta[i]!;
      gradient[i]! += ridge * theta[i]!;
    }
    change.backward(gradient);
    return value;
  };
  const minimum = await lbfgs(objective, start ? change.inverse(start) : new Float64Array(width * padded), {
    enough: (value, gradient) => 0.5 * squareOf(gradient) <= SAFETY * tolerance * value,
    rounding: rows.rounding,
    iterations: 2000,
    memory: MEMORY,
  });
  change.forward(minimum.point);
  return solution(minimum);
}

function solution({ point, value, gradient, converged, iterations }: Minimum): Solution {
  return {
    theta: point,
    distance: converged ? 0 : (0.5 * squareOf(gradient)) / (SAFETY * value),
    iterations,
  };
}

/**
 * The same in few coordinates: the rows themselves are changed, Z = (x, 1) L⁻ᵀ, so that an evaluation is two
 * products and the penalty needs none. With L Lᵀ = κ Σ w z zᵀ + I / C it is ½ y ᵀy − ½ κ Σ w s², s being the
 * scores.
 */
async function solveWhitened(
  { rows, labels, weights, classes, loss }: LinearProblem,
  { tolerance, start, weight, runtime }: SolveOptions,
  {
    factor,
    inverse,
    forward,
    bound,
    total,
  }: Preconditioner & {
    readonly factor: Float64Array;
    readonly bound: number;
    readonly total: number;
  },
): Promise<Solution> {
  const K = loss.columns(classes);
  const W = weights.length * K;
  const n = rows.rows;
  const r = rows.columns + 1;
  const upper = inverseTransposed(factor, r);
  const lower = new Float64Array(r * r);
  for (let i = 0; i < r; i++) for (let j = i; j < r; j++) lower[j * r + i] = upper[i * r + j]!;
  const padded = new Float64Array(n * r);
  for (let i = 0; i < n; i++) {
    padded.set(rows.data!.subarray(i * (r - 1), (i + 1) * (r - 1)), i * r);
    padded[i * r + r - 1] = 1;
  }
  const z = new Float64Array(n * r);
  addRowProducts(padded, n, lower, r, r, z);
  const products = await productsWith(z, { n, r, W, runtime });
  const kept = new Float64Array(K);
  const objective = async (point: Float64Array, gradient: Float64Array): Promise<number> => {
    const scores = await products.scores(point, W);
    let value = 0;
    for (let i = 0; i < n; i++) {
      const curved = bound * weight[i]!;
      for (const [m, own] of weights.entries()) {
        const o = i * W + m * K;
        for (let k = 0; k < K; k++) kept[k] = scores[o + k]!;
        const w = own[i]!;
        if (w === 0) scores.fill(0, o, o + K);
        else value += loss.derive(scores, o, K, labels[i]!, w / total);
        for (let k = 0; k < K; k++) {
          const s = kept[k]!;
          value -= 0.5 * curved * s * s;
          scores[o + k]! -= curved * s;
        }
      }
    }
    gradient.set(await products.gradient(scores, W));
    for (let i = 0; i < point.length; i++) {
      value += 0.5 * point[i]! * point[i]!;
      gradient[i]! += point[i]!;
    }
    return value;
  };
  try {
    const minimum = await lbfgs(objective, start ? inverse(start) : new Float64Array(W * r), {
      enough: (value, gradient) => 0.5 * squareOf(gradient) <= SAFETY * tolerance * value,
      rounding: products.rounding,
      iterations: 2000,
      memory: MEMORY,
    });
    forward(minimum.point);
    return solution(minimum);
  } finally {
    await products.close();
  }
}

/**
 * The objective may curve this much less than its bound says, and the distance from its least value be as
 * much more.
 */
const SAFETY = 0.01;
const MEMORY = 12;

/** Changes coefficients [K, r + 1] into coordinates in which the objective curves about alike in all directions. */
interface Preconditioner {
  /** L⁻ᵀ: from these coordinates to coefficients, in place. */
  forward(theta: Float64Array): void;
  /** L⁻¹: gradients of coefficients to gradients in these coordinates, in place. */
  backward(gradient: Float64Array): void;
  /** Lᵀ: from coefficients to these coordinates. */
  inverse(theta: Float64Array): Float64Array;
  /** L [r + 1, r + 1]; null where it is diagonal. */
  readonly factor: Float64Array | null;
}

interface Steering {
  readonly bound: number;
  readonly ridge: number;
  readonly onIntercept: boolean;
  /** Share of the largest diagonal element that keeps the factor real where features depend on each other. */
  readonly trace: number;
}

function preconditioner(moment: Moment, { bound, ridge, onIntercept, trace }: Steering): Preconditioner {
  if ("diagonal" in moment) {
    const n = moment.diagonal.length;
    const ridgeOf = (j: number) => (j < n - 1 || onIntercept ? ridge : 0);
    const root = moment.diagonal.map((value, j) => Math.sqrt(bound * value + ridgeOf(j)) || 1);
    const divide = (values: Float64Array) => {
      for (let from = 0; from < values.length; from += n)
        for (let j = 0; j < n; j++) values[from + j]! /= root[j]!;
    };
    return {
      factor: null,
      forward: divide,
      backward: divide,
      inverse: (theta) => theta.map((value, i) => value * root[i % n]!),
    };
  }
  const n = Math.sqrt(moment.full.length);
  const matrix = moment.full.map((value) => bound * value);
  let most = 0;
  for (let j = 0; j < n; j++) most = Math.max(most, matrix[j * n + j]!);
  for (let j = 0; j < n; j++) matrix[j * n + j]! += (j < n - 1 || onIntercept ? ridge : 0) + trace * most;
  let l = cholesky(matrix, n);
  for (let added = Math.max(trace, 1e-13) * most; l === null && added < most; added *= 100) {
    for (let j = 0; j < n; j++) matrix[j * n + j]! += 99 * added;
    l = cholesky(matrix, n);
  }
  if (l === null) throw new Error("the second moment of the features is not positive definite");
  return {
    factor: l,
    forward: (theta) => solveUpper(l, n, theta),
    backward: (gradient) => solveLower(l, n, gradient),
    inverse(theta) {
      const out = new Float64Array(theta.length);
      for (let k = 0; k < theta.length; k += n)
        for (let i = 0; i < n; i++) {
          const t = theta[k + i]!;
          for (let j = 0; j <= i; j++) out[k + j]! += l[i * n + j]! * t;
        }
      return out;
    },
  };
}

function squareOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

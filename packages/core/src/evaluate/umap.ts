import { InputError } from "../errors.ts";
import { type Random, random } from "../random.ts";
import type { Matrix } from "../tensor.ts";
import { nearestRows } from "./nearest-rows.ts";
import { principalComponents } from "./principal-components.ts";

/** What a UMAP picture is made with. */
export interface UmapOptions {
  readonly seed: number;
  /**
   * Neighbours whose distances count, the row itself among them, 15 when left out: fewer show the small, more
   * the large.
   */
  readonly neighbours?: number;
  /** Passes over the edges, 500 when left out. */
  readonly epochs?: number;
}

/**
 * Of 1 / (1 + a x²ᵇ), the likeness of points at distance x: fitted to 1 up to 0.3 and exp(0.3 − x) beyond, as
 * umap-learn does for min_dist 0.3, which leaves room for labels.
 */
const [A, B] = [0.99217562, 1.11225338];
const NEGATIVES = 5;
const RATE = 1;
const LONGEST_STEP = 4;

/**
 * Features [N, D] on a plane [N, 2] by UMAP (McInnes, Healy and Melville 2018,
 * https://arxiv.org/abs/1802.03426): the fuzzy union of every row's neighbourhood, its exact nearest ones
 * (Euclidean), laid out by stochastic gradients that draw neighbours together and push rows drawn at random
 * apart, from the first two principal components on. The same seed gives the same numbers. Fewer than four
 * rows are shown by their principal components. Throws an InputError for settings that are no whole numbers
 * in range.
 */
export function umap(features: Matrix, options: UmapOptions): Float64Array {
  const { seed, neighbours = 15, epochs = 500 } = options;
  if (!(Number.isInteger(neighbours) && neighbours >= 2))
    throw new InputError(`umap: neighbours must be a whole number from 2 on, got ${neighbours}`);
  if (!(Number.isInteger(epochs) && epochs >= 1))
    throw new InputError(`umap: epochs must be a whole number from 1 on, got ${epochs}`);
  const { rows: n } = features;
  const source = random(seed).fork("umap");
  const plane = principalComponents(features, 2).scores;
  if (n < 4) return plane;
  const edges = fuzzyUnion(features, Math.min(neighbours, n) - 1);
  const widest = plane.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  for (let o = 0; o < plane.length; o++) plane[o] = (10 * plane[o]!) / widest + 1e-4 * source.normal();
  layOut(plane, edges, epochs, source);
  return plane;
}

/** Pairs of rows, both ways, and how surely each is one of neighbours. */
interface Edges {
  readonly heads: Int32Array;
  readonly tails: Int32Array;
  readonly weights: Float64Array;
}

/** The fuzzy simplicial set: p + q − pq of the two rows' views of each other. */
function fuzzyUnion(features: Matrix, k: number): Edges {
  const n = features.rows;
  const { indices, distances } = nearestRows(features, k);
  const views = memberships(distances, n, k);
  const seen = new Map<number, number>();
  for (let o = 0; o < n * k; o++) if (views[o]! > 0) seen.set(Math.floor(o / k) * n + indices[o]!, views[o]!);
  const heads: number[] = [];
  const tails: number[] = [];
  const weights: number[] = [];
  for (const [pair, p] of seen) {
    const [i, j] = [Math.floor(pair / n), pair % n];
    const q = seen.get(j * n + i) ?? 0;
    const weight = p + q - p * q;
    heads.push(i);
    tails.push(j);
    weights.push(weight);
    // The view that is one-sided is a pair of both.
    if (q > 0) continue;
    heads.push(j);
    tails.push(i);
    weights.push(weight);
  }
  return {
    heads: Int32Array.from(heads),
    tails: Int32Array.from(tails),
    weights: Float64Array.from(weights),
  };
}

/**
 * exp(−(distance − nearest) / σ) with σ such that a row's memberships sum to log₂(k + 1), as in umap-learn,
 * whose k counts the row itself.
 */
function memberships(distances: Float64Array, n: number, k: number): Float64Array {
  const goal = Math.log2(k + 1);
  const mean = distances.reduce((sum, value) => sum + value, 0) / distances.length;
  const views = new Float64Array(n * k);
  for (let i = 0; i < n; i++) {
    const row = distances.subarray(i * k, (i + 1) * k);
    const nearest = row.find((distance) => distance > 0) ?? 0;
    const own = row.reduce((sum, value) => sum + value, 0) / k;
    let [low, high, sigma] = [0, Number.POSITIVE_INFINITY, 1];
    for (let round = 0; round < 64; round++) {
      let sum = 0;
      for (const distance of row) sum += Math.exp(-Math.max(0, distance - nearest) / sigma);
      if (Math.abs(sum - goal) < 1e-5) break;
      if (sum > goal) {
        high = sigma;
        sigma = (low + high) / 2;
      } else {
        low = sigma;
        sigma = high === Number.POSITIVE_INFINITY ? 2 * sigma : (low + high) / 2;
      }
    }
    sigma = Math.max(sigma, 1e-3 * (nearest > 0 ? own : mean), Number.MIN_VALUE);
    for (let p = 0; p < k; p++) views[i * k + p] = Math.exp(-Math.max(0, row[p]! - nearest) / sigma);
  }
  return views;
}

/**
 * Each edge comes as often as its weight asks for; each time its ends draw together, and its head from rows
 * drawn at random away.
 */
function layOut(plane: Float64Array, { heads, tails, weights }: Edges, epochs: number, source: Random): void {
  const n = plane.length / 2;
  const most = weights.reduce((greatest, weight) => Math.max(greatest, weight), 0);
  const every = weights.map((weight) => most / weight);
  const due = every.slice();
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const rate = RATE * (1 - (epoch - 1) / epochs);
    for (let e = 0; e < heads.length; e++) {
      if (every[e]! > epochs || due[e]! > epoch) continue;
      due[e]! += every[e]!;
      const i = 2 * heads[e]!;
      move(plane, i, 2 * tails[e]!, rate, attraction, true);
      for (let s = 0; s < NEGATIVES; s++) {
        const other = source.integer(n);
        if (other !== heads[e]) move(plane, i, 2 * other, rate, repulsion, false);
      }
    }
  }
}

function move(
  plane: Float64Array,
  i: number,
  j: number,
  rate: number,
  force: (square: number) => number,
  both: boolean,
): void {
  const dx = plane[i]! - plane[j]!;
  const dy = plane[i + 1]! - plane[j + 1]!;
  const pull = force(dx * dx + dy * dy);
  const x = rate * bounded(pull * dx);
  const y = rate * bounded(pull * dy);
  plane[i]! += x;
  plane[i + 1]! += y;
  if (!both) return;
  plane[j]! -= x;
  plane[j + 1]! -= y;
}

function attraction(square: number): number {
  if (square === 0) return 0;
  const power = square ** B;
  return (-2 * A * B * power) / (square * (1 + A * power));
}

function repulsion(square: number): number {
  return square > 0 ? (2 * B) / ((0.001 + square) * (1 + A * square ** B)) : 0;
}

const bounded = (value: number) => Math.max(-LONGEST_STEP, Math.min(LONGEST_STEP, value));

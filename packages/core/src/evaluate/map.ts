import { leadingVectors } from "../linalg/leading-vectors.ts";
import { rowGram } from "../linalg/product.ts";
import { type Random, random } from "../random.ts";
import { type Features, isSparse, type SparseMatrix, takeRows } from "../tensor.ts";

/** A flat picture of features: row `rows[i]` lies at (x[i], y[i]), both from 0 to 1. Plain data. */
export interface EmbeddingMap {
  readonly rows: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** How it was made, in words. */
  readonly method: string;
}

/** What the map is made with. */
export interface MapOptions {
  readonly seed: number;
  /** Rows drawn from larger sets, 500 when left out: the work grows with their square. */
  readonly most?: number;
}

const STEPS = 500;
const EXAGGERATED = 120;
const EXAGGERATION = 8;

/**
 * Features [N, D] laid out on a plane so that neighbours stay neighbours: exact t-SNE (van der Maaten and
 * Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html) started from the two principal components, as
 * Kobak and Berens 2019 (doi:10.1038/s41467-019-13056-x) advise. Distances across the map mean little; that a
 * class hangs together does mean something. Sets of fewer than six rows are shown by their principal
 * components.
 */
export function embeddingMap(features: Features, { seed, most = 500 }: MapOptions): EmbeddingMap {
  const source = random(seed).fork("embedding map");
  const all = source.permutation(features.rows);
  const rows = all.slice(0, most).sort();
  const n = rows.length;
  const gram = isSparse(features)
    ? sparseGram(features, rows)
    : rowGram(takeRows(features, rows).data, n, features.columns);
  centre(gram, n);
  const start = principalPlane(gram, n, source);
  const perplexity = Math.min(30, Math.floor((n - 1) / 3));
  const plane = n < 6 ? start : neighbourPlane(gram, n, start, perplexity);
  const method = n < 6 ? "principal components" : `t-SNE of ${n} rows, perplexity ${perplexity}`;
  return { rows: Array.from(rows), ...unitSquare(plane, n), method };
}

/** Inner products of the rows named, [n, n]. */
function sparseGram(features: SparseMatrix, rows: Int32Array): Float64Array {
  const { offsets, indices, values, columns } = features;
  const n = rows.length;
  const gram = new Float64Array(n * n);
  const dense = new Float64Array(columns);
  for (let i = 0; i < n; i++) {
    const [from, to] = [offsets[rows[i]!]!, offsets[rows[i]! + 1]!];
    for (let k = from; k < to; k++) dense[indices[k]!] = values[k]!;
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = offsets[rows[j]!]!; k < offsets[rows[j]! + 1]!; k++)
        sum += dense[indices[k]!]! * values[k]!;
      gram[i * n + j] = sum;
      gram[j * n + i] = sum;
    }
    for (let k = from; k < to; k++) dense[indices[k]!] = 0;
  }
  return gram;
}

/** Takes the rows' mean out of their inner products; distances stay. */
function centre(gram: Float64Array, n: number): void {
  const means = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) means[i]! += gram[i * n + j]! / n;
  const mean = means.reduce((sum, m) => sum + m, 0) / n;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i * n + j]! += mean - means[i]! - means[j]!;
}

/** The first two principal components [n, 2] of rows with these centred inner products. */
function principalPlane(gram: Float64Array, n: number, source: Random): Float64Array {
  const { values, vectors } = leadingVectors(gram, n, 2, source);
  const plane = new Float64Array(2 * n);
  for (const [axis, value] of values.entries())
    for (let i = 0; i < n; i++) plane[2 * i + axis] = Math.sqrt(Math.max(0, value)) * vectors[axis * n + i]!;
  return plane;
}

/** t-SNE from `start` [n, 2], by gradient descent with momentum and gains. */
function neighbourPlane(
  gram: Float64Array,
  n: number,
  start: Float64Array,
  perplexity: number,
): Float64Array {
  const p = affinities(gram, n, perplexity);
  const spread = Math.sqrt(start.reduce((sum, v) => sum + v * v, 0) / start.length) || 1;
  const plane = start.map((v) => (v / spread) * 1e-2);
  const gradient = new Float64Array(2 * n);
  const velocity = new Float64Array(2 * n);
  const gains = new Float64Array(2 * n).fill(1);
  const kernel = new Float64Array(n * n);
  const rate = Math.max(20, n / EXAGGERATION);
  for (let step = 0; step < STEPS; step++) {
    const exaggeration = step < EXAGGERATED ? EXAGGERATION : 1;
    const momentum = step < EXAGGERATED ? 0.5 : 0.8;
    let total = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        const dx = plane[2 * i]! - plane[2 * j]!;
        const dy = plane[2 * i + 1]! - plane[2 * j + 1]!;
        const k = 1 / (1 + dx * dx + dy * dy);
        kernel[i * n + j] = k;
        total += 2 * k;
      }
    }
    gradient.fill(0);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        const k = kernel[i * n + j]!;
        const pull = 4 * (exaggeration * p[i * n + j]! - k / total) * k;
        const dx = pull * (plane[2 * i]! - plane[2 * j]!);
        const dy = pull * (plane[2 * i + 1]! - plane[2 * j + 1]!);
        gradient[2 * i]! += dx;
        gradient[2 * i + 1]! += dy;
        gradient[2 * j]! -= dx;
        gradient[2 * j + 1]! -= dy;
      }
    }
    for (let o = 0; o < 2 * n; o++) {
      const isTurning = gradient[o]! > 0 === velocity[o]! > 0;
      gains[o] = Math.max(0.01, isTurning ? gains[o]! * 0.8 : gains[o]! + 0.2);
      velocity[o] = momentum * velocity[o]! - rate * gains[o]! * gradient[o]!;
      plane[o]! += velocity[o]!;
    }
  }
  return plane;
}

/**
 * Joint probabilities p_ij [n, n] that i and j are neighbours, each row's width set so that it has
 * `perplexity` of them.
 */
function affinities(gram: Float64Array, n: number, perplexity: number): Float64Array {
  const p = new Float64Array(n * n);
  const goal = Math.log(perplexity);
  const distance = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let nearest = Number.POSITIVE_INFINITY;
    let mean = 0;
    for (let j = 0; j < n; j++) {
      distance[j] = Math.max(0, gram[i * n + i]! + gram[j * n + j]! - 2 * gram[i * n + j]!);
      if (j !== i) nearest = Math.min(nearest, distance[j]!);
      mean += distance[j]! / (n - 1);
    }
    let [low, high] = [0, Number.POSITIVE_INFINITY];
    let beta = mean > 0 ? 1 / mean : 1;
    for (let round = 0; round < 60; round++) {
      let sum = 0;
      let energy = 0;
      for (let j = 0; j < n; j++) {
        const value = j === i ? 0 : Math.exp(-beta * (distance[j]! - nearest));
        p[i * n + j] = value;
        sum += value;
        energy += value * (distance[j]! - nearest);
      }
      for (let j = 0; j < n; j++) p[i * n + j]! /= sum;
      const entropy = Math.log(sum) + (beta * energy) / sum;
      if (Math.abs(entropy - goal) < 1e-5) break;
      if (entropy > goal) {
        low = beta;
        beta = high === Number.POSITIVE_INFINITY ? beta * 2 : (beta + high) / 2;
      } else {
        high = beta;
        beta = (beta + low) / 2;
      }
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const joint = (p[i * n + j]! + p[j * n + i]!) / (2 * n);
      p[i * n + j] = joint;
      p[j * n + i] = joint;
    }
  }
  return p;
}

/** Moved and scaled into the unit square, both ways alike; four decimals, which is finer than a screen. */
function unitSquare(plane: Float64Array, n: number): { x: number[]; y: number[] } {
  const of = (axis: number) => Array.from({ length: n }, (_, i) => plane[2 * i + axis]!);
  const range = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  const [x, y] = [of(0), of(1)];
  const [[left, right], [bottom, top]] = [range(x), range(y)];
  const scale = Math.max(right - left, top - bottom) || 1;
  const placed = (value: number, low: number, high: number) =>
    Math.round(((value - (low + high) / 2) / scale + 0.5) * 1e4) / 1e4;
  return { x: x.map((v) => placed(v, left, right)), y: y.map((v) => placed(v, bottom, top)) };
}

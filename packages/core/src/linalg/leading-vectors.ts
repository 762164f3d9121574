import type { Random } from "../random.ts";

/** The greatest eigenvalues of a symmetric matrix, greatest first, and a unit vector for each. */
export interface Leading {
  readonly values: Float64Array;
  /** [count, n] */
  readonly vectors: Float64Array;
}

/** Vectors iterated beside those asked for: the more, the sooner the wanted ones stand. */
const SPARE = 6;
const MOST_ROUNDS = 1000;
const TOLERANCE = 1e-10;

/**
 * The `count` greatest eigenvalues of a symmetric a [n, n] without negative ones, by subspace iteration with
 * Rayleigh and Ritz's projection (Rutishauser 1970, doi:10.1007/BF02219773). Vectors of (nearly) equal
 * eigenvalues are some basis of their space.
 */
export function leadingVectors(a: Float64Array, n: number, count: number, random: Random): Leading {
  const width = Math.min(n, count + SPARE);
  let basis: Float64Array = Float64Array.from({ length: width * n }, () => random.normal());
  let values: Float64Array = new Float64Array(width);
  orthonormalise(basis, width, n);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const product = times(a, basis, width, n);
    const small = new Float64Array(width * width);
    for (let i = 0; i < width; i++)
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += basis[i * n + k]! * product[j * n + k]!;
        small[i * width + j] = small[j * width + i] = sum;
      }
    const { values: found, rotation } = jacobi(small, width);
    const turned = rotated(product, rotation, width, n);
    const before = values;
    values = found;
    let error = 0;
    const ritz = rotated(basis, rotation, width, n);
    for (let i = 0; i < Math.min(count, width); i++) {
      let square = 0;
      for (let k = 0; k < n; k++) square += (turned[i * n + k]! - values[i]! * ritz[i * n + k]!) ** 2;
      error = Math.max(error, Math.sqrt(square));
    }
    basis = ritz;
    const scale = Math.abs(values[0]!);
    const stands = values.every((value, i) => i >= count || Math.abs(value - before[i]!) <= 1e-15 * scale);
    if (error <= TOLERANCE * scale || (round > 0 && stands && error <= 1e-7 * scale)) break;
    basis = turned;
    orthonormalise(basis, width, n);
  }
  return {
    values: values.slice(0, Math.min(count, width)),
    vectors: basis.slice(0, Math.min(count, width) * n),
  };
}

/** Rows of `rows` [width, n] times a. */
function times(a: Float64Array, rows: Float64Array, width: number, n: number): Float64Array {
  const product = new Float64Array(width * n);
  for (let i = 0; i < n; i++)
    for (let r = 0; r < width; r++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * rows[r * n + k]!;
      product[r * n + i] = sum;
    }
  return product;
}

/** rotation [width, width] · rows [width, n] */
function rotated(rows: Float64Array, rotation: Float64Array, width: number, n: number): Float64Array {
  const turned = new Float64Array(width * n);
  for (let i = 0; i < width; i++)
    for (let r = 0; r < width; r++) {
      const share = rotation[i * width + r]!;
      for (let k = 0; k < n; k++) turned[i * n + k]! += share * rows[r * n + k]!;
    }
  return turned;
}

/** Gram and Schmidt, twice over; a row that vanishes becomes one of the axes. */
function orthonormalise(rows: Float64Array, width: number, n: number): void {
  for (let i = 0; i < width; i++)
    for (let axis = -1; axis < n; axis++) {
      if (axis >= 0) for (let k = 0; k < n; k++) rows[i * n + k] = k === axis ? 1 : 0;
      const before = lengthOf(rows, i, n);
      for (let pass = 0; pass < 2; pass++)
        for (let j = 0; j < i; j++) {
          let along = 0;
          for (let k = 0; k < n; k++) along += rows[i * n + k]! * rows[j * n + k]!;
          for (let k = 0; k < n; k++) rows[i * n + k]! -= along * rows[j * n + k]!;
        }
      const length = lengthOf(rows, i, n);
      if (!(length > 1e-10 * before) || length === 0) continue;
      for (let k = 0; k < n; k++) rows[i * n + k]! /= length;
      break;
    }
}

function lengthOf(rows: Float64Array, i: number, n: number): number {
  let square = 0;
  for (let k = 0; k < n; k++) square += rows[i * n + k]! ** 2;
  return Math.sqrt(square);
}

/** All eigenvalues of a small symmetric matrix, greatest first, and their vectors as rows (Jacobi 1846). */
function jacobi(a: Float64Array, n: number): { values: Float64Array; rotation: Float64Array } {
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        all += a[i * n + j]! ** 2;
        if (i !== j) off += a[i * n + j]! ** 2;
      }
    if (off <= 1e-30 * all) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q]!;
        if (apq === 0) continue;
        const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k * n + p]!, a[k * n + q]!];
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p * n + k]!, a[q * n + k]!];
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
          const [f, g] = [v[p * n + k]!, v[q * n + k]!];
          v[p * n + k] = c * f - s * g;
          v[q * n + k] = s * f + c * g;
        }
      }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j]! - a[i * n + i]!);
  const rotation = new Float64Array(n * n);
  for (const [place, i] of order.entries()) rotation.set(v.subarray(i * n, (i + 1) * n), place * n);
  return { values: Float64Array.from(order, (i) => a[i * n + i]!), rotation };
}

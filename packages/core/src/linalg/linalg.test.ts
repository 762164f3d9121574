import { describe, expect, test } from "vitest";
import { random } from "../random.ts";
import {
  cholesky,
  choleskyInverse,
  choleskySolve,
  logDeterminant,
  pivotedCholesky,
  solveLower,
  solveUpper,
} from "./cholesky.ts";
import { addRowProducts, columnGram, rowGram, transposedProduct } from "./product.ts";
import { tridiagonal } from "./tridiagonal.ts";

const gaussian = (size: number, seed: number) => {
  const source = random(seed);
  return Float64Array.from({ length: size }, () => source.normal());
};

/** Largest difference of two arrays. */
const gap = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

/** a · b by the definition, for a [m, p] and b [p, n]. */
const plain = (a: ArrayLike<number>, b: ArrayLike<number>, m: number, p: number, n: number) =>
  Float64Array.from({ length: m * n }, (_, o) => {
    let sum = 0;
    for (let t = 0; t < p; t++) sum += a[Math.floor(o / n) * p + t]! * b[t * n + (o % n)]!;
    return sum;
  });

const transposed = (a: ArrayLike<number>, m: number, n: number) =>
  Float64Array.from({ length: m * n }, (_, o) => a[(o % m) * n + Math.floor(o / m)]!);

describe("products", () => {
  test.each([
    [1, 1, 1],
    [2, 4, 3],
    [7, 9, 5],
    [3, 70, 600],
    [66, 67, 13],
  ])("row products of %i × %i rows over %i columns", (m, n, depth) => {
    const a = gaussian(m * depth, 1);
    const b = gaussian(n * depth, 2);
    const c = new Float64Array(m * n);
    addRowProducts(a, m, b, n, depth, c);
    expect(gap(c, plain(a, transposed(b, n, depth), m, depth, n))).toBeLessThan(1e-11);
  });

  test.each([1, 5, 66, 131])("Gram matrices of %i rows", (n) => {
    const a = gaussian(n * 37, 3);
    expect(gap(rowGram(a, n, 37), plain(a, transposed(a, n, 37), n, 37, n))).toBeLessThan(1e-11);
    const weights = gaussian(n, 4);
    const weighted = a.map((value, o) => value * weights[Math.floor(o / 37)]!);
    const expected = plain(transposed(a, n, 37), weighted, 37, n, 37);
    expect(gap(columnGram(a, n, 37, weights), expected)).toBeLessThan(1e-11);
  });

  test("a transposed product", () => {
    const a = gaussian(11 * 3, 5);
    const b = gaussian(11 * 6, 6);
    expect(gap(transposedProduct(a, 3, b, 6, 11), plain(transposed(a, 11, 3), b, 3, 11, 6))).toBeLessThan(
      1e-12,
    );
  });
});

describe("Cholesky", () => {
  test.each([1, 3, 64, 65, 150])("factors, solves and inverts %i × %i", (n) => {
    const a = rowGram(gaussian(n * (n + 5), 7), n, n + 5);
    const l = cholesky(a, n)!;
    expect(gap(plain(l, transposed(l, n, n), n, n, n), a)).toBeLessThan(1e-9);
    const b = gaussian(2 * n, 8);
    const x = b.slice();
    choleskySolve(l, n, x);
    expect(gap(plain(x, a, 2, n, n), b)).toBeLessThan(1e-6);
    const product = plain(choleskyInverse(l, n), a, n, n, n);
    expect(
      gap(
        product,
        Float64Array.from({ length: n * n }, (_, o) => (o % (n + 1) ? 0 : 1)),
      ),
    ).toBeLessThan(1e-6);
    // The leading minors of the tridiagonal form, each over the one before, multiply to the determinant.
    const { diagonal, off } = tridiagonal(a, n);
    let [logarithm, ratio] = [0, 1];
    for (let i = 0; i < n; i++) {
      ratio = diagonal[i]! - (i === 0 ? 0 : off[i]! ** 2 / ratio);
      logarithm += Math.log(ratio);
    }
    expect(logDeterminant(l, n)).toBeCloseTo(logarithm, 6);
  });

  test("refuses a matrix that is not positive definite", () => {
    expect(cholesky(Float64Array.of(1, 2, 2, 1), 2)).toBeNull();
    expect(cholesky(Float64Array.of(Number.NaN), 1)).toBeNull();
  });

  test("with pivoting finds the rank of repeated rows and reproduces the matrix", () => {
    const few = gaussian(4 * 9, 9);
    const rows = Float64Array.of(...few, ...few, ...few);
    const a = rowGram(rows, 12, 9);
    const { rank, pivots, factor } = pivotedCholesky(a, 12);
    expect(rank).toBe(4);
    expect(new Set([...pivots].map((row) => row % 4)).size).toBe(4);
    expect(gap(plain(factor, transposed(factor, 12, 4), 12, 4, 12), a)).toBeLessThan(1e-12);
  });
});

describe("tridiagonal form of a symmetric matrix", () => {
  /** T [n, n] in full. */
  const filled = (diagonal: Float64Array, off: Float64Array, n: number) => {
    const t = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      t[i * n + i] = diagonal[i]!;
      if (i > 0) t[i * n + i - 1] = t[(i - 1) * n + i] = off[i]!;
    }
    return t;
  };

  test.each([1, 2, 5, 40, 90])("of %i × %i: a = Q T Qᵀ with orthonormal Q", (n) => {
    const b = gaussian(n * n, 10);
    const a = b.map((value, o) => value + b[(o % n) * n + Math.floor(o / n)]!);
    const { diagonal, off, vectors } = tridiagonal(a, n);
    const right = plain(filled(diagonal, off, n), vectors, n, n, n);
    expect(gap(plain(transposed(vectors, n, n), right, n, n, n), a)).toBeLessThan(1e-10);
    const identity = Float64Array.from({ length: n * n }, (_, o) => (o % (n + 1) ? 0 : 1));
    expect(gap(rowGram(vectors, n, n), identity)).toBeLessThan(1e-12);
  });

  test("leaves a diagonal matrix and zeros as they are", () => {
    const { diagonal, off } = tridiagonal(Float64Array.of(3, 0, 0, 0, 1, 0, 0, 0, 2), 3);
    expect([...diagonal]).toEqual([3, 1, 2]);
    expect([...off].map(Math.abs)).toEqual([0, 0, 0]);
    expect([...tridiagonal(new Float64Array(16), 4).diagonal]).toEqual([0, 0, 0, 0]);
  });
});

test("triangular systems of one row are solved as those of five at a time", () => {
  const n = 7;
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) l[i * n + j] = i === j ? 2 + i : Math.sin(1 + i * n + j);
  const rows = Float64Array.from({ length: 5 * n }, (_, i) => Math.cos(i));
  for (const solve of [solveLower, solveUpper]) {
    const together = rows.slice();
    solve(l, n, together);
    for (let k = 0; k < 5; k++) {
      const alone = rows.slice(k * n, (k + 1) * n);
      solve(l, n, alone);
      for (const [i, value] of alone.entries()) expect(together[k * n + i]!).toBeCloseTo(value, 12);
    }
  }
});

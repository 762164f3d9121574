import { addRowProducts, dot } from "./product.ts";

/** Rows factored at a time; the rest of the matrix is updated by products in between. */
const BLOCK = 64;

/**
 * Cholesky factor L of a symmetric positive definite matrix a [n, n] = L Lᵀ, row-major, zeros above the
 * diagonal. Reads the lower triangle. Null where a pivot is not positive: the matrix is not positive definite
 * to working precision.
 */
export function cholesky(a: Float64Array, n: number): Float64Array | null {
  const l = a.slice();
  const update = new Float64Array(BLOCK * n);
  for (let from = 0; from < n; from += BLOCK) {
    const to = Math.min(n, from + BLOCK);
    const width = to - from;
    // Everything left of this block column, taken off at once: rows [from, n) of L[:, :from] against rows of
    // the block.
    if (from > 0) {
      const rows = n - from;
      const left = packed(l, n, from, rows, from);
      const top = left.subarray(0, width * from);
      const size = rows * width;
      const delta = update.length >= size ? update.subarray(0, size) : new Float64Array(size);
      delta.fill(0);
      addRowProducts(left, rows, top, width, from, delta, width);
      for (let i = 0; i < rows; i++) {
        const o = (from + i) * n + from;
        for (let j = 0; j < width; j++) l[o + j] = l[o + j]! - delta[i * width + j]!;
      }
    }
    for (let j = from; j < to; j++) {
      const pivot = l[j * n + j]! - dot(l, l, j - from, j * n + from, j * n + from);
      if (!(pivot > 0)) return null;
      const root = Math.sqrt(pivot);
      l[j * n + j] = root;
      for (let i = j + 1; i < n; i++) {
        l[i * n + j] = (l[i * n + j]! - dot(l, l, j - from, i * n + from, j * n + from)) / root;
      }
    }
  }
  for (let i = 0; i < n; i++) l.fill(0, i * n + i + 1, (i + 1) * n);
  return l;
}

/** Rows [first, first + rows) and columns [0, columns) of a [_, n], copied without gaps. */
function packed(a: Float64Array, n: number, first: number, rows: number, columns: number): Float64Array {
  const copy = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const o = (first + i) * n;
    copy.set(a.subarray(o, o + columns), i * columns);
  }
  return copy;
}

/** Solves L x = b in place for each row b of `rows` [k, n]. */
export function solveLower(l: Float64Array, n: number, rows: Float64Array): void {
  const count = rows.length / n;
  let k = 0;
  // Four rows at a time read L once, and their sums do not wait for each other.
  for (; k + 3 < count; k += 4) lowerFour(l, n, rows, k * n);
  for (; k < count; k++) {
    const x = rows.subarray(k * n, (k + 1) * n);
    for (let i = 0; i < n; i++) x[i] = (x[i]! - dot(l, x, i, i * n, 0)) / l[i * n + i]!;
  }
}

function lowerFour(l: Float64Array, n: number, x: Float64Array, a: number): void {
  const b = a + n;
  const c = b + n;
  const d = c + n;
  for (let i = 0; i < n; i++) {
    const o = i * n;
    let p = 0;
    let q = 0;
    let r = 0;
    let s = 0;
    for (let j = 0; j < i; j++) {
      const value = l[o + j]!;
      p += value * x[a + j]!;
      q += value * x[b + j]!;
      r += value * x[c + j]!;
      s += value * x[d + j]!;
    }
    const pivot = l[o + i]!;
    x[a + i] = (x[a + i]! - p) / pivot;
    x[b + i] = (x[b + i]! - q) / pivot;
    x[c + i] = (x[c + i]! - r) / pivot;
    x[d + i] = (x[d + i]! - s) / pivot;
  }
}

/** Solves Lᵀ x = b in place for each row b of `rows` [k, n]. */
export function solveUpper(l: Float64Array, n: number, rows: Float64Array): void {
  const count = rows.length / n;
  let k = 0;
  for (; k + 3 < count; k += 4) upperFour(l, n, rows, k * n);
  for (; k < count; k++) {
    const x = rows.subarray(k * n, (k + 1) * n);
    for (let i = n - 1; i >= 0; i--) {
      const value = x[i]! / l[i * n + i]!;
      x[i] = value;
      const o = i * n;
      for (let j = 0; j < i; j++) x[j] = x[j]! - l[o + j]! * value;
    }
  }
}

function upperFour(l: Float64Array, n: number, x: Float64Array, a: number): void {
  const b = a + n;
  const c = b + n;
  const d = c + n;
  for (let i = n - 1; i >= 0; i--) {
    const o = i * n;
    const pivot = l[o + i]!;
    const p = x[a + i]! / pivot;
    const q = x[b + i]! / pivot;
    const r = x[c + i]! / pivot;
    const s = x[d + i]! / pivot;
    x[a + i] = p;
    x[b + i] = q;
    x[c + i] = r;
    x[d + i] = s;
    for (let j = 0; j < i; j++) {
      const value = l[o + j]!;
      x[a + j] = x[a + j]! - value * p;
      x[b + j] = x[b + j]! - value * q;
      x[c + j] = x[c + j]! - value * r;
      x[d + j] = x[d + j]! - value * s;
    }
  }
}

/** Solves L Lᵀ x = b in place for each row b of `rows` [k, n]. */
export function choleskySolve(l: Float64Array, n: number, rows: Float64Array): void {
  solveLower(l, n, rows);
  solveUpper(l, n, rows);
}

/** L⁻ᵀ [n, n], zeros below the diagonal. */
export function inverseTransposed(l: Float64Array, n: number): Float64Array {
  // Row k is L⁻¹'s column k: it starts at k, so half the work of a full solve falls away.
  const columns = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const o = k * n;
    columns[o + k] = 1 / l[o + k]!;
    for (let i = k + 1; i < n; i++) {
      columns[o + i] = -dot(l, columns, i - k, i * n + k, o + k) / l[i * n + i]!;
    }
  }
  return columns;
}

/** The inverse of L Lᵀ, symmetric [n, n]. */
export function choleskyInverse(l: Float64Array, n: number): Float64Array {
  const columns = inverseTransposed(l, n);
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = dot(columns, columns, n - i, i * n + i, j * n + i);
      inverse[i * n + j] = value;
      inverse[j * n + i] = value;
    }
  }
  return inverse;
}

/** log |L Lᵀ|. */
export function logDeterminant(l: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.log(l[i * n + i]!);
  return 2 * sum;
}

/** Coordinates of rows known by their inner products alone. */
export interface PivotedCholesky {
  /** Number of directions found, at most n. */
  readonly rank: number;
  /** Rows that span the others, in the order taken [rank]. */
  readonly pivots: Int32Array;
  /** F [n, rank] with F Fᵀ = a; row `pivots[j]` has zeros after column j. */
  readonly factor: Float64Array;
}

/**
 * Cholesky with pivoting of a symmetric positive semi-definite a [n, n]: the largest remaining diagonal
 * first, until what remains is below `tolerance` times the largest diagonal (Higham 1990).
 */
export function pivotedCholesky(a: Float64Array, n: number, tolerance = 1e-13): PivotedCholesky {
  const full = new Float64Array(n * n);
  const rest = Float64Array.from({ length: n }, (_, i) => a[i * n + i]!);
  const pivots: number[] = [];
  const taken = new Uint8Array(n);
  const limit = tolerance * rest.reduce((most, value) => Math.max(most, value), 0);
  while (pivots.length < n) {
    let pivot = -1;
    for (let i = 0; i < n; i++) if (!taken[i] && (pivot < 0 || rest[i]! > rest[pivot]!)) pivot = i;
    if (!(rest[pivot]! > limit)) break;
    const k = pivots.length;
    const root = Math.sqrt(rest[pivot]!);
    full[pivot * n + k] = root;
    for (let i = 0; i < n; i++) {
      if (taken[i] || i === pivot) continue;
      const value = (a[i * n + pivot]! - dot(full, full, k, i * n, pivot * n)) / root;
      full[i * n + k] = value;
      rest[i] = rest[i]! - value * value;
    }
    taken[pivot] = 1;
    pivots.push(pivot);
  }
  const rank = pivots.length;
  return { rank, pivots: Int32Array.from(pivots), factor: packed(full, n, 0, n, rank) };
}

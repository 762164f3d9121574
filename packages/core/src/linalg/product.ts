/** Numbers that products read: features are float32, everything computed from them float64. */
export type Reals = Float32Array | Float64Array;

/** Columns of the inner dimension worked on at a time, so that the rows in flight stay in the first-level cache. */
const DEPTH = 512;
/** Rows of the second factor worked on at a time. */
const WIDTH = 64;

/**
 * c += a · bᵀ for a [m, depth] and b [n, depth], into c [m, n] with row stride `stride`; all row-major. With `lower`,
 * only elements with column ≤ row are needed: blocks wholly above the diagonal are skipped.
 */
export function addRowProducts(
  a: Reals,
  m: number,
  b: Reals,
  n: number,
  depth: number,
  c: Float64Array,
  stride = n,
  lower = false,
): void {
  for (let from = 0; from < depth; from += DEPTH) {
    const to = Math.min(depth, from + DEPTH);
    for (let left = 0; left < n; left += WIDTH) {
      const right = Math.min(n, left + WIDTH);
      for (let i = lower ? left & ~1 : 0; i < m; i += 2) {
        const end = lower ? Math.min(right, i + 2) : right;
        if (i + 1 < m) pairOfRows(a, i, b, left, end, depth, from, to, c, stride);
        else oneRow(a, i, b, left, end, depth, from, to, c, stride);
      }
    }
  }
}

/** Rows i and i + 1 against columns [left, right): eight accumulators, as many as the registers hold. */
function pairOfRows(
  a: Reals,
  i: number,
  b: Reals,
  left: number,
  right: number,
  depth: number,
  from: number,
  to: number,
  c: Float64Array,
  stride: number,
): void {
  const length = to - from;
  const p = i * depth + from;
  const q = p + depth;
  let j = left;
  for (; j + 3 < right; j += 4) {
    let r = j * depth + from;
    let s00 = 0;
    let s01 = 0;
    let s02 = 0;
    let s03 = 0;
    let s10 = 0;
    let s11 = 0;
    let s12 = 0;
    let s13 = 0;
    const second = depth;
    const third = 2 * depth;
    const fourth = 3 * depth;
    for (let t = 0; t < length; t++, r++) {
      const x = a[p + t]!;
      const y = a[q + t]!;
      const u = b[r]!;
      const v = b[r + second]!;
      const w = b[r + third]!;
      const z = b[r + fourth]!;
      s00 += x * u;
      s01 += x * v;
      s02 += x * w;
      s03 += x * z;
      s10 += y * u;
      s11 += y * v;
      s12 += y * w;
      s13 += y * z;
    }
    const o = i * stride + j;
    const o1 = o + stride;
    c[o] = c[o]! + s00;
    c[o + 1] = c[o + 1]! + s01;
    c[o + 2] = c[o + 2]! + s02;
    c[o + 3] = c[o + 3]! + s03;
    c[o1] = c[o1]! + s10;
    c[o1 + 1] = c[o1 + 1]! + s11;
    c[o1 + 2] = c[o1 + 2]! + s12;
    c[o1 + 3] = c[o1 + 3]! + s13;
  }
  for (; j < right; j++) {
    let s0 = 0;
    let s1 = 0;
    const r = j * depth + from;
    for (let t = 0; t < length; t++) {
      const u = b[r + t]!;
      s0 += a[p + t]! * u;
      s1 += a[q + t]! * u;
    }
    const o = i * stride + j;
    c[o] = c[o]! + s0;
    c[o + stride] = c[o + stride]! + s1;
  }
}

function oneRow(
  a: Reals,
  i: number,
  b: Reals,
  left: number,
  right: number,
  depth: number,
  from: number,
  to: number,
  c: Float64Array,
  stride: number,
): void {
  const p = i * depth;
  for (let j = left; j < right; j++) {
    let sum = 0;
    const r = j * depth;
    for (let t = from; t < to; t++) sum += a[p + t]! * b[r + t]!;
    c[i * stride + j] = c[i * stride + j]! + sum;
  }
}

/** aᵀ · b for a [rows, m] and b [rows, n] -> [m, n]. Meant for few columns m: each is a pass over b. */
export function transposedProduct(a: Reals, m: number, b: Reals, n: number, rows: number): Float64Array {
  const c = new Float64Array(m * n);
  // Four rows of b at a time are read once for all columns of a while they are in cache.
  for (let i = 0; i < rows; i += 4) {
    const many = Math.min(4, rows - i);
    const p = i * n;
    for (let k = 0; k < m; k++) {
      const o = k * n;
      if (many === 4) {
        const w0 = a[i * m + k]!;
        const w1 = a[(i + 1) * m + k]!;
        const w2 = a[(i + 2) * m + k]!;
        const w3 = a[(i + 3) * m + k]!;
        if (w0 === 0 && w1 === 0 && w2 === 0 && w3 === 0) continue;
        for (let j = 0; j < n; j++) {
          c[o + j] =
            c[o + j]! + w0 * b[p + j]! + w1 * b[p + n + j]! + w2 * b[p + 2 * n + j]! + w3 * b[p + 3 * n + j]!;
        }
        continue;
      }
      for (let r = 0; r < many; r++) {
        const w = a[(i + r) * m + k]!;
        for (let j = 0; j < n; j++) c[o + j] = c[o + j]! + w * b[p + r * n + j]!;
      }
    }
  }
  return c;
}

/** a · aᵀ for a [n, depth] -> symmetric [n, n]. */
export function rowGram(a: Reals, n: number, depth: number): Float64Array {
  const c = new Float64Array(n * n);
  addRowProducts(a, n, a, n, depth, c, n, true);
  mirror(c, n);
  return c;
}

/** aᵀ · diag(weights) · a for a [rows, n] -> symmetric [n, n]; weights are 1 when left out. */
export function columnGram(a: Reals, rows: number, n: number, weights?: Reals): Float64Array {
  const c = new Float64Array(n * n);
  const block = 256;
  // Transposed blocks turn columns into rows that the row kernel reads in order.
  const left = new Float64Array(n * block);
  const right = weights ? new Float64Array(n * block) : left;
  for (let from = 0; from < rows; from += block) {
    const many = Math.min(block, rows - from);
    if (many < block) {
      left.fill(0);
      right.fill(0);
    }
    for (let i = 0; i < many; i++) {
      const p = (from + i) * n;
      const w = weights ? weights[from + i]! : 1;
      for (let j = 0; j < n; j++) {
        const x = a[p + j]!;
        left[j * block + i] = x;
        if (weights) right[j * block + i] = w * x;
      }
    }
    addRowProducts(left, n, right, n, block, c, n, true);
  }
  mirror(c, n);
  return c;
}

/** Copies the lower triangle of a square matrix over the upper one. */
export function mirror(c: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) c[j * n + i] = c[i * n + j]!;
}

/** Inner product of two vectors of `length`, from the given offsets. */
export function dot(a: Reals, b: Reals, length = a.length, fromA = 0, fromB = 0): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    s0 += a[fromA + i]! * b[fromB + i]!;
    s1 += a[fromA + i + 1]! * b[fromB + i + 1]!;
    s2 += a[fromA + i + 2]! * b[fromB + i + 2]!;
    s3 += a[fromA + i + 3]! * b[fromB + i + 3]!;
  }
  for (; i < length; i++) s0 += a[fromA + i]! * b[fromB + i]!;
  return s0 + s1 + (s2 + s3);
}

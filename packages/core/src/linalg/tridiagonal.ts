/**
 * T of a = Q T Qᵀ: its diagonal [n], beside it `off` [n] (off[r] stands between r − 1 and r), and the rows of
 * Qᵀ [n, n].
 */
export interface Tridiagonal {
  readonly diagonal: Float64Array;
  readonly off: Float64Array;
  readonly vectors: Float64Array;
}

/**
 * A symmetric a [n, n] as Q T Qᵀ with T tridiagonal, by Householder's reflections (Martin, Reinsch and
 * Wilkinson 1968, doi:10.1007/BF02161997): a third of the work of its eigenvalues, and (a + αI)⁻¹ as cheap.
 */
export function tridiagonal(a: Float64Array, n: number): Tridiagonal {
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  const vectors = tridiagonalise(a.slice(), n, diagonal, off);
  return { diagonal, off, vectors };
}

/** Reduces `a` (lower triangle, destroyed) to diagonal and off-diagonal; returns the rows of Qᵀ, where a = Q T Qᵀ. */
function tridiagonalise(a: Float64Array, n: number, diagonal: Float64Array, off: Float64Array): Float64Array {
  const p = new Float64Array(n);
  const scales = new Float64Array(n);
  for (let i = n - 1; i >= 1; i--) {
    // The Householder vector u is row i up to column i − 1, with the sign that avoids cancellation.
    const row = a.subarray(i * n, i * n + i);
    let scale = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(row[k]!);
    if (i === 1 || scale === 0) {
      off[i] = row[i - 1]!;
      row.fill(0);
      continue;
    }
    let h = 0;
    for (let k = 0; k < i; k++) {
      row[k] = row[k]! / scale;
      h += row[k]! * row[k]!;
    }
    const f = row[i - 1]!;
    const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h);
    off[i] = scale * g;
    h -= f * g;
    row[i - 1] = f - g;
    scales[i] = h;
    // p = A u / h over the leading block, from the lower triangle alone.
    p.fill(0, 0, i);
    symmetricProduct(a, n, row, i, p);
    let up = 0;
    for (let j = 0; j < i; j++) {
      p[j] = p[j]! / h;
      up += row[j]! * p[j]!;
    }
    const half = up / (2 * h);
    for (let j = 0; j < i; j++) p[j] = p[j]! - half * row[j]!;
    takeOuter(a, n, row, p, i);
  }
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i]!;
  // Qᵀ = H_2 … H_{n−1} applied to the identity, growing block by block.
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  for (let i = 1; i < n; i++) {
    const h = scales[i]!;
    if (h === 0) continue;
    const u = a.subarray(i * n, i * n + i);
    reflect(q, n, u, i, h);
  }
  return q;
}

// The three loops below take four rows at a time, which then share what is read of the vectors.

/** p += A u for the leading [size, size] of a symmetric `a`, of which the lower triangle is read. */
function symmetricProduct(a: Float64Array, n: number, u: Float64Array, size: number, p: Float64Array): void {
  let j = 0;
  for (; j + 3 < size; j += 4) {
    const o = j * n;
    const [u0, u1, u2, u3] = [u[j]!, u[j + 1]!, u[j + 2]!, u[j + 3]!];
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0, at = o; k < j; k++, at++) {
      const a0 = a[at]!;
      const a1 = a[at + n]!;
      const a2 = a[at + 2 * n]!;
      const a3 = a[at + 3 * n]!;
      const uk = u[k]!;
      s0 += a0 * uk;
      s1 += a1 * uk;
      s2 += a2 * uk;
      s3 += a3 * uk;
      p[k] = p[k]! + a0 * u0 + a1 * u1 + a2 * u2 + a3 * u3;
    }
    p[j]! += s0;
    p[j + 1]! += s1;
    p[j + 2]! += s2;
    p[j + 3]! += s3;
    for (let r = j; r < j + 4; r++) rowOfSymmetric(a, n, u, r, j, p);
  }
  for (; j < size; j++) rowOfSymmetric(a, n, u, j, 0, p);
}

/** The share of row j in columns `from` … j, and of its mirror image. */
function rowOfSymmetric(
  a: Float64Array,
  n: number,
  u: Float64Array,
  j: number,
  from: number,
  p: Float64Array,
) {
  const o = j * n;
  const uj = u[j]!;
  let sum = a[o + j]! * uj;
  for (let k = from; k < j; k++) {
    sum += a[o + k]! * u[k]!;
    p[k] = p[k]! + a[o + k]! * uj;
  }
  p[j] = p[j]! + sum;
}

/**
 * a −= u pᵀ + p uᵀ in the lower triangle of the leading [size, size]; a little above it too, where nothing is
 * read.
 */
function takeOuter(a: Float64Array, n: number, u: Float64Array, p: Float64Array, size: number): void {
  let j = 0;
  for (; j + 3 < size; j += 4) {
    const [u0, u1, u2, u3] = [u[j]!, u[j + 1]!, u[j + 2]!, u[j + 3]!];
    const [p0, p1, p2, p3] = [p[j]!, p[j + 1]!, p[j + 2]!, p[j + 3]!];
    for (let k = 0, at = j * n; k < j + 4; k++, at++) {
      const uk = u[k]!;
      const pk = p[k]!;
      a[at] = a[at]! - u0 * pk - p0 * uk;
      a[at + n] = a[at + n]! - u1 * pk - p1 * uk;
      a[at + 2 * n] = a[at + 2 * n]! - u2 * pk - p2 * uk;
      a[at + 3 * n] = a[at + 3 * n]! - u3 * pk - p3 * uk;
    }
  }
  for (; j < size; j++) {
    const [uj, pj] = [u[j]!, p[j]!];
    for (let k = 0, at = j * n; k <= j; k++, at++) a[at] = a[at]! - uj * p[k]! - pj * u[k]!;
  }
}

/** Rows of the leading [size, size] of q, less what they have along u: q −= (q u) uᵀ / h. */
function reflect(q: Float64Array, n: number, u: Float64Array, size: number, h: number): void {
  let j = 0;
  for (; j + 3 < size; j += 4) {
    const o = j * n;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0, at = o; k < size; k++, at++) {
      const uk = u[k]!;
      s0 += q[at]! * uk;
      s1 += q[at + n]! * uk;
      s2 += q[at + 2 * n]! * uk;
      s3 += q[at + 3 * n]! * uk;
    }
    s0 /= h;
    s1 /= h;
    s2 /= h;
    s3 /= h;
    for (let k = 0, at = o; k < size; k++, at++) {
      const uk = u[k]!;
      q[at] = q[at]! - s0 * uk;
      q[at + n] = q[at + n]! - s1 * uk;
      q[at + 2 * n] = q[at + 2 * n]! - s2 * uk;
      q[at + 3 * n] = q[at + 3 * n]! - s3 * uk;
    }
  }
  for (; j < size; j++) {
    const o = j * n;
    let sum = 0;
    for (let k = 0; k < size; k++) sum += q[o + k]! * u[k]!;
    sum /= h;
    for (let k = 0; k < size; k++) q[o + k] = q[o + k]! - sum * u[k]!;
  }
}

import { InputError } from "../errors.ts";
import { cholesky, choleskySolve, solveLower } from "../linalg/cholesky.ts";
import { addRowProducts } from "../linalg/product.ts";

/** A latent function given N rows: mean k*ᵀ · residual, variance k** − ‖reduction · k*‖². */
export interface Latent {
  /** Gradient of the log likelihood at the mode, [N]. */
  readonly residual: Float64Array;
  /** L⁻¹ W^½ [N, N], where L Lᵀ = I + W^½ K W^½; empty where only the evidence was asked for. */
  readonly reduction: Float64Array;
  /** Laplace's approximation of the log marginal likelihood. */
  readonly evidence: number;
}

const MOST_STEPS = 100;

/**
 * Laplace's approximation for targets 0 or 1 under the logistic likelihood and a kernel [N, N]: Newton's
 * method for the mode (Rasmussen and Williams 2006, algorithm 3.1), each row's log likelihood multiplied by
 * its weight.
 */
export function laplace(
  kernel: Float64Array,
  targets: Float64Array,
  weights: Float64Array,
  { evidenceOnly = false } = {},
): Latent {
  const n = targets.length;
  let f: Float64Array = new Float64Array(n);
  let evidence = Number.NEGATIVE_INFINITY;
  const p = new Float64Array(n);
  const roots = new Float64Array(n);
  let residual: Float64Array = new Float64Array(n);
  for (let step = 0; ; step++) {
    for (let i = 0; i < n; i++) {
      p[i] = 1 / (1 + Math.exp(-f[i]!));
      roots[i] = Math.sqrt(weights[i]! * p[i]! * (1 - p[i]!));
    }
    residual = targets.map((y, i) => weights[i]! * (y - p[i]!));
    const l = factor(kernel, roots, n);
    const b = residual.map((r, i) => roots[i]! ** 2 * f[i]! + r);
    const inner = times(kernel, b, n).map((value, i) => roots[i]! * value);
    choleskySolve(l, n, inner);
    const a = b.map((value, i) => value - roots[i]! * inner[i]!);
    const next = times(kernel, a, n);
    let reached = 0;
    for (let i = 0; i < n; i++) {
      const sign = targets[i] === 1 ? 1 : -1;
      reached -= 0.5 * a[i]! * next[i]! + weights[i]! * softplus(-sign * next[i]!) + Math.log(l[i * n + i]!);
    }
    f = next;
    if (!(reached - evidence > 1e-10 * Math.max(1, Math.abs(reached))) || step === MOST_STEPS) {
      evidence = Math.max(evidence, reached);
      break;
    }
    evidence = reached;
  }
  if (evidenceOnly) return { residual, reduction: new Float64Array(0), evidence };
  const l = factor(kernel, roots, n);
  const columns = new Float64Array(n * n);
  for (let i = 0; i < n; i++) columns[i * n + i] = roots[i]!;
  solveLower(l, n, columns);
  const reduction = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) reduction[j * n + i] = columns[i * n + j]!;
  return { residual, reduction, evidence };
}

/** L of I + W^½ K W^½. */
function factor(kernel: Float64Array, roots: Float64Array, n: number): Float64Array {
  const b = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) b[i * n + j] = roots[i]! * roots[j]! * kernel[i * n + j]!;
    b[i * n + i]! += 1;
  }
  const l = cholesky(b, n);
  if (l === null)
    throw new InputError("gp: the kernel is not positive definite to working precision; give a larger gamma");
  return l;
}

function times(kernel: Float64Array, vector: Float64Array, n: number): Float64Array {
  const made = new Float64Array(n);
  addRowProducts(kernel, n, vector, 1, n, made, 1);
  return made;
}

/** log(1 + eˣ) */
function softplus(x: number): number {
  return Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x)));
}

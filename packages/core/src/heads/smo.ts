/** The solution of one two-class machine: margin(x) = Σ coefficients_i · k(x_i, x) + intercept. */
export interface Support {
  /** y_i α_i [N]; 0 where a row is no support vector. */
  readonly coefficients: Float64Array;
  readonly intercept: number;
  readonly iterations: number;
}

/** Least curvature of a step, as a kernel that is not strictly positive definite may have none. */
const LEAST_CURVATURE = 1e-12;

/**
 * Solves max Σ α − ½ Σ α_i α_j y_i y_j k_ij with 0 ≤ α_i ≤ bounds_i and Σ y α = 0 by sequential minimal
 * optimisation, the working pair by second-order information (Fan, Chen and Lin 2005,
 * https://www.jmlr.org/papers/v6/fan05a.html) until the conditions of optimality are violated by less than
 * `tolerance`. Kernel [N, N], signs ±1.
 */
export function smo(
  kernel: Float64Array,
  signs: Int8Array,
  bounds: Float64Array,
  tolerance: number,
): Support {
  const n = signs.length;
  const alpha = new Float64Array(n);
  // −y_i times the gradient of the minimised form: the most by which a row wants its y α raised.
  const wish = Float64Array.from(signs);
  const up = (i: number) => (signs[i] === 1 ? alpha[i]! < bounds[i]! : alpha[i]! > 0);
  const down = (i: number) => (signs[i] === 1 ? alpha[i]! > 0 : alpha[i]! < bounds[i]!);
  let iterations = 0;
  const most = Math.max(10_000_000 / n, 100 * n);
  for (; iterations < most; iterations++) {
    let i = -1;
    for (let t = 0; t < n; t++) if (up(t) && (i < 0 || wish[t]! > wish[i]!)) i = t;
    if (i < 0) break;
    let j = -1;
    let gain = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (let t = 0; t < n; t++) {
      if (!down(t)) continue;
      lowest = Math.min(lowest, wish[t]!);
      const gap = wish[i]! - wish[t]!;
      if (gap <= 0) continue;
      const curvature = kernel[i * n + i]! + kernel[t * n + t]! - 2 * kernel[i * n + t]!;
      const value = (gap * gap) / Math.max(LEAST_CURVATURE, curvature);
      if (value > gain) [gain, j] = [value, t];
    }
    if (j < 0 || wish[i]! - lowest < tolerance) break;
    const curvature = kernel[i * n + i]! + kernel[j * n + j]! - 2 * kernel[i * n + j]!;
    let step = (wish[i]! - wish[j]!) / Math.max(LEAST_CURVATURE, curvature);
    const roomUp = signs[i] === 1 ? bounds[i]! - alpha[i]! : alpha[i]!;
    const roomDown = signs[j] === 1 ? alpha[j]! : bounds[j]! - alpha[j]!;
    step = Math.min(step, roomUp, roomDown);
    // At a bound the value is set, not summed, so that it counts as one.
    alpha[i] = step === roomUp ? (signs[i] === 1 ? bounds[i]! : 0) : alpha[i]! + signs[i]! * step;
    alpha[j] = step === roomDown ? (signs[j] === 1 ? 0 : bounds[j]!) : alpha[j]! - signs[j]! * step;
    for (let t = 0; t < n; t++) wish[t]! -= step * (kernel[i * n + t]! - kernel[j * n + t]!);
  }
  return {
    coefficients: alpha.map((value, i) => value * signs[i]!),
    intercept: interceptOf(alpha, bounds, wish, up, down),
    iterations,
  };
}

/** The mean wish of rows between their bounds; where there are none the middle of what the others allow. */
function interceptOf(
  alpha: Float64Array,
  bounds: Float64Array,
  wish: Float64Array,
  up: (i: number) => boolean,
  down: (i: number) => boolean,
): number {
  let [sum, count] = [0, 0];
  let [least, most] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < alpha.length; i++) {
    if (alpha[i]! > 0 && alpha[i]! < bounds[i]!) {
      sum += wish[i]!;
      count++;
    } else if (up(i)) least = Math.max(least, wish[i]!);
    else if (down(i)) most = Math.min(most, wish[i]!);
  }
  if (count > 0) return sum / count;
  if (!Number.isFinite(least)) return Number.isFinite(most) ? most : 0;
  return Number.isFinite(most) ? (least + most) / 2 : least;
}

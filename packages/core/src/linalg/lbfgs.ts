import { dot } from "./product.ts";

/** A smooth function of a point [n] to be minimised: writes its gradient [n] and returns its value. */
export type Objective = (point: Float64Array, gradient: Float64Array) => number | Promise<number>;

/** When to stop. */
export interface LbfgsOptions {
  readonly iterations?: number;
  /** Largest element of the gradient at which the point counts as the minimum, relative to that of the start. */
  readonly tolerance?: number;
  /** Says of a value and its gradient that they are near enough to the minimum; in place of `tolerance`. */
  readonly enough?: (value: number, gradient: Float64Array) => boolean;
  /** Share of a value's size that rounding may move it by: the line search takes no offence at as much. */
  readonly rounding?: number;
  /** Pairs of steps and gradients remembered. */
  readonly memory?: number;
}

/** Where a minimisation ended. */
export interface Minimum {
  readonly point: Float64Array;
  readonly value: number;
  /** Gradient there. */
  readonly gradient: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * Minimises a smooth convex function from `start` by limited-memory BFGS (Liu and Nocedal 1989,
 * doi:10.1007/BF01589116) with a line search for the weak Wolfe conditions by bisection (Lewis and Overton
 * 2013, doi:10.1007/s10107-012-0514-2).
 */
export async function lbfgs(
  objective: Objective,
  start: Float64Array,
  options: LbfgsOptions = {},
): Promise<Minimum> {
  const { iterations = 1000, tolerance = 1e-6, memory = 12, rounding = 1e-15 } = options;
  const n = start.length;
  let point = Float64Array.from(start);
  let gradient: Float64Array = new Float64Array(n);
  let value = await objective(point, gradient);
  const limit = tolerance * Math.max(1e-12, largest(gradient));
  const enough = options.enough ?? ((_, g) => largest(g) <= limit);
  const steps: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  const direction = new Float64Array(n);
  for (let k = 0; k < iterations; k++) {
    if (enough(value, gradient)) return { point, value, gradient, iterations: k, converged: true };
    twoLoop(gradient, steps, direction);
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      steps.length = 0;
      for (let i = 0; i < n; i++) direction[i] = -gradient[i]!;
      slope = dot(direction, gradient);
    }
    const first = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    const found = await search(objective, point, value, direction, slope, first, rounding);
    if (found === null)
      return { point, value, gradient, iterations: k, converged: largest(gradient) <= 10 * limit };
    // The oldest pair's place is taken by the newest.
    const full = steps.length === memory ? steps.shift() : undefined;
    const { s, y } = full ?? { s: new Float64Array(n), y: new Float64Array(n) };
    for (let i = 0; i < n; i++) {
      s[i] = found.point[i]! - point[i]!;
      y[i] = found.gradient[i]! - gradient[i]!;
    }
    const curvature = dot(s, y);
    if (curvature > 1e-300) steps.push({ s, y, rho: 1 / curvature });
    ({ point, gradient, value } = found);
  }
  return { point, value, gradient, iterations, converged: enough(value, gradient) };
}

/** direction = −H · gradient by the two-loop recursion. */
function twoLoop(
  gradient: Float64Array,
  steps: readonly { s: Float64Array; y: Float64Array; rho: number }[],
  direction: Float64Array,
): void {
  for (let i = 0; i < gradient.length; i++) direction[i] = -gradient[i]!;
  const alpha = new Float64Array(steps.length);
  for (let j = steps.length - 1; j >= 0; j--) {
    const { s, y, rho } = steps[j]!;
    alpha[j] = rho * dot(s, direction);
    addScaled(direction, -alpha[j]!, y);
  }
  const last = steps.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  for (let j = 0; j < steps.length; j++) {
    const { s, y, rho } = steps[j]!;
    addScaled(direction, alpha[j]! - rho * dot(y, direction), s);
  }
}

async function search(
  objective: Objective,
  point: Float64Array,
  value: number,
  direction: Float64Array,
  slope: number,
  first: number,
  rounding: number,
) {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let step = first;
  for (let attempt = 0; attempt < 50; attempt++) {
    const next = new Float64Array(point.length);
    for (let i = 0; i < next.length; i++) next[i] = point[i]! + step * direction[i]!;
    const gradient = new Float64Array(point.length);
    const reached = await objective(next, gradient);
    // A value equal up to rounding is as low as numbers can say.
    const slack = rounding * Math.abs(value);
    if (!(reached <= value + 1e-4 * step * slope + slack)) high = step;
    else if (dot(gradient, direction) < 0.9 * slope) low = step;
    else return { point: next, gradient, value: reached };
    step = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2;
    if (step < 1e-20) return null;
  }
  return null;
}

function addScaled(into: Float64Array, scale: number, from: Float64Array): void {
  for (let i = 0; i < into.length; i++) into[i]! += scale * from[i]!;
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

import type { WeightingMemory } from "../weighting.ts";

/**
 * What `descend` remembers of `count` numbers: the averages of gradients and squares, and how often each was
 * changed.
 */
export function adamMemory(count: number): WeightingMemory {
  return {
    average: new Float64Array(count),
    square: new Float64Array(count),
    times: new Float64Array(count),
  };
}

/**
 * Adam (Kingma and Ba 2015) on the few numbers of a weighting, with its usual constants: moves `values[i]` against
 * `gradient[i]` for each i in `which`. `decay` is added to the gradient as decay · value, as in PyTorch.
 */
export function descend(
  values: Float64Array,
  gradient: ArrayLike<number>,
  memory: WeightingMemory,
  {
    which,
    rate,
    decay = 0,
  }: { readonly which: readonly number[]; readonly rate: number; readonly decay?: number },
): void {
  const { average, square, times } = memory as {
    average: Float64Array;
    square: Float64Array;
    times: Float64Array;
  };
  for (const i of which) {
    const g = gradient[i]! + decay * values[i]!;
    const step = ++times[i]!;
    average[i] = 0.9 * average[i]! + 0.1 * g;
    square[i] = 0.999 * square[i]! + 0.001 * g * g;
    const size = average[i]! / (1 - 0.9 ** step);
    values[i] = values[i]! - (rate * size) / (Math.sqrt(square[i]! / (1 - 0.999 ** step)) + 1e-8);
  }
}

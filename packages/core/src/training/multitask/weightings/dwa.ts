import { resolveSettings } from "../../../options.ts";
import type { LossWeighting } from "../weighting.ts";

const options = {
  temperature: {
    type: "number",
    default: 2,
    min: 0.01,
    max: 1000,
    about: "larger is nearer to equal weights",
  },
} as const;

/**
 * Dynamic weight average: K·softmax(r/T) with r = L(t − 1)/L(t − 2), each task's mean loss of the last epoch
 * over that of the one before (Liu, Johns and Davison 2019, equation 7, https://arxiv.org/abs/1803.10704).
 * Weights are 1 in the first two epochs.
 */
export const dwa: LossWeighting = {
  about: "tasks whose loss fell least from epoch to epoch count more",
  options,
  isJoint: false,
  start: (tasks) => ({
    epoch: Float64Array.of(0),
    sum: new Float64Array(tasks),
    count: new Float64Array(tasks),
    last: new Float64Array(tasks),
    weights: new Float64Array(tasks).fill(1),
  }),
  weigh({ parts, tasks, epoch }, memory, given = {}) {
    const { temperature } = resolveSettings("weighting dwa", options, given);
    const { sum, count, last, weights } = memory as Record<
      "sum" | "count" | "last" | "weights",
      Float64Array
    >;
    const at = memory.epoch!;
    if (epoch > at[0]!) {
      // A task that had no turn keeps its loss, so its ratio is 1.
      const means = Array.from(sum, (total, task) => (count[task]! > 0 ? total / count[task]! : last[task]!));
      if (epoch >= 2) {
        const powers = means.map((mean, task) =>
          Math.exp((last[task]! > 0 ? mean / last[task]! : 1) / temperature),
        );
        const total = powers.reduce((a, b) => a + b, 0);
        for (const [task, power] of powers.entries()) weights[task] = (tasks * power) / total;
      }
      last.set(means);
      sum.fill(0);
      count.fill(0);
      at[0] = epoch;
    }
    for (const { task, loss } of parts) {
      sum[task]! += loss;
      count[task]! += 1;
    }
    return parts.map(({ task }) => weights[task]!);
  },
};

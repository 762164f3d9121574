import { resolveSettings } from "../../../options.ts";
import { innerProduct, type LossWeighting, sharedSlots } from "../weighting.ts";
import { adamMemory, descend } from "./adam.ts";

const options = {
  alpha: { type: "number", default: 1.5, min: 0, max: 10, about: "how strongly slow tasks are pulled along" },
  rate: { type: "number", default: 0.025, min: 0, max: 1, about: "learning rate of the weights" },
} as const;

/**
 * GradNorm: weights learnt so that each task's gradient on the last shared layer is as long as the mean times
 * r^α, where r is how far the task's loss is from its start, relative to the others (Chen et al. 2018,
 * algorithm 1, https://arxiv.org/abs/1711.02257). The weights add up to the number of tasks.
 */
export const gradnorm: LossWeighting = {
  about: "weights learnt so that tasks train at one pace, by the lengths of their gradients",
  options,
  isJoint: true,
  start: (tasks) => ({
    weights: new Float64Array(tasks).fill(1),
    first: new Float64Array(tasks),
    ...adamMemory(tasks),
  }),
  weigh({ parts, tasks }, memory, given = {}) {
    const { alpha, rate } = resolveSettings("weighting gradnorm", options, given);
    const { weights, first } = memory as { weights: Float64Array; first: Float64Array };
    const shared = sharedSlots(parts);
    // The last layer's weight; of vectors alone, the last of these.
    const layer = shared.findLast(({ shape }) => shape.length > 1) ?? shared.at(-1);
    const used = parts.map(({ task }) => weights[task]!);
    if (!layer) return used;
    const lengths = parts.map(({ gradient }) => Math.sqrt(innerProduct(gradient, gradient, [layer])));
    for (const { task, loss } of parts) if (first[task] === 0) first[task] = loss;
    const ratios = parts.map(({ task, loss }) => loss / first[task]!);
    const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    const [meanRatio, meanLength] = [mean(ratios), mean(lengths.map((length, i) => used[i]! * length))];
    const gradient = new Float64Array(tasks);
    for (const [i, { task }] of parts.entries()) {
      const target = meanLength * (ratios[i]! / meanRatio) ** alpha;
      gradient[task] = Math.sign(used[i]! * lengths[i]! - target) * lengths[i]!;
    }
    descend(weights, gradient, memory, { which: parts.map(({ task }) => task), rate });
    // None may turn its task's loss around.
    for (let task = 0; task < tasks; task++) weights[task] = Math.max(weights[task]!, 1e-3);
    const total = weights.reduce((sum, one) => sum + one, 0);
    for (let task = 0; task < tasks; task++) weights[task] = (tasks * weights[task]!) / total;
    return used;
  },
};

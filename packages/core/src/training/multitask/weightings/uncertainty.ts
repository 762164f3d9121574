import { resolveSettings } from "../../../options.ts";
import type { LossWeighting } from "../weighting.ts";
import { adamMemory, descend } from "./adam.ts";

const options = {
  rate: { type: "number", default: 0.01, min: 0, max: 1, about: "learning rate of the uncertainties" },
} as const;

/** Logarithm of a task's variance at the start. */
const START = -0.5;

/**
 * Σ L/(2·eˢ) + s/2 with a learnt logarithm of the variance s for each task (Kendall, Gal and Cipolla 2018,
 * equation 7, https://arxiv.org/abs/1705.07115): tasks whose loss stays large count less. At rest eˢ is the
 * loss.
 */
export const uncertainty: LossWeighting = {
  about: "a learnt uncertainty for each task: what stays hard counts less",
  options,
  isJoint: false,
  start: (tasks) => ({ logVariance: new Float64Array(tasks).fill(START), ...adamMemory(tasks) }),
  weigh({ parts, tasks }, memory, given = {}) {
    const { rate } = resolveSettings("weighting uncertainty", options, given);
    const s = memory.logVariance!;
    const weights = parts.map(({ task }) => 1 / (2 * Math.exp(s[task]!)));
    const gradient = new Float64Array(tasks);
    for (const [i, { task, loss }] of parts.entries()) gradient[task] = 0.5 - loss * weights[i]!;
    descend(s, gradient, memory, { which: parts.map(({ task }) => task), rate });
    return weights;
  },
};

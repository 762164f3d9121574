import { resolveSettings } from "../../../options.ts";
import type { LossWeighting } from "../weighting.ts";
import { adamMemory, descend } from "./adam.ts";

const options = {
  rate: { type: "number", default: 0.025, min: 0, max: 1, about: "learning rate of the weights" },
  decay: { type: "number", default: 1e-3, min: 0, max: 1, about: "decay of the weights towards equal ones" },
} as const;

/** Keeps logarithms finite. */
const TINY = 1e-8;

/**
 * FAMO: the step lowers the logarithms of all losses at about one rate (Liu et al. 2023, algorithm 1,
 * https://arxiv.org/abs/2306.03792). Σ z·log L / Σ(z/L) with z = softmax(w); w then moves by what the step
 * did to log L. That is read from the losses of the next step, which are computed anyway, and not from a
 * second run on the same batch, so that a joint step costs no more; batches add noise to it, and the averages
 * of Adam take it out again.
 */
export const famo: LossWeighting = {
  about: "all losses are to fall at one relative rate, at no further cost",
  options,
  isJoint: true,
  start: (tasks) => ({
    w: new Float64Array(tasks),
    last: new Float64Array(tasks).fill(Number.NaN),
    ...adamMemory(tasks),
  }),
  weigh({ parts, tasks }, memory, given = {}) {
    const { rate, decay } = resolveSettings("weighting famo", options, given);
    const { w, last } = memory as { w: Float64Array; last: Float64Array };
    const losses = new Float64Array(tasks).fill(Number.NaN);
    for (const { task, loss } of parts) losses[task] = Math.log(loss + TINY);
    if (!last.includes(Number.NaN)) {
      // Jᵀδ of the softmax: z·(δ − Σ z·δ)
      const z = softmax(w);
      const fall = last.map((before, task) => before - losses[task]!);
      const mean = fall.reduce((sum, one, task) => sum + z[task]! * one, 0);
      descend(
        w,
        fall.map((one, task) => z[task]! * (one - mean)),
        memory,
        { which: [...w.keys()], rate, decay },
      );
    }
    last.set(losses);
    const z = softmax(w);
    const scale = parts.reduce((sum, { task, loss }) => sum + z[task]! / (loss + TINY), 0);
    return parts.map(({ task, loss }) => z[task]! / (loss + TINY) / scale);
  },
};

function softmax(w: Float64Array): Float64Array {
  const most = Math.max(...w);
  const powers = w.map((one) => Math.exp(one - most));
  const total = powers.reduce((sum, one) => sum + one, 0);
  return powers.map((one) => one / total);
}

import { decayOption, flag, number, optimizer } from "./optimizer.ts";

/**
 * v ← μ·v + (1 − τ)·g, v = g at the first step; p ← p − η·v, with Nesterov p − η·(g + μ·v) (Sutskever et al.
 * 2013).
 */
export const sgd = optimizer(
  "Gradient descent, with momentum and Nesterov's look ahead.",
  {
    momentum: number(0, "share of the last step kept"),
    dampening: number(0, "share of the gradient left out of the momentum"),
    nesterov: flag("look ahead along the momentum"),
    weightDecay: decayOption,
  },
  ["velocity"],
  ({ p, g, state, from, to, rate, step, decay, settings: { momentum, dampening, nesterov } }) => {
    const v = state.velocity!;
    const kept = step === 1 ? 0 : momentum;
    const taken = step === 1 ? 1 : 1 - dampening;
    for (let i = from; i < to; i++) {
      const gradient = g[i]! + decay * p[i]!;
      if (momentum === 0) {
        p[i] = p[i]! - rate * gradient;
        continue;
      }
      const velocity = kept * v[i]! + taken * gradient;
      v[i] = velocity;
      p[i] = p[i]! - rate * (nesterov ? gradient + momentum * velocity : velocity);
    }
  },
  ({ rate, step, decay, settings: { momentum, dampening, nesterov } }) => {
    if (momentum === 0) return { kernel: "descent", arrays: [], numbers: [decay, rate] };
    const [kept, taken] = step === 1 ? [0, 1] : [momentum, 1 - dampening];
    const shares = nesterov ? [1, momentum] : [0, 1];
    return { kernel: "sgd", arrays: ["velocity"], numbers: [decay, kept, taken, rate, ...shares] };
  },
);

/**
 * p ← p − η·(sign(β₁m + (1 − β₁)g) + λp), m ← β₂m + (1 − β₂)g (Chen et al. 2023,
 * https://arxiv.org/abs/2302.06675).
 */
export const lion = optimizer(
  "The sign of an average of gradients: every element moves by the same amount.",
  {
    beta1: number(0.9, "decay for the step"),
    beta2: number(0.99, "decay for the memory"),
    weightDecay: decayOption,
  },
  ["average"],
  ({ p, g, state, from, to, rate, decay, settings: { beta1, beta2 } }) => {
    const m = state.average!;
    for (let i = from; i < to; i++) {
      const direction = Math.sign(beta1 * m[i]! + (1 - beta1) * g[i]!);
      p[i] = p[i]! - rate * (direction + decay * p[i]!);
      m[i] = beta2 * m[i]! + (1 - beta2) * g[i]!;
    }
  },
);

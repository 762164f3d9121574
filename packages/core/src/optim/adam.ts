import { tiny } from "./kernels.ts";
import { type Call, flag, number, optimizer, type Part } from "./optimizer.ts";

const betas = {
  beta1: number(0.9, "decay of the average gradient"),
  beta2: number(0.999, "decay of the average square"),
  epsilon: number(1e-8, "added to the root of the average square"),
};
interface Betas {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1; weight decay is added to the gradient. */
export const adam = optimizer(
  "Steps scaled by averages of the gradient and of its square.",
  {
    ...betas,
    weightDecay: number(0, "weight decay"),
    amsgrad: flag("scale by the greatest average square so far"),
  },
  ["average", "square", "greatest"],
  (part) => adamStep(part, false, part.settings.amsgrad),
  (part) => adamCall(part, false, part.settings.amsgrad),
);

/** Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101: weight decay apart from the gradient. */
export const adamw = optimizer(
  "Adam with weight decay apart from the gradient.",
  { ...betas, weightDecay: number(0.01, "weight decay") },
  ["average", "square"],
  (part) => adamStep(part, true, false),
  (part) => adamCall(part, true, false),
);

/** The numbers of a step that are the same for all elements. */
function adamNumbers({ rate, step, decay, settings: { beta1, beta2 } }: Part<Betas>, isApart: boolean) {
  return {
    size: rate / (1 - beta1 ** step),
    root: Math.sqrt(1 - beta2 ** step),
    kept: isApart ? 1 - rate * decay : 1,
    added: isApart ? 0 : decay,
  };
}

function adamCall(part: Part<Betas>, isApart: boolean, amsgrad: boolean): Call {
  const { beta1, beta2, epsilon } = part.settings;
  const { size, root, kept, added } = adamNumbers(part, isApart);
  return {
    kernel: amsgrad ? "amsgrad" : "adam",
    arrays: amsgrad ? ["average", "square", "greatest"] : ["average", "square"],
    numbers: [added, beta1, 1 - beta1, beta2, 1 - beta2, kept, size, 1 / root, epsilon, tiny],
  };
}

function adamStep(part: Part<Betas>, isApart: boolean, amsgrad: boolean): void {
  const { p, g, state, from, to, settings } = part;
  const { beta1, beta2, epsilon } = settings;
  const { size, root, kept, added } = adamNumbers(part, isApart);
  const m = state.average!;
  const v = state.square!;
  const greatest = state.greatest;
  for (let i = from; i < to; i++) {
    const gradient = g[i]! + added * p[i]!;
    let average = beta1 * m[i]! + (1 - beta1) * gradient;
    let square = beta2 * v[i]! + (1 - beta2) * gradient * gradient;
    // Denormal numbers take processors 10 times as long, and beside epsilon these are nothing.
    if (average < tiny && average > -tiny) average = 0;
    if (square < tiny) square = 0;
    m[i] = average;
    v[i] = square;
    let scale = square;
    if (amsgrad) {
      scale = Math.max(greatest![i]!, square);
      greatest![i] = scale;
    }
    p[i] = kept * p[i]! - (size * average) / (Math.sqrt(scale) / root + epsilon);
  }
}

/** Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ; the momentum's schedule as in PyTorch. */
export const nadam = optimizer(
  "Adam with Nesterov's look ahead.",
  { ...betas, momentumDecay: number(0.004, "decay of the momentum"), weightDecay: number(0, "weight decay") },
  ["average", "square"],
  ({ p, g, state, from, to, rate, step, decay, settings: { beta1, beta2, epsilon, momentumDecay } }) => {
    const mu = (t: number) => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
    let product = 1;
    for (let t = 1; t <= step; t++) product *= mu(t);
    const now = mu(step);
    const next = mu(step + 1);
    const m = state.average!;
    const v = state.square!;
    for (let i = from; i < to; i++) {
      const gradient = g[i]! + decay * p[i]!;
      const average = beta1 * m[i]! + (1 - beta1) * gradient;
      const square = beta2 * v[i]! + (1 - beta2) * gradient * gradient;
      m[i] = average;
      v[i] = square;
      const scale = Math.sqrt(square / (1 - beta2 ** step)) + epsilon;
      const ahead = ((1 - now) * gradient) / (1 - product) + (next * average) / (1 - product * next);
      p[i] = p[i]! - (rate * ahead) / scale;
    }
  },
);

/** Liu et al. 2020, https://arxiv.org/abs/1908.03265: no scaling until its variance is bounded. */
export const radam = optimizer(
  "Adam that does not scale while it has seen too little to.",
  { ...betas, weightDecay: number(0, "weight decay") },
  ["average", "square"],
  ({ p, g, state, from, to, rate, step, decay, settings: { beta1, beta2, epsilon } }) => {
    const m = state.average!;
    const v = state.square!;
    const longest = 2 / (1 - beta2) - 1;
    const length = longest - (2 * step * beta2 ** step) / (1 - beta2 ** step);
    const isBounded = length > 5;
    const rectified = isBounded
      ? Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length))
      : 1;
    for (let i = from; i < to; i++) {
      const gradient = g[i]! + decay * p[i]!;
      const average = beta1 * m[i]! + (1 - beta1) * gradient;
      const square = beta2 * v[i]! + (1 - beta2) * gradient * gradient;
      m[i] = average;
      v[i] = square;
      const scale = isBounded ? Math.sqrt(1 - beta2 ** step) / (Math.sqrt(square) + epsilon) : 1;
      p[i] = p[i]! - ((rate * average) / (1 - beta1 ** step)) * rectified * scale;
    }
  },
);

/** Kingma and Ba 2015, algorithm 2: the greatest gradient, decayed, in place of the average square. */
export const adamax = optimizer(
  "Adam scaled by the greatest gradient so far, decayed.",
  { ...betas, weightDecay: number(0, "weight decay") },
  ["average", "greatest"],
  ({ p, g, state, from, to, rate, step, decay, settings: { beta1, beta2, epsilon } }) => {
    const m = state.average!;
    const u = state.greatest!;
    for (let i = from; i < to; i++) {
      const gradient = g[i]! + decay * p[i]!;
      m[i] = beta1 * m[i]! + (1 - beta1) * gradient;
      u[i] = Math.max(beta2 * u[i]!, Math.abs(gradient) + epsilon);
      p[i] = p[i]! - ((rate / (1 - beta1 ** step)) * m[i]!) / u[i]!;
    }
  },
);

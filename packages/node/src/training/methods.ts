import { InputError, type Model, type Options, parametersOf, type Settings, sizeOf } from "@graft-ml/core";

/** Ways to transfer. */
export const METHODS = [
  "probe",
  "lp-ft",
  "lora",
  "bitfit",
  "gradual",
  "contrastive",
  "full",
  "scratch",
] as const;
/** The name of a way to transfer. */
export type Method = (typeof METHODS)[number];

/** What each way does, for people. */
export const methodAbout: Readonly<Record<Method, string>> = {
  probe: "a linear head on the frozen network",
  "lp-ft": "a linear head first, then the upper layers and the head at a small learning rate",
  lora: "low-rank adapters beside the weights of the upper layers, merged in the end",
  bitfit: "only biases and the head",
  gradual: "layers freed one block after the other from the top, lower ones at lower rates",
  contrastive: "layers trained to bring rows of one class together, then a linear head (SetFit)",
  full: "every layer at once",
  scratch: "every parameter drawn anew: nothing is transferred",
};

/** Settings of `fineTune`; null means chosen by the method or on training data. */
export const fineTuneOptions = {
  epochs: { type: "number", default: null, min: 1, max: 10_000, about: "most passes over the training rows" },
  learningRate: {
    type: "number",
    default: null,
    min: 0,
    max: 10,
    about: "of the trunk's top layer and the head",
  },
  batchSize: { type: "number", default: 16, min: 1, max: 4096, about: "rows a step" },
  depth: {
    type: "number",
    default: null,
    min: 0,
    max: 10_000,
    about: "blocks trained, from the top; 0 for the head alone",
  },
  decay: {
    type: "number",
    default: 1,
    min: 1,
    max: 10,
    about: "factor by which a block learns slower than the one above",
  },
  weightDecay: {
    type: "number",
    default: 0.01,
    min: 0,
    max: 10,
    about: "AdamW's decay of weights towards zero",
  },
  l2sp: {
    type: "number",
    default: 0,
    min: 0,
    max: 100,
    about: "decay of weights towards the source's (L2-SP)",
  },
  smoothing: {
    type: "number",
    default: 0,
    min: 0,
    max: 0.9,
    about: "share of a label spread over all classes",
  },
  mixup: { type: "number", default: 0, min: 0, max: 2, about: "alpha of mixup; 0 for none" },
  flip: { type: "boolean", default: false, about: "images turned over at random" },
  crop: {
    type: "number",
    default: 1,
    min: 0.05,
    max: 1,
    about: "least share of an image that a random crop keeps",
  },
  colour: { type: "number", default: 0, min: 0, max: 1, about: "strength of colour jitter" },
  operations: { type: "number", default: 0, min: 0, max: 8, about: "RandAugment operations an image" },
  cutout: {
    type: "number",
    default: 0,
    min: 0,
    max: 1,
    about: "side of a grey square, as a share of the image's",
  },
  views: {
    type: "number",
    default: 4,
    min: 1,
    max: 64,
    about: "augmented versions of a row kept under a frozen trunk",
  },
  clip: {
    type: "number",
    default: 1,
    min: 0,
    max: 1e6,
    about: "greatest length of the gradients; 0 for none",
  },
  ema: {
    type: "number",
    default: 0,
    min: 0,
    max: 0.9999,
    about: "share of a running average of weights; 0 for none",
  },
  accumulate: { type: "number", default: 1, min: 1, max: 1000, about: "batches a step" },
  warmup: {
    type: "number",
    default: 0.1,
    min: 0,
    max: 1,
    about: "share of the steps in which the rate rises",
  },
  patience: {
    type: "number",
    default: null,
    min: 1,
    max: 1000,
    about: "epochs without a better score on held-out rows",
  },
  pairs: {
    type: "number",
    default: 20,
    min: 1,
    max: 10_000,
    about: "contrastive: pairs a class, within it and with others, each",
  },
  rank: { type: "number", default: 8, min: 1, max: 1024, about: "width of LoRA's adapters" },
  alpha: {
    type: "number",
    default: 16,
    min: 0.01,
    max: 4096,
    about: "scale of LoRA's adapters, over the rank",
  },
  batchNorm: {
    type: "choice",
    default: "auto",
    of: ["auto", "frozen", "train"],
    about: "stored statistics of batch normalization: kept (auto, but for scratch) or learnt",
  },
} as const satisfies Options;

/** Settings of `fineTune`, all of them. */
export type FineTuneSettings = Settings<typeof fineTuneOptions>;

/** What a method is tried with where a setting is left open, best guess first. */
export interface Defaults {
  readonly epochs: number;
  /** Empty where a rate is to be found by a sweep (`findRate`). */
  readonly rates: readonly number[];
  /** Blocks from the top; null for all. */
  readonly depths: readonly (number | null)[];
  /** Whether training the whole network several times is cheap: a small network on few rows. */
  readonly isQuick: boolean;
}

interface Tried {
  readonly epochs: number;
  readonly rates: readonly number[];
  readonly depths: readonly (number | null)[];
  /** Steps a training has at least: of few rows more epochs are made. */
  readonly steps: number;
}

/** Parameters up to which a network is small: what it knows is narrow, and training all of it costs little. */
const SMALL = 1e6;
/** Rows up to which a small network is trained as often as candidates and folds want. */
const FEW = 1000;
/** So few rows are not passed over more often than this many times the usual, however few steps that makes. */
const MOST_PASSES = 12;

const TRIED: Readonly<Record<Method, Tried>> = {
  probe: { epochs: 0, rates: [0], depths: [null], steps: 0 },
  "lp-ft": { epochs: 4, rates: [1e-4, 3e-5, 1e-5], depths: [2], steps: 60 },
  lora: { epochs: 4, rates: [1e-4, 3e-5], depths: [4], steps: 60 },
  bitfit: { epochs: 4, rates: [3e-4, 1e-4], depths: [4], steps: 60 },
  gradual: { epochs: 4, rates: [1e-4], depths: [3], steps: 60 },
  // Epochs here are passes over pairs, which are as many as asked for, however few the rows.
  contrastive: { epochs: 1, rates: [2e-5], depths: [null], steps: 0 },
  full: { epochs: 10, rates: [], depths: [null], steps: 200 },
  scratch: { epochs: 30, rates: [], depths: [null], steps: 240 },
};

/** The same for small networks: higher rates, and all layers, which are few, beside the upper ones. */
const TRIED_SMALL: Readonly<Partial<Record<Method, Partial<Tried>>>> = {
  "lp-ft": { rates: [1e-3, 1e-4], depths: [2, null], steps: 120 },
  lora: { rates: [1e-3, 1e-4], steps: 120 },
  bitfit: { rates: [3e-3, 3e-4], steps: 120 },
  gradual: { rates: [1e-3], steps: 120 },
  contrastive: { rates: [1e-3, 1e-4] },
};

/** Rates of the whole network from a blank head, where it is quick to train. */
const QUICK_RATES: Readonly<Partial<Record<Method, readonly number[]>>> = {
  full: [1e-3, 3e-4],
  scratch: [3e-3, 1e-3],
};

/** Whether a network has so few parameters that training all of it is cheap. */
export function isSmall(trunk: Model): boolean {
  return parametersOf(trunk).reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0) <= SMALL;
}

/**
 * What a method is tried with, as far as settings leave it open, on so many rows. Every rule here looks at
 * sizes alone: of the network and of the rows.
 */
export function defaultsOf(
  method: Method,
  settings: FineTuneSettings,
  { rows, trunk }: { readonly rows: number; readonly trunk: Model },
): Defaults {
  if (!METHODS.includes(method)) throw new InputError(`method "${method}" is none of ${METHODS.join(", ")}`);
  const small = isSmall(trunk);
  const isQuick = small && rows <= FEW;
  const { epochs, rates, depths, steps } = { ...TRIED[method], ...(small && TRIED_SMALL[method]) };
  const each = Math.ceil(rows / settings.batchSize / settings.accumulate);
  const enough = Math.min(Math.ceil(steps / each), MOST_PASSES * epochs);
  return {
    epochs: settings.epochs ?? Math.max(epochs, enough),
    rates:
      settings.learningRate !== null
        ? [settings.learningRate]
        : ((isQuick ? QUICK_RATES[method] : undefined) ?? rates),
    depths: settings.depth === null ? depths : [settings.depth],
    isQuick,
  };
}

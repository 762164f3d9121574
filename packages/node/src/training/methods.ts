import { InputError, type Options, type Settings } from "@graft-ml/core";

/** Ways to transfer. */
export const METHODS = ["probe", "lp-ft", "lora", "bitfit", "gradual", "full", "scratch"] as const;
/** The name of a way to transfer. */
export type Method = (typeof METHODS)[number];

/** What each way does, for people. */
export const methodAbout: Readonly<Record<Method, string>> = {
  probe: "a linear head on the frozen network",
  "lp-ft": "a linear head first, then the upper layers and the head at a small learning rate",
  lora: "low-rank adapters beside the weights of the upper layers, merged in the end",
  bitfit: "only biases and the head",
  gradual: "layers freed one block after the other from the top, lower ones at lower rates",
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
  readonly rates: readonly number[];
  /** Blocks from the top; null for all. */
  readonly depths: readonly (number | null)[];
}

const DEFAULTS: Readonly<Record<Method, Defaults>> = {
  probe: { epochs: 0, rates: [0], depths: [null] },
  "lp-ft": { epochs: 4, rates: [3e-5, 1e-5], depths: [2] },
  lora: { epochs: 4, rates: [1e-4, 3e-5], depths: [4] },
  bitfit: { epochs: 4, rates: [3e-4, 1e-4], depths: [4] },
  gradual: { epochs: 4, rates: [1e-4], depths: [3] },
  full: { epochs: 10, rates: [3e-4], depths: [null] },
  scratch: { epochs: 30, rates: [1e-3], depths: [null] },
};

/** What a method is tried with, as far as settings leave it open. */
export function defaultsOf(method: Method, settings: FineTuneSettings): Defaults {
  if (!METHODS.includes(method)) throw new InputError(`method "${method}" is none of ${METHODS.join(", ")}`);
  const { epochs, rates, depths } = DEFAULTS[method];
  return {
    epochs: settings.epochs ?? epochs,
    rates: settings.learningRate === null ? rates : [settings.learningRate],
    depths: settings.depth === null ? depths : [settings.depth],
  };
}

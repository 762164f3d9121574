import type { Options, Settings } from "@graft-ml/core";
import { fineTuneOptions } from "../training/index.ts";

const { batchSize, weightDecay, warmup, clip, ema, flip, crop, colour, operations, cutout } = fineTuneOptions;

/** Settings of pretraining. */
export const pretrainOptions = {
  epochs: { type: "number", default: 20, min: 1, max: 10_000, about: "passes over the training rows" },
  learningRate: { type: "number", default: 1e-3, min: 0, max: 10, about: "greatest learning rate" },
  batchSize: { ...batchSize, default: 32 },
  weightDecay,
  warmup,
  clip,
  ema,
  flip,
  crop,
  colour,
  operations,
  cutout,
  noise: {
    type: "number",
    default: 0.3,
    min: 0,
    max: 5,
    about: "denoise: deviation of the noise that is added; pixels go from -1 to 1",
  },
  hidden: {
    type: "number",
    default: 0.25,
    min: 0,
    max: 0.95,
    about: "denoise: share of the image that squares of an eighth of its side hide",
  },
  masked: { type: "number", default: 0.15, min: 0.01, max: 0.9, about: "mlm: share of tokens to be guessed" },
} as const satisfies Options;

/** Settings of pretraining, all of them. */
export type PretrainSettings = Settings<typeof pretrainOptions>;

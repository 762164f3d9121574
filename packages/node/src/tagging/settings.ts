import { type Options, type Settings, taggerEncoders } from "@graft-ml/core";

/** What a tagger is: an encoder trained with the head, or a linear model of hashed features. */
export const TAGGER_NAMES: readonly string[] = [...Object.keys(taggerEncoders), "linear"];

/** Settings of training a tagger; what is null depends on the data. */
export const taggerOptions = {
  epochs: {
    type: "number",
    default: null,
    min: 1,
    max: 10_000,
    about: "most passes over the training sentences",
  },
  learningRate: {
    type: "number",
    default: null,
    min: 0,
    max: 10,
    about: "AdamW's rate after the first steps",
  },
  dropout: {
    type: "number",
    default: null,
    min: 0,
    max: 0.9,
    about: "share of representations and states masked",
  },
  batchTokens: { type: "number", default: 640, min: 8, max: 1_000_000, about: "tokens a step" },
  wordWidth: { type: "number", default: 64, min: 0, max: 2048, about: "numbers of a word's own embedding" },
  minimum: {
    type: "number",
    default: 2,
    min: 1,
    max: 1000,
    about: "times a word must occur to have an embedding",
  },
  affixRows: {
    type: "number",
    default: 8000,
    min: 0,
    max: 10_000_000,
    about: "rows of hashed affixes; 0 for none",
  },
  affixWidth: { type: "number", default: 24, min: 1, max: 1024, about: "numbers of an affix's embedding" },
  characters: {
    type: "choice",
    default: "auto",
    of: ["auto", "yes", "no"],
    about: "a convolution over characters; auto where words are longer than two on average",
  },
  tuneVectors: { type: "boolean", default: false, about: "train pretrained vectors, too" },
  units: { type: "number", default: null, min: 1, max: 2048, about: "units of the encoder" },
  layers: { type: "number", default: null, min: 1, max: 12, about: "layers of the encoder" },
  beside: {
    type: "boolean",
    default: false,
    about: "a linear tagger beside the network, weighed on held-out sentences",
  },
  /** Of the linear tagger. */
  rows: {
    type: "number",
    default: 2 ** 18,
    min: 16,
    max: 2 ** 24,
    about: "rows of hashed features of the linear tagger",
  },
} as const satisfies Options;

export type TaggerSettings = Settings<typeof taggerOptions>;

/** Parts of a batch trained on at once: in more of them a step of an LSTM has few rows, and takes as long. */
export const LANES = 2;

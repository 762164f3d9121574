import type { Options, Settings } from "../options.ts";

/** Settings of training word vectors. */
export const embedOptions = {
  method: {
    type: "choice",
    default: "skipgram",
    of: ["skipgram", "cbow"],
    about: "predict a word from each word around it, or from the mean of them",
  },
  dim: { type: "number", default: 100, min: 1, max: 4096, about: "numbers of a vector" },
  window: { type: "number", default: 5, min: 1, max: 100, about: "words to each side, at most" },
  negative: {
    type: "number",
    default: 5,
    min: 0,
    max: 60,
    about: "noise words a prediction; 0 with --hierarchical",
  },
  hierarchical: {
    type: "boolean",
    default: false,
    about: "predict by the way through a tree of words (hierarchical softmax), beside or without noise words",
  },
  minCount: { type: "number", default: 5, min: 1, about: "words seen less often have no vector" },
  maxWords: { type: "number", default: null, min: 1, about: "the commonest words that get a vector" },
  phrases: {
    type: "number",
    default: 0,
    min: 0,
    max: 5,
    about: "passes that join words which belong together, such as new_york; two join up to four",
  },
  phraseThreshold: {
    type: "number",
    default: 10,
    min: 0,
    about: "how much oftener than by chance two words follow each other to be joined; more is stricter",
  },
  sample: {
    type: "number",
    default: 1e-4,
    min: 0,
    max: 1,
    about: "share of the text from which on a word is passed over now and then; 0 takes every word",
  },
  epochs: { type: "number", default: 5, min: 1, max: 1000, about: "passes over the corpus" },
  rate: {
    type: "number",
    default: null,
    min: 1e-6,
    max: 1,
    about:
      "learning rate at the start, falling to a ten-thousandth (default: skipgram 0.025, cbow or sub-words 0.05)",
  },
  subwords: {
    type: "boolean",
    default: false,
    about: "vectors of character sequences, which make up unseen words (fastText)",
  },
  shortest: { type: "number", default: 3, min: 1, max: 32, about: "shortest sequence of characters" },
  longest: { type: "number", default: 6, min: 1, max: 32, about: "longest sequence of characters" },
  buckets: { type: "number", default: 500_000, min: 1, max: 2 ** 24, about: "vectors the sequences share" },
} as const satisfies Options;

/** The settings of `embedOptions`, resolved. */
export type EmbedSettings = Settings<typeof embedOptions>;

/** The learning rate at the start. */
export function startRate({ rate, method, subwords }: EmbedSettings): number {
  return rate ?? (method === "cbow" || subwords ? 0.05 : 0.025);
}

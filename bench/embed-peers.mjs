// The other trainers of word vectors that bench/embed.mjs and bench/embed-quality.mjs run, at the same settings.
import { spawnSync } from "node:child_process";

/** fastText's program; null where there is none. */
export const fasttextProgram =
  ["fasttext", process.env.GRAFT_FASTTEXT ?? "fasttext"].find(
    (program) => spawnSync(program, ["help"]).error === undefined,
  ) ?? null;

const rateOf = (method) => (method === "cbow" ? 0.05 : 0.025);

/** What word2vec.c is called with for a training: method, corpus, output, threads and the settings. */
export function word2vecArguments(training) {
  const { method, corpus, output, dim, window, negative, sample, minCount, epochs, threads } = training;
  const flags = {
    ...{ train: corpus, output, cbow: method === "cbow" ? 1 : 0, size: dim, window, negative, hs: 0, sample },
    ...{ threads, binary: 1, iter: epochs, "min-count": minCount, alpha: rateOf(method) },
  };
  return Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)]);
}

/** The same of fastText, without sub-words; `output` gets the ending .bin of a model. */
export function fasttextArguments(training) {
  const { method, corpus, output, dim, window, negative, sample, minCount, epochs, threads } = training;
  const flags = {
    ...{ input: corpus, output, dim, ws: window, neg: negative, t: sample, minCount, epoch: epochs },
    ...{ thread: threads, maxn: 0, minn: 0, bucket: 1, lr: rateOf(method), verbose: 0 },
  };
  return [method, ...Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)])];
}

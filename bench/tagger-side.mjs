// Graft's side of bench/tagger.mjs: SENTENCES ENCODER HEAD THREADS [tag]; prints the words a second of each
// epoch after the first, or with "tag" of tagging with the model that one epoch made, opened from its bytes.
import { readFileSync } from "node:fs";
import * as core from "../packages/core/dist/index.js";
import { ortRuntime } from "../packages/node/dist/index.js";

const [path, encoder, head, threads, work] = process.argv.slice(2);
const isTagging = work === "tag";
const EPOCHS = isTagging ? 1 : 3;
const sentences = JSON.parse(readFileSync(path, "utf8")).map(({ words, tags }) => ({
  tokens: words.map((word) => `word${word}`),
  tags: Int32Array.from(tags),
}));
const total = sentences.reduce((sum, { tokens }) => sum + tokens.length, 0);
const encoding = core.tokenEncoding(
  sentences.map(({ tokens }) => tokens),
  { minimum: 1, affixRows: 8000, characters: false },
);
const settings = {
  wordWidth: 64,
  affixWidth: 24,
  characterWidth: 1,
  characterFilters: 1,
  vectorWidth: 0,
  encoder,
  encoderSettings: {},
};
const tags = Array.from({ length: 17 }, (_, i) => `T${i}`);
const spec = {
  version: 1,
  tags,
  scheme: null,
  head: { name: "head", kind: head, tags: 17 },
  trunk: { kind: "network", encoding, settings },
};
// As `graft train` and `graft predict` have it.
const runtime = await ortRuntime({ threads: Number(threads), lanes: isTagging ? 1 : 2 });
let begin = performance.now();
const wordsPerSecond = [];
const { model } = await core.trainTagger({
  spec,
  runtime,
  random: core.random(0),
  train: sentences,
  held: sentences.slice(0, 2),
  epochs: EPOCHS,
  learningRate: 0.003,
  dropout: 0.33,
  batchTokens: 640,
  score() {
    wordsPerSecond.push((1000 * total) / (performance.now() - begin));
    return 0;
  },
  onEpoch() {
    begin = performance.now();
  },
});
if (isTagging) {
  const tagger = await core.openTagger(spec, model, runtime);
  wordsPerSecond.length = 0;
  for (let pass = 0; pass < 3; pass++) {
    begin = performance.now();
    await tagger.tag(sentences.map(({ tokens }) => tokens));
    wordsPerSecond.push((1000 * total) / (performance.now() - begin));
  }
}
console.log(JSON.stringify({ wordsPerSecond: wordsPerSecond.slice(1) }));
process.exit(0);

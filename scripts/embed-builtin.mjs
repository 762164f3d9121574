// Makes packages/node/builtin/text/vectors.npz, the vectors behind --backbone builtin:text: skip-gram on English novels and film reviews,
// 100 numbers a word, the 44 000 words seen five times or more, kept as int8.
// Usage: node scripts/embed-builtin.mjs [FOLDER OF CORPORA], by default ../shared/data, with corpus_novels/novels.txt.gz and
// corpus_imdb_unsup_20k/reviews.txt.gz. One thread and seed 0, so that the same corpora give the same file; two minutes.
import { mkdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { embed } from "graft-ml";

const root = fileURLToPath(new URL("..", import.meta.url));
const corpora = process.argv[2] ?? `${root}../shared/data`;
const output = `${root}packages/node/builtin/text/vectors.npz`;
const MOST_BYTES = 8 * 2 ** 20;

await mkdir(`${root}packages/node/builtin/text`, { recursive: true });
const { vectors, corpus, seconds } = await embed({
  corpus: [`${corpora}/corpus_novels/novels.txt.gz`, `${corpora}/corpus_imdb_unsup_20k/reviews.txt.gz`],
  output,
  storage: "int8",
  seed: 0,
  onProgress: (task, done, total) => {
    if (done === total) console.error(`${task}: ${done} words`);
  },
});
const { size } = await stat(output);
if (size > MOST_BYTES)
  throw new Error(`${output} has ${size} bytes; ${MOST_BYTES} at most belong into the package`);
console.log(
  `${output}: ${vectors.words.length} words × ${vectors.dimension} of ${corpus.tokens} words of text, ${size} bytes, ${seconds.toFixed(0)} s`,
);

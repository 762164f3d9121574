// Makes packages/node/builtin/text/vectors.npz and packages/node/builtin/text-zh/vectors.npz, the vectors
// behind --backbone builtin:text and builtin:text-zh: skip-gram, 100 numbers, what is seen five times or
// more, kept as int8. English: words of novels and film reviews. Chinese: single characters of shopping
// reviews (all but those of hotels), newspaper and Weibo sentences; texts alone, no label is looked at.
// Usage: node scripts/embed-builtin.mjs [text|text-zh] [FOLDER OF CORPORA], by default both and
// ../shared/data. One thread and seed 0, so that the same corpora give the same file; two minutes each.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import { embed } from "graft-ml";

const root = fileURLToPath(new URL("..", import.meta.url));
const [name, corpora = `${root}../shared/data`] = process.argv.slice(2);
const MEGABYTE = 2 ** 20;
const recipes = {
  text: {
    most: 8 * MEGABYTE,
    corpus: async () => [
      `${corpora}/corpus_novels/novels.txt.gz`,
      `${corpora}/corpus_imdb_unsup_20k/reviews.txt.gz`,
    ],
    options: {},
  },
  "text-zh": {
    most: 3 * MEGABYTE,
    corpus: chinese,
    options: { tokens: "characters", lines: "each", settings: { epochs: 10 } },
  },
};

for (const one of name === undefined ? Object.keys(recipes) : [name]) await make(one, recipes[one]);

async function make(builtin, { most, corpus, options }) {
  const folder = `${root}packages/node/builtin/${builtin}`;
  const output = `${folder}/vectors.npz`;
  const work = await mkdtemp(join(tmpdir(), "graft-builtin-"));
  await mkdir(folder, { recursive: true });
  const made = await embed({
    corpus: await corpus(work),
    output,
    storage: "int8",
    seed: 0,
    ...options,
    onProgress: (task, done, total) => {
      if (done === total) console.error(`${task}: ${done} words`);
    },
  });
  await rm(work, { recursive: true });
  const { size } = await stat(output);
  if (size > most) throw new Error(`${output} has ${size} bytes; ${most} at most belong into the package`);
  console.log(
    `${output}: ${made.vectors.words.length} words × ${made.vectors.dimension} of ${made.corpus.tokens} words of text, ${size} bytes, ${made.seconds.toFixed(0)} s`,
  );
}

/** A text a line: reviews of nine kinds of goods, and sentences whose characters stand a line each. */
async function chinese(work) {
  const shop = member(
    await readFile(`${corpora}/text_zh_online_shopping_10_cats/online_shopping_10_cats.zip`),
  );
  const reviews = shop
    .split("\n")
    .slice(1)
    .filter((line) => !line.startsWith("酒店,"))
    .map((line) => line.replace(/^[^,]*,[01],/, ""));
  const news = member(await readFile(`${corpora}/ner_zh_msra/dh_msra.zip`));
  const weibo = await readFile(`${corpora}/ner_zh_weibo/weiboNER_2nd_conll.train`, "utf8");
  const path = join(work, "chinese.txt");
  await writeFile(path, [...reviews, ...sentences(news), ...sentences(weibo)].join("\n"));
  return [path];
}

/** Sentences of CoNLL columns, their first column without the number that some have behind the character. */
function sentences(conll) {
  return conll.split(/\r?\n\s*\n/).map((sentence) =>
    sentence
      .split("\n")
      .map((line) => line.split("\t")[0].replace(/(.)\d$/u, "$1"))
      .join(""),
  );
}

/** The first file of an archive, as text. */
function member(zip) {
  const directory = zip.readUInt32LE(zip.lastIndexOf("PK\x05\x06") + 16);
  const size = zip.readUInt32LE(directory + 20);
  const from = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28);
  return inflateRawSync(zip.subarray(from, from + size)).toString("utf8");
}

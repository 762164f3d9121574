// Word vectors of 100 numbers trained for five passes on all of the novels and reviews of ../shared/data by
// Graft, gensim, word2vec.c (GRAFT_WORD2VEC) and fastText without sub-words (GRAFT_FASTTEXT, or on the path),
// on the same words in the same texts, and what they score. Long: GRAFT_ONLY=graft,gensim,word2vec,fasttext
// and GRAFT_METHODS=skipgram,cbow choose; GRAFT_SEEDS says how many trainings of Graft and gensim (1),
// GRAFT_FIRST the first seed, GRAFT_THREADS of how many threads (1), GRAFT_LINES what one text is.
import { spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  analogyScores,
  corpusFiles,
  corpusTexts,
  embed,
  readAnalogies,
  readVectorsFile,
  readWordPairs,
  similarityScore,
  wordIndex,
  wordTokenizer,
} from "graft-ml";
import { fasttextArguments, fasttextProgram, word2vecArguments } from "./embed-peers.mjs";
import { pythonPeer } from "./python-peer.mjs";

const data = process.env.GRAFT_DATA ?? new URL("../../shared/data", import.meta.url).pathname;
const only = (process.env.GRAFT_ONLY ?? "graft,gensim,word2vec,fasttext").split(",");
const methods = (process.env.GRAFT_METHODS ?? "skipgram,cbow").split(",");
const SEEDS = Number(process.env.GRAFT_SEEDS ?? 1);
const FIRST = Number(process.env.GRAFT_FIRST ?? 0);
const lines = process.env.GRAFT_LINES ?? "auto";
const threads = Number(process.env.GRAFT_THREADS ?? 1);
const settings = { dim: 100, window: 5, negative: 5, sample: 1e-4, minCount: 5, epochs: 5 };
const corpora = [
  join(data, "corpus_novels/novels.txt.gz"),
  join(data, "corpus_imdb_unsup_20k/reviews.txt.gz"),
];

/** @param {(line: string) => void} say */
export async function run(say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-quality-"));
  const corpus = join(folder, "corpus.txt");
  const output = join(folder, "vectors.bin");
  const rows = [];
  const keep = async (name, seconds, words) => {
    const row = { case: name, unit: "words/s", ours: Math.round(words / seconds), ...(await scores(output)) };
    say(Object.values(row).join("  "));
    rows.push({ ...row, spread: [] });
  };
  try {
    const words = 5 * (await writeCorpus(corpus));
    say(`${words / 5} words, ${settings.epochs} passes, ${threads} threads`);
    for (const method of methods) {
      if (only.includes("graft"))
        for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
          const { seconds } = await embed({
            corpus: corpora,
            ...{ output, threads, seed, lines },
            settings: { ...settings, method },
          });
          await keep(`Graft ${method}, lines ${lines}, seed ${seed}`, seconds, words);
        }
      if (only.includes("gensim"))
        for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
          const peer = pythonPeer("embed-peer.py");
          const { version } = await peer.next();
          const { seconds } = await peer.ask({ ...settings, method, corpus, threads, output, seed });
          peer.stop();
          await keep(`gensim ${version} ${method} seed ${seed}`, seconds, words);
        }
      if (only.includes("word2vec") && process.env.GRAFT_WORD2VEC) {
        const flags = word2vecArguments({ ...settings, method, corpus, output, threads });
        await keep(`word2vec.c ${method}, with counting`, timed(process.env.GRAFT_WORD2VEC, flags), words);
      }
      if (only.includes("fasttext") && fasttextProgram !== null) {
        const path = output.replace(/\.bin$/, "");
        const flags = fasttextArguments({ ...settings, method, corpus, output: path, threads });
        await keep(`fastText ${method}, with counting`, timed(fasttextProgram, flags), words);
      }
    }
    return rows;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function timed(program, flags) {
  const begin = performance.now();
  const { status } = spawnSync(program, flags);
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  return (performance.now() - begin) / 1000;
}

async function scores(path) {
  const { vectors } = await readVectorsFile(path, { onError: "skip" });
  const found = {};
  for (const [name, file] of Object.entries({
    WordSim: "EN-WS-353-ALL.txt",
    SimLex: "EN-SIMLEX-999.txt",
    MEN: "EN-MEN-TR-3k.txt",
  })) {
    const { spearman, covered, pairs } = similarityScore(
      vectors,
      readWordPairs(await readFile(join(data, "wordsim_eval", file), "utf8"), file),
    );
    found[name] = `${spearman.toFixed(3)} (${covered}/${pairs})`;
  }
  const questions = readAnalogies(
    await readFile(join(data, "word_analogy/questions-words.txt"), "utf8"),
    "q",
  );
  const all = analogyScores(wordIndex(vectors, 30_000), questions);
  const share = (some) => {
    const [right, covered] = ["right", "covered"].map((key) => some.reduce((sum, one) => sum + one[key], 0));
    return `${((100 * right) / covered).toFixed(2)} % (${covered})`;
  };
  return {
    ...found,
    analogies: share(all),
    semantic: share(all.filter(({ name }) => !name.startsWith("gram"))),
    syntactic: share(all.filter(({ name }) => name.startsWith("gram"))),
  };
}

async function writeCorpus(path) {
  const tokenize = wordTokenizer();
  const out = createWriteStream(path);
  let words = 0;
  for await (const one of corpusTexts(await corpusFiles(corpora), { lines })) {
    const tokens = [];
    tokenize(one, (token) => tokens.push(token));
    words += tokens.length;
    if (tokens.length > 0 && !out.write(`${tokens.join(" ")}\n`))
      await new Promise((resolve) => out.once("drain", resolve));
  }
  await new Promise((resolve) => out.end(resolve));
  return words;
}

// Word vectors trained at the same settings on the same text (1 million words of the novels and reviews of
// ../shared/data, a sentence a line), against gensim and, where they are (scripts/embedding-peers.sh),
// word2vec.c and fastText; in turn, one thread, words of the text a second without the pass that counts them;
// and the memory taken beside gensim's. GRAFT_ROUNDS says how often (2), GRAFT_WORDS how many words,
// GRAFT_METHODS=skipgram,cbow which.
import { spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { corpusFiles, corpusTexts, embed, wordTokenizer } from "graft-ml";
import { fasttextArguments, fasttextProgram, word2vecArguments } from "./embed-peers.mjs";
import { pythonPeer } from "./python-peer.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const data = process.env.GRAFT_DATA ?? join(root, "../shared/data");
const ROUNDS = Number(process.env.GRAFT_ROUNDS ?? 2);
const METHODS = (process.env.GRAFT_METHODS ?? "skipgram,cbow").split(",");
const WORDS = Number(process.env.GRAFT_WORDS ?? 1_000_000);
const settings = { dim: 100, window: 5, negative: 5, sample: 1e-4, minCount: 5, epochs: 1 };

/** @param {(line: string) => void} say */
export async function run(say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-bench-"));
  const corpus = join(folder, "corpus.txt");
  const words = await writeCorpus(corpus);
  say(`${words} words; ${settings.dim} numbers, window ${settings.window}, ${settings.negative} noise words`);
  const gensim = pythonPeer("embed-peer.py");
  say(`gensim ${(await gensim.next()).version}`);
  const rows = [];
  try {
    for (const method of METHODS) {
      const times = { ours: [], gensim: [], word2vec: [], fasttext: [], one: [], two: [] };
      for (let round = 0; round < ROUNDS; round++) {
        const ours = await embed({ ...job(method, corpus, folder), threads: 1 });
        times.ours.push(words / ours.seconds);
        times.gensim.push(words / (await gensim.ask({ ...settings, method, corpus, threads: 1 })).seconds);
        const output = join(folder, "peer.bin");
        if (process.env.GRAFT_WORD2VEC)
          times.word2vec.push(
            words /
              programSeconds(process.env.GRAFT_WORD2VEC, (all) =>
                word2vecArguments({ ...all, method, corpus, output }),
              ),
          );
        if (fasttextProgram !== null)
          times.fasttext.push(
            words /
              programSeconds(fasttextProgram, (all) => fasttextArguments({ ...all, method, corpus, output })),
          );
        // Threads take a moment to start, so that they are compared over four passes.
        if (method === "skipgram")
          for (const [name, threads] of [
            ["one", 1],
            ["two", 2],
          ]) {
            const given = job(method, corpus, folder);
            const several = { ...given, settings: { ...given.settings, epochs: 4 }, threads };
            times[name].push((4 * words) / (await embed(several)).seconds);
          }
        say(
          `${method}: ${Object.entries(times)
            .map(([name, all]) => `${name} ${Math.round(all.at(-1) ?? 0)}`)
            .join(", ")} words/s`,
        );
      }
      rows.push(rowOf(`${method}, words/s, one thread`, times.ours, times.gensim, "gensim"));
      if (times.word2vec.length > 0)
        rows.push(rowOf(`${method}, words/s, one thread`, times.ours, times.word2vec, "word2vec.c -Ofast"));
      if (times.fasttext.length > 0)
        rows.push(
          rowOf(`${method}, words/s, one thread`, times.ours, times.fasttext, "fastText, no sub-words"),
        );
      if (times.two.length > 0)
        rows.push(rowOf(`${method}, words/s, two threads`, times.two, times.one, "Graft, one thread"));
    }
    rows.push(await memoryRow(corpus, folder));
    return rows;
  } finally {
    gensim.stop();
    await rm(folder, { recursive: true });
  }
}

function job(method, corpus, folder) {
  return {
    corpus: [corpus],
    lines: "each",
    output: join(folder, "ours.bin"),
    settings: { ...settings, method },
  };
}

/** Most memory that a process of Graft and one of gensim ever held, which each read the corpus and train one pass. */
async function memoryRow(corpus, folder) {
  const code = `import { embed } from "graft-ml"; await embed(JSON.parse(process.argv[1])); console.log(process.resourceUsage().maxRSS);`;
  const given = JSON.stringify(job("skipgram", corpus, folder));
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code, given], { cwd: root });
  const ours = Number(stdout) / 1024;
  const gensim = pythonPeer("embed-peer.py");
  await gensim.next();
  const { memory } = await gensim.ask({ ...settings, method: "skipgram", corpus, threads: 1 });
  gensim.stop();
  const ratio = Number((ours / memory).toFixed(3));
  return {
    ...{
      case: "most memory, one thread",
      ours: Math.round(ours),
      peer: Math.round(memory),
      peerName: "gensim",
    },
    ...{ unit: "MiB", ratio, spread: [ratio, ratio] },
  };
}

/** The median, and the peer's over ours in each round. */
function rowOf(name, ours, peer, peerName) {
  const ratios = ours.map((one, i) => peer[i] / one).sort((a, b) => a - b);
  const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
  return {
    case: name,
    ours: Math.round(median(ours)),
    peer: Math.round(median(peer)),
    peerName,
    unit: "words/s",
    ratio: Number(median(ratios).toFixed(3)),
    spread: [ratios[0], ratios.at(-1)].map((one) => Number(one.toFixed(3))),
  };
}

/** Seconds of training by a program: of two passes less those of one, which takes out its counting. */
function programSeconds(program, argumentsOf) {
  const seconds = (epochs) => {
    const begin = performance.now();
    const { status } = spawnSync(program, argumentsOf({ ...settings, epochs, threads: 1 }));
    if (status !== 0) throw new Error(`${program} ended with ${status}`);
    return (performance.now() - begin) / 1000;
  };
  const one = seconds(1);
  return seconds(2) - one;
}

/** Tokens of every fourth text, so that novels and reviews both are there. */
async function writeCorpus(path) {
  const files = await corpusFiles([
    join(data, "corpus_novels/novels.txt.gz"),
    join(data, "corpus_imdb_unsup_20k/reviews.txt.gz"),
  ]);
  const tokenize = wordTokenizer();
  const out = createWriteStream(path);
  let [words, text] = [0, 0];
  for await (const one of corpusTexts(files)) {
    if (text++ % 4 !== 0) continue;
    const tokens = [];
    tokenize(one, (token) => tokens.push(token));
    if (tokens.length === 0) continue;
    words += tokens.length;
    if (!out.write(`${tokens.join(" ")}\n`)) await new Promise((resolve) => out.once("drain", resolve));
    if (words >= WORDS) break;
  }
  await new Promise((resolve) => out.end(resolve));
  return words;
}

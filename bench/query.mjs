// A large file of word vectors: 1 000 000 words × 300 in word2vec's binary form (GRAFT_WORDS says how many;
// made for the bench, 1.2 GB in the temporary folder), loaded and asked for neighbours, against gensim 4 in
// turn. GRAFT_ROUNDS says how often (2).
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nearestOfMany, nearestWords, random, readVectorsFile, wordIndex } from "graft-ml";
import { pythonPeer } from "./python-peer.mjs";

const ROUNDS = Number(process.env.GRAFT_ROUNDS ?? 2);
const WORDS = Number(process.env.GRAFT_WORDS ?? 1_000_000);
const DIMENSION = 300;
const QUERIES = 64;

/** @param {(line: string) => void} say */
export async function run(say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-query-"));
  const path = join(folder, "large.bin");
  try {
    await writeLarge(path);
    const peer = pythonPeer("query-peer.py");
    say(`gensim ${(await peer.next()).version}; ${WORDS} × ${DIMENSION}`);
    const asked = Array.from({ length: QUERIES }, (_, i) => wordOf((i * 7919) % WORDS));
    const times = { load: [], index: [], one: [], many: [] };
    const peers = { load: [], index: [], one: [], many: [] };
    for (let round = 0; round < ROUNDS; round++) {
      const theirs = await peer.ask({ path, words: asked });
      const ours = await measured(path, asked);
      for (const key of Object.keys(times)) {
        times[key].push(ours[key]);
        peers[key].push(theirs[key]);
      }
      say(`ours ${shown(ours)}; gensim ${shown(theirs)}`);
      const same = asked.filter((_, i) => ours.found[i] === theirs.found[i]).length;
      if (same < QUERIES) say(`${QUERIES - same} of ${QUERIES} words have another nearest word`);
    }
    peer.stop();
    const names = {
      load: "load, ms",
      index: "make ready for queries, ms",
      one: "ten nearest of one word, ms",
      many: `ten nearest of ${QUERIES} words at once, ms a word`,
    };
    return Object.entries(names).map(([key, name]) => rowOf(name, times[key], peers[key]));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measured(path, asked) {
  const at = [performance.now()];
  const { vectors } = await readVectorsFile(path);
  at.push(performance.now());
  const index = wordIndex(vectors);
  nearestWords(index, asked[0]);
  at.push(performance.now());
  for (const word of asked.slice(0, 10)) nearestWords(index, word);
  at.push(performance.now());
  const found = nearestOfMany(index, asked).map(([first]) => first.word);
  at.push(performance.now());
  const [load, ready, one, many] = at.slice(1).map((time, i) => time - at[i]);
  return { load, index: ready, one: one / 10, many: many / asked.length, found };
}

const shown = ({ load, index, one, many }) =>
  `load ${Math.round(load)} ms, ready ${Math.round(index)}, one ${one.toFixed(1)}, of many ${many.toFixed(1)}`;

/** The median, and ours over the peer's in each round. */
function rowOf(name, ours, peer) {
  const ratios = ours.map((one, i) => one / peer[i]).sort((a, b) => a - b);
  const median = (all) => Number([...all].sort((a, b) => a - b)[Math.floor(all.length / 2)].toFixed(1));
  return {
    ...{ case: name, ours: median(ours), peer: median(peer), peerName: "gensim", unit: "ms" },
    ratio: Number(median(ratios).toFixed(3)),
    spread: [ratios[0], ratios.at(-1)].map((one) => Number(one.toFixed(3))),
  };
}

const wordOf = (i) => `word${i.toString(36)}`;

async function writeLarge(path) {
  const file = await open(path, "w");
  const source = random(1);
  const pool = Float32Array.from({ length: 2 ** 20 }, () => source.normal());
  await file.write(`${WORDS} ${DIMENSION}\n`);
  for (let from = 0; from < WORDS; from += 1000) {
    const parts = [];
    for (let i = from; i < Math.min(WORDS, from + 1000); i++) {
      const begin = source.integer(pool.length - DIMENSION);
      const row = pool.slice(begin, begin + DIMENSION);
      for (let d = 0; d < 8; d++) row[d] += source.normal(); // no two rows are equal
      parts.push(Buffer.from(`${wordOf(i)} `), Buffer.from(row.buffer), Buffer.from("\n"));
    }
    await file.write(Buffer.concat(parts));
  }
  await file.close();
}

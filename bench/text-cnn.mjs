// A text CNN over builtin:text's vectors against the same network over random ones (Kim 2014, CNN-non-static
// and CNN-rand) on all of TREC-6 and SST-2, official test parts. Same tokens, epochs, rate and batches; only
// the vectors differ. Intervals are of the difference, paired over seeds and test rows, both drawn anew.
// GRAFT_SEEDS=3, GRAFT_EPOCHS=5.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtinVectors, random, readVectorsFile, trainRun, wordVectors, writeVectorsFile } from "graft-ml";
import { sstRows, trecRows } from "./text-sets.mjs";

const SEEDS = Number(process.env.GRAFT_SEEDS ?? 3);
const EPOCHS = Number(process.env.GRAFT_EPOCHS ?? 5);
const DRAWS = 2000;

/** @param {(line: string) => void} say */
export async function run(say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-cnn-"));
  const { vectors } = await readVectorsFile(builtinVectors("text"));
  const source = random(0);
  const drawn = join(folder, "random.bin");
  const numbers = Float32Array.from(vectors.vectors, () => source.normal());
  await writeVectorsFile(drawn, wordVectors({ words: vectors.words, dimension: 100, vectors: numbers }));
  const sets = [trec(), sst()];
  const right = new Map();
  for (let seed = 0; seed < SEEDS; seed++)
    for (const dataset of sets)
      for (const [arm, spec] of [
        ["given", "builtin:text"],
        ["random", `vectors:${drawn}`],
      ]) {
        const begin = performance.now();
        const output = join(folder, `${dataset.source}-${arm}-${seed}`);
        const { metrics } = await trainRun(dataset, {
          output,
          architecture: { name: "text-cnn", vectors: { spec } },
          tuning: { epochs: EPOCHS, learningRate: 1e-3, batchSize: 50 },
          baselines: false,
          cache: null,
          threads: 1,
          seed,
        });
        const lines = (await readFile(join(output, "predictions.jsonl"), "utf8")).trim().split("\n");
        const key = `${dataset.source} ${arm}`;
        const test = dataset.rows.filter(({ split }) => split === "test");
        const rows = test.map(({ label }, i) => (JSON.parse(lines[i]).label === label ? 1 : 0));
        right.set(key, [...(right.get(key) ?? []), rows]);
        const seconds = ((performance.now() - begin) / 1000).toFixed(0);
        if (Math.abs(mean(rows) - metrics.test.accuracy) > 1e-9) throw new Error(`${key}: rows out of order`);
        say(`${key}, seed ${seed}: ${percent(metrics.test.accuracy)}, ${seconds} s`);
      }
  await rm(folder, { recursive: true });
  return sets.map(({ source: name }) => {
    const [given, other] = [right.get(`${name} given`), right.get(`${name} random`)];
    const [ours, peer] = [mean(given.map(mean)), mean(other.map(mean))];
    const [low, high] = interval(given, other);
    say(
      `${name}: ${percent(ours)} over given vectors, ${percent(peer)} over random ones; ${percent(ours - peer)} (${percent(low)} to ${percent(high)})`,
    );
    const error = 1 - peer;
    return {
      case: `${name}, error over given vectors`,
      ours: round(1 - ours),
      peer: round(error),
      peerName: "random vectors",
      unit: "share",
      ratio: round((1 - ours) / error),
      spread: [round((error - high) / error), round((error - low) / error)],
    };
  });
}

/** 95 % of differences over seeds and rows drawn with replacement. */
function interval(given, other) {
  const source = random(1);
  const rows = given[0].length;
  const gains = Array.from({ length: DRAWS }, () => {
    const seeds = given.map(() => source.integer(given.length));
    const places = Array.from({ length: rows }, () => source.integer(rows));
    return mean(seeds.map((s) => mean(places.map((i) => given[s][i] - other[s][i]))));
  }).sort((a, b) => a - b);
  return [gains[Math.floor(0.025 * DRAWS)], gains[Math.floor(0.975 * DRAWS)]];
}

const trec = () =>
  datasetOf("TREC-6", [...rowsOf(trecRows("train"), "train"), ...rowsOf(trecRows("test"), "test")]);
const sst = () =>
  datasetOf("SST-2", [...rowsOf(sstRows("train"), "train"), ...rowsOf(sstRows("test"), "test")]);

function rowsOf(rows, split) {
  return rows.map(({ text, label }) => ({
    ...{ where: text.slice(0, 40), input: { kind: "text", text }, label: `class ${label}` },
    ...{ split, group: null, weight: 1 },
  }));
}

function datasetOf(source, rows) {
  const classes = [...new Set(rows.map(({ label }) => label))].sort();
  return { source, task: "text-classification", classes, rows, skipped: [] };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const round = (value) => Number(value.toPrecision(3));

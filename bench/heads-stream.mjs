// A logistic head on 1 000 000 × 512 features in 10 classes (2 GB of .npy files), strength chosen too, read
// from disk: the fit's time and the process's largest resident memory. GRAFT_ROWS says another number of
// rows.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { heads, npyBlocks, npyHeader, ortRuntime, random } from "graft-ml";

const ROWS = Number(process.env.GRAFT_ROWS ?? 1_000_000);
const [COLUMNS, CLASSES, HIDDEN, MIXED] = [512, 10, 64, 6];
const SHARD_ROWS = 32_768;

/** @param {(line: string) => void} say */
export async function run(say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-stream-"));
  try {
    say(`writing ${ROWS} × ${COLUMNS} features`);
    makeShards(folder);
    const own = fileURLToPath(import.meta.url);
    const { status, stdout, stderr } = spawnSync(process.execPath, [own, folder], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    const found = JSON.parse(stdout);
    say(JSON.stringify(found));
    const of = { case: `logistic, ${ROWS} × ${COLUMNS} from disk`, peer: null, peerName: null, ratio: null };
    return [
      { ...of, ours: found.seconds, unit: "s", spread: [found.seconds] },
      { ...of, ours: found.megabytes, unit: "MB resident at most", spread: [found.megabytes] },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Rectified mixtures of hidden features whose means depend on the class, and noise: correlated as a network's
 * are.
 */
function makeShards(folder) {
  const source = random(1);
  const table = Float32Array.from({ length: 2 ** 20 }, () => source.normal());
  const mixing = Float32Array.from({ length: COLUMNS * MIXED }, () => source.normal());
  const places = Int32Array.from({ length: COLUMNS * MIXED }, () => source.integer(HIDDEN));
  const means = Float32Array.from({ length: CLASSES * HIDDEN }, () => 0.25 * source.normal());
  const labels = Int32Array.from({ length: ROWS }, () => source.integer(CLASSES));
  const hidden = new Float32Array(HIDDEN);
  for (let from = 0, shard = 0; from < ROWS; from += SHARD_ROWS, shard++) {
    const count = Math.min(SHARD_ROWS, ROWS - from);
    const data = new Float32Array(count * COLUMNS);
    for (let i = 0; i < count; i++) {
      const drawn = source.integer(table.length - HIDDEN);
      for (let h = 0; h < HIDDEN; h++)
        hidden[h] = (table[drawn + h] + means[labels[from + i] * HIDDEN + h]) / Math.sqrt(1 + h);
      const noise = source.integer(table.length - COLUMNS);
      for (let j = 0; j < COLUMNS; j++) {
        let sum = 0.05 * table[noise + j];
        for (let m = j * MIXED; m < (j + 1) * MIXED; m++) sum += mixing[m] * hidden[places[m]];
        data[i * COLUMNS + j] = Math.max(0, sum);
      }
    }
    const file = openSync(join(folder, `features-${String(shard).padStart(5, "0")}.npy`), "w");
    writeSync(file, npyHeader([count, COLUMNS]));
    writeSync(file, new Uint8Array(data.buffer));
    closeSync(file);
  }
  writeFileSync(join(folder, "labels.i32"), new Uint8Array(labels.buffer));
}

async function fitShards(folder) {
  const { readFileSync } = await import("node:fs");
  const names = readdirSync(folder).filter((name) => name.endsWith(".npy"));
  const source = await npyBlocks(names.sort().map((name) => join(folder, name)));
  let passes = 0;
  const counted = {
    ...source,
    blocks(size) {
      passes++;
      return source.blocks(size);
    },
  };
  const labels = new Int32Array(new Uint8Array(readFileSync(join(folder, "labels.i32"))).buffer);
  const runtime = await ortRuntime({ spinning: false });
  const begin = performance.now();
  const context = { classes: CLASSES, random: random(0), runtime };
  const fitted = await heads.logistic.fitBlocks(counted, labels, {}, context);
  const seconds = (performance.now() - begin) / 1000;
  const [first] = await source
    .blocks(4096)
    [Symbol.asyncIterator]()
    .next()
    .then(({ value }) => [value]);
  const p = fitted.predict(first);
  let right = 0;
  for (let i = 0; i < first.rows; i++) {
    const own = p.data.subarray(i * CLASSES, (i + 1) * CLASSES);
    if (own.indexOf(Math.max(...own)) === labels[i]) right++;
  }
  await runtime.close();
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const megabytes = Math.round(maxRSS / 1024);
  const cpu = (userCPUTime + systemCPUTime) / 1e6;
  console.log(
    JSON.stringify({ seconds, cpu, megabytes, passes, accuracy: right / first.rows, ...fitted.chosen }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await fitShards(process.argv[2]);

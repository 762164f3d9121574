import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { float32, heads, type Matrix, matrix, random, writeNpy } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ortRuntime } from "../runtime/index.ts";
import { npyBlocks } from "./npy-blocks.ts";

const program = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
const isBuilt = existsSync(program);
if (!isBuilt) console.info("heads from disk: not built (npx tsc -b), so memory is not measured");

const [SHARDS, SHARD_ROWS, COLUMNS, CLASSES] = [20, 16_384, 256, 3];
let folder: string;
const shard = (s: number) => join(folder, `features-${String(s).padStart(5, "0")}.npy`);
const labelOf = (row: number) => row % CLASSES;
const labels = (rows: number) => Int32Array.from({ length: rows }, (_, i) => labelOf(i));

/** Correlated features with a little of the class in each. */
function rowsOf(s: number): Matrix {
  const source = random(s);
  const table = Float32Array.from({ length: 65_536 }, () => source.normal());
  const features = matrix(SHARD_ROWS, COLUMNS);
  for (let i = 0; i < SHARD_ROWS; i++) {
    const at = source.integer(table.length - COLUMNS);
    const common = source.normal();
    const own = labelOf(s * SHARD_ROWS + i);
    for (let j = 0; j < COLUMNS; j++)
      features.data[i * COLUMNS + j] = table[at + j]! + common + (j % CLASSES === own ? 0.08 : 0);
  }
  return features;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-stream-"));
  for (let s = 0; s < SHARDS; s++)
    await writeFile(shard(s), writeNpy(float32([SHARD_ROWS, COLUMNS], rowsOf(s).data)));
});
afterAll(() => rm(folder, { recursive: true }));

/** Fits the first so many files and prints the peak of memory in MB. */
const script = `
  const graft = await import(${JSON.stringify(program)});
  const [classes, ...files] = process.argv.slice(1);
  const source = await graft.npyBlocks(files);
  const labels = Int32Array.from({ length: source.rows }, (_, i) => i % Number(classes));
  const runtime = await graft.ortRuntime({ threads: 1, spinning: false });
  const context = { classes: Number(classes), random: graft.random(1), runtime };
  await graft.heads.logistic.fitBlocks(source, labels, { strength: 1 }, context);
  await runtime.close();
  console.log(process.resourceUsage().maxRSS / 1024);
`;

describe("a logistic head on features on disk", () => {
  test.skipIf(!isBuilt)("four times as many rows take hardly more memory", () => {
    const peak = (shards: number) => {
      const files = Array.from({ length: shards }, (_, s) => shard(s));
      const args = ["--input-type=module", "--eval", script, String(CLASSES), ...files];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
      expect(status, stderr).toBe(0);
      return Number(stdout);
    };
    // When garbage is collected is chance, and adds up to 50 MB to a peak: the least of three is what is needed.
    const least = (shards: number) => Math.min(peak(shards), peak(shards), peak(shards));
    const few = least(SHARDS / 4);
    const many = least(SHARDS);
    const rows = SHARDS * SHARD_ROWS;
    console.info(`heads: ${few.toFixed(0)} MB for ${rows / 4} rows, ${many.toFixed(0)} MB for ${rows}`);
    // The features themselves are 84 MB and 336 MB; the sample that steers the search is as large for both.
    expect(many - few).toBeLessThan(60);
  });

  test("is the head that the same features in memory give", async () => {
    const source = await npyBlocks([shard(0), shard(1)]);
    const features = matrix(source.rows, source.columns);
    let at = 0;
    for await (const block of source.blocks(5000)) {
      features.data.set(block.data, at);
      at += block.data.length;
    }
    const runtime = await ortRuntime({ spinning: false });
    const context = () => ({ classes: CLASSES, random: random(1), runtime });
    const settings = { tolerance: 1e-8 };
    const inMemory = await heads.logistic.fit(features, labels(source.rows), settings, context());
    const streamed = await heads.logistic.fitBlocks!(source, labels(source.rows), settings, context());
    await runtime.close();
    expect(streamed.chosen.strength).toBe(inMemory.chosen.strength);
    const [a, b] = [streamed.predict(features).data, inMemory.predict(features).data];
    let worst = 0;
    for (const [i, p] of a.entries()) worst = Math.max(worst, Math.abs(p - b[i]!));
    expect(worst).toBeLessThan(1e-4);
  });
});

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { random } from "@graft-ml/core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
const isBuilt = existsSync(program);
if (!isBuilt) console.info("extract: not built (npx tsc -b), so memory is not measured");

let folder: string;
const COUNT = 1500;
const SIDE = 64;

/** Extracts the first so many photos as raw pixels of 96 × 96, 110 kB a row, and prints the peak of memory in MB. */
const script = `
  const graft = await import(${JSON.stringify(program)});
  const [photos, count] = process.argv.slice(1);
  const rows = Array.from({ length: Number(count) }, (_, i) => ({
    where: String(i), input: { kind: "image", path: photos + "/" + i + ".png" },
    label: null, split: null, group: null, weight: 1,
  }));
  const runtime = await graft.ortRuntime({ threads: 1 });
  const extracted = await graft.extractFeatures({
    rows, model: graft.writeModel(graft.rawPixelTrunk({ size: 96 })), preprocessor: graft.rawPixels({ size: 96 }), runtime,
    modelHash: "none", layer: "pixels", cache: null, batchSize: 8,
  });
  let seen = 0;
  for await (const block of extracted.blocks(64)) seen += block.rows;
  if (seen !== rows.length || extracted.computed !== rows.length) throw new Error("rows are missing");
  await extracted.close();
  await runtime.close();
  console.log(process.resourceUsage().maxRSS / 1024);
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-memory-"));
  await mkdir(join(folder, "photos"));
  const source = random(5);
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let i = 0; i < COUNT; i++) {
    for (let k = 0; k < 200; k++) pixels[source.integer(pixels.length)] = source.integer(256);
    await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png({ compressionLevel: 1 })
      .toFile(join(folder, "photos", `${i}.png`));
  }
});

afterAll(() => rm(folder, { recursive: true }));

test.skipIf(!isBuilt)("ten times as many rows take no more memory", () => {
  const peak = (count: number) => {
    const args = ["--input-type=module", "--eval", script, join(folder, "photos"), String(count)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    return Number(stdout);
  };
  const few = peak(COUNT / 10);
  const many = peak(COUNT);
  console.info(`extract: ${few.toFixed(0)} MB for ${COUNT / 10} rows, ${many.toFixed(0)} MB for ${COUNT}`);
  // All features of the larger set are 166 MB, all pixels as tensors as much again.
  expect(many - few).toBeLessThan(100);
});

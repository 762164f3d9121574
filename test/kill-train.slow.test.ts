import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build, emptyGraph, float32, modelOf, random, writeModel } from "@graft-ml/core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = fileURLToPath(new URL("../packages/node/bin/graft.js", import.meta.url));
const isBuilt = existsSync(fileURLToPath(new URL("../packages/node/dist/cli/main.js", import.meta.url)));
if (!isBuilt) console.info("train: not built (npx tsc -b), so kill -9 is not tested");

let folder: string;
const SIDE = 24;

/** Two convolutions and an average: [batch, 3, 24, 24] to features [batch, 12]. */
function network(): Uint8Array {
  const graph = emptyGraph("net");
  const b = build(graph);
  const source = random(1);
  const normal = (...shape: number[]) =>
    float32(
      shape,
      Float32Array.from({ length: shape.reduce((x, y) => x * y) }, () => 0.3 * source.normal()),
    );
  const x = b.input("pixel_values", "float32", ["batch", 3, SIDE, SIDE]);
  const one = b.apply("Relu", [b.apply("Conv", [x, b.constant(normal(8, 3, 3, 3), "conv1.weight")])]);
  const two = b.apply("Relu", [b.apply("Conv", [one, b.constant(normal(12, 8, 3, 3), "conv2.weight")])]);
  const features = b.apply("Flatten", [b.apply("GlobalAveragePool", [two])], {}, { name: "pooled" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", 12] }));
  return writeModel(modelOf(graph));
}

/** Lying and standing stripes under noise. */
async function photo(path: string, isStanding: boolean, seed: number): Promise<void> {
  const source = random(seed);
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
    const [y, x] = [Math.floor(i / 3 / SIDE), Math.floor(i / 3) % SIDE];
    return ((isStanding ? x : y) % 6 < 3 ? 60 : 120) + source.integer(100);
  });
  await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toFile(path);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-kill-train-"));
  for (const [c, name] of ["lying", "standing"].entries()) {
    await mkdir(join(folder, "photos", name), { recursive: true });
    for (let i = 0; i < 40; i++)
      await photo(join(folder, "photos", name, `${String(i).padStart(2, "0")}.png`), c === 1, 100 * c + i);
  }
  await mkdir(join(folder, "net"));
  await writeFile(join(folder, "net", "model.onnx"), network());
  const preprocessing = { do_resize: false, do_rescale: true, rescale_factor: 1 / 255, do_normalize: false };
  const size = { size: { height: SIDE, width: SIDE } };
  await writeFile(
    join(folder, "net", "preprocessor_config.json"),
    JSON.stringify({ ...preprocessing, ...size }),
  );
});

afterAll(() => rm(folder, { recursive: true }));

function training(output: string, cache: string) {
  const settings = "--method lp-ft --epochs 6 --learning-rate 0.001 --depth 1 --scratch no --threads 1";
  const args = ["train", join(folder, "photos"), "--backbone", join(folder, "net"), "--output", output];
  const child = spawn(
    process.execPath,
    [program, ...args, ...settings.split(" "), "--head", "logistic", "--quiet"],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, GRAFT_CACHE: cache },
    },
  );
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  return { kill: () => child.kill("SIGKILL"), ended };
}

/** A file without what differs between any two runs: times, and the name of the folder. */
async function content(output: string, name: string): Promise<string> {
  const bytes = await readFile(join(output, name));
  if (name === "metrics.json" || name === "report.json")
    return JSON.stringify({ ...JSON.parse(bytes.toString()), timing: null, command: null });
  return bytes.toString("base64");
}

test.skipIf(!isBuilt)(
  "kill -9 at ten random moments of a train run: the next run finishes with the same bytes",
  async () => {
    const undisturbed = join(folder, "undisturbed");
    const begin = performance.now();
    expect(await training(undisturbed, join(folder, "cache")).ended).toBe(0);
    const milliseconds = performance.now() - begin;
    const moments = random(7);
    const names = (await readdir(undisturbed)).filter(
      (name) => !/^(report\.html|README\.md|log\.jsonl)$/.test(name),
    );
    expect(names).toContain("metrics.json");
    for (let i = 0; i < 10; i++) {
      const output = join(folder, `killed-${i}`);
      const cache = join(folder, `cache-${i}`);
      const killed = training(output, cache);
      await sleep(moments.uniform() * milliseconds);
      killed.kill();
      await killed.ended;
      expect(await training(output, cache).ended).toBe(0);
      expect((await readdir(output)).sort()).toEqual((await readdir(undisturbed)).sort());
      for (const name of names)
        expect(await content(output, name), `${name} after kill ${i}`).toBe(await content(undisturbed, name));
    }
  },
);

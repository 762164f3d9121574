import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
const isBuilt = existsSync(program);
if (!isBuilt) console.info("training: not built (npx tsc -b), so kill -9 is not tested");

let folder: string;

/** Trains a small network with the method, threads, checkpoint folder and file for the model given as arguments. */
const script = `
  const g = await import(${JSON.stringify(program)});
  const { writeFileSync } = await import("node:fs");
  const [method, threads, checkpointFolder, output] = process.argv.slice(1);
  const graph = g.emptyGraph("trunk");
  const b = g.build(graph);
  const w = (name, seed, shape, scale, around = 0) => {
    const source = g.random(seed);
    const size = shape.reduce((x, y) => x * y);
    return b.constant(g.float32(shape, Array.from({ length: size }, () => around + scale * source.normal())), name);
  };
  let x = b.input("x", "float32", ["batch", 1, 16, 16]);
  const pads = [1, 1, 1, 1];
  x = b.apply("Conv", [x, w("block.0.weight", 1, [16, 1, 3, 3], 0.4), w("block.0.bias", 2, [16], 0.1)], { pads });
  x = b.apply("Conv", [b.apply("Relu", [x]), w("block.1.weight", 3, [32, 16, 3, 3], 0.1)], { pads, strides: [2, 2] });
  const norm = [1, 0, 0, 1].map((around, i) => w("block.1.norm." + i, 4 + i, [32], 0.05, around));
  x = b.apply("Relu", [b.apply("BatchNormalization", [x, ...norm])]);
  x = b.apply("Flatten", [b.apply("GlobalAveragePool", [x])], {}, { name: "features" });
  graph.outputs.push(Object.assign(x, { dtype: "float32", shape: ["batch", 32] }));
  const rows = Array.from({ length: 48 }, (_, i) => ({
    where: "row " + i, input: { kind: "text", text: String(i) }, label: i % 2 ? "a" : "b", split: null, group: null, weight: 1,
  }));
  const preprocessor = {
    kind: "image", fingerprint: "noise",
    async prepare(inputs, change) {
      const data = inputs.flatMap(({ text }, i) => {
        const source = g.random(Number(text));
        const by = change ? change.random(i).normal() : 0;
        return Array.from({ length: 256 }, (_, k) => source.normal() + by + (Number(text) % 2 ? k % 3 : 0));
      });
      return { x: g.float32([inputs.length, 1, 16, 16], data) };
    },
    files: () => ({}),
  };
  const runtime = await g.ortRuntime({ threads: Number(threads), spinning: false });
  let steps = 0;
  const tuned = await g.fineTune({
    trunk: g.modelOf(graph), preprocessor, runtime, rows, classes: ["a", "b"], method,
    settings: { batchSize: 8, learningRate: 0.01, epochs: 12, depth: 1, flip: true, ema: 0.9 },
    checkpointFolder, checkpointEvery: 1,
    onProgress: (task) => { if (/trial|training/.test(task)) steps++; },
  });
  writeFileSync(output, g.writeModel(tuned.model));
  console.log(steps);
  await runtime.close();
`;

function training(method: string, threads: number, checkpoints: string, output: string) {
  const args = ["--input-type=module", "--eval", script, method, String(threads), checkpoints, output];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  const ended = new Promise<number>((resolve) =>
    child.on("exit", (code) => resolve(code === 0 ? Number(text) : -1)),
  );
  return { kill: () => child.kill("SIGKILL"), ended };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-train-"));
});
afterAll(() => rm(folder, { recursive: true }));

// Products of matrices add in another order on another number of threads, so each run keeps to one.
test.skipIf(!isBuilt).each([
  ["lp-ft", 1],
  ["lp-ft", 2],
  ["scratch", 2],
] as const)(
  "%s on %s threads: kill -9 at random moments; the next run ends in the same bytes",
  async (method, threads) => {
    const stem = join(folder, `${method}-${threads}`);
    const begin = performance.now();
    const steps = await training(method, threads, `${stem}-whole`, `${stem}.onnx`).ended;
    const milliseconds = performance.now() - begin;
    const whole = await readFile(`${stem}.onnx`);
    expect(steps).toBeGreaterThan(50);
    const moments = random(7);
    let spared = 0;
    for (let i = 0; i < 5; i++) {
      const checkpoints = `${stem}-${i}`;
      const output = `${stem}-${i}.onnx`;
      // Killed twice on the way, so that a resumed training is resumed again.
      for (let kill = 0; kill < 2; kill++) {
        const killed = training(method, threads, checkpoints, output);
        await sleep((0.4 + 0.6 * moments.uniform()) * milliseconds);
        killed.kill();
        await killed.ended;
      }
      const rest = await training(method, threads, checkpoints, output).ended;
      expect(rest).toBeGreaterThanOrEqual(0);
      spared += steps - rest;
      expect((await readFile(output)).equals(whole), `after kill ${i}`).toBe(true);
      expect(await readdir(checkpoints)).toEqual([]);
    }
    expect(spared).toBeGreaterThan(0); // some of it went on where it was
  },
);

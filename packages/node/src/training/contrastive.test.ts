import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  architectures,
  featureModel,
  int64,
  type Preprocessor,
  type Row,
  random,
  writeModel,
} from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { type FineTuned, type FineTuneOptions, fineTune } from "./index.ts";
import { contrastPairs } from "./pairs.ts";

let runtime: OrtRuntime;
beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1, spinning: false });
});
afterAll(() => runtime.close());

const classes = ["one-two", "two-one"];
const words = (text: string) => text.split(" ").map(Number);
const tokens: Preprocessor = {
  kind: "text",
  fingerprint: "tokens",
  extentOf: (input) => 4 * Math.ceil(words((input as { text: string }).text).length / 4),
  async prepare(inputs) {
    const extent = Math.max(...inputs.map((input) => tokens.extentOf!(input)));
    const shape = [inputs.length, extent];
    const ids = inputs.flatMap((input) => {
      const all = words((input as { text: string }).text);
      return Array.from({ length: extent }, (_, i) => all[i] ?? 0);
    });
    return {
      input_ids: int64(shape, ids),
      attention_mask: int64(
        shape,
        ids.map((id) => (id > 0 ? 1 : 0)),
      ),
    };
  },
  files: () => ({}),
};
/** Two words of a text say the class by their order, which a bag of words does not see. */
const texts = (from: number, count: number): Row[] =>
  Array.from({ length: count }, (_, i) => {
    const source = random(from + i);
    const y = (from + i) % 2;
    const noise = Array.from({ length: 1 + source.integer(5) }, () => 3 + source.integer(8));
    return {
      where: `text ${from + i}`,
      input: { kind: "text", text: [...(y ? [1, 2] : [2, 1]), ...noise].join(" ") },
      label: classes[y]!,
      split: null,
      group: null,
      weight: 1,
    };
  });
const { model: trunk } = featureModel(
  architectures["transformer-small"].build(
    { vocabulary: 12, length: 12, width: 16, depth: 1, heads: 2 },
    random(1),
  ),
);
const usual = (more: Partial<FineTuneOptions> = {}): FineTuneOptions => ({
  trunk,
  preprocessor: tokens,
  runtime,
  rows: texts(0, 60),
  classes,
  method: "contrastive",
  settings: { epochs: 3, learningRate: 3e-3, batchSize: 8, pairs: 60 },
  ...more,
});

/** Share of other texts that are right, and the mean cosines within classes and between them. */
async function judged({ model }: FineTuned) {
  const rows = texts(5000, 40);
  const session = await runtime.load(writeModel(model));
  const { probabilities, features } = await session.run(await tokens.prepare(rows.map(({ input }) => input)));
  await session.close();
  const p = probabilities!.data as Float32Array;
  const width = features!.shape[1]!;
  const vector = (i: number) => (features!.data as Float32Array).subarray(i * width, (i + 1) * width);
  const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const sums = { within: 0, between: 0 };
  for (let i = 0; i < 40; i++)
    for (let j = 0; j < i; j++)
      sums[(i - j) % 2 === 0 ? "within" : "between"] += cosine(vector(i), vector(j));
  const right = rows.filter(({ label }, i) => p[2 * i + classes.indexOf(label!)]! > 0.5).length;
  return { right: right / 40, within: sums.within / 380, between: sums.between / 400 };
}
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe("contrastive tuning", () => {
  test("brings texts of one class together and parts the classes, so that a head tells what it could not before", async () => {
    const before = await judged(await fineTune(usual({ method: "probe", settings: {} })));
    const tuned = await fineTune(usual());
    const after = await judged(tuned);
    expect(before.right).toBeLessThan(0.9);
    expect(before.within - before.between).toBeLessThan(0.1);
    expect(after.right).toBeGreaterThan(0.95);
    expect(after.within - after.between).toBeGreaterThan(0.7);
    expect(tuned.reason).toMatch(
      /pairs of rows \(contrastive\), 3 epochs at 0.003, then a head: as asked for/,
    );
    expect(tuned.model.graph.outputs.map(({ name }) => name)).toEqual(["probabilities", "features"]);
  });

  test("chooses rate and passes on held-out training rows, and keeps the probe where none is better", async () => {
    const settings = { batchSize: 8, pairs: 60 };
    const { trials, chosen } = await fineTune(usual({ settings }));
    expect(trials.map(({ rate }) => rate)).toEqual([1e-3, 1e-4]);
    expect(trials.every(({ losses, folds }) => folds.every((one) => one.length === losses.length))).toBe(
      true,
    );
    expect(chosen.epochs).toBe(1);
    const gains = trials.map(({ losses }) => losses[0]! - losses[1]!);
    expect(chosen.learningRate).toBe(gains[0]! > gains[1]! ? 1e-3 : 1e-4);
    const hopeless = await fineTune(usual({ settings: { ...settings, learningRate: 1e-12, pairs: 1 } }));
    expect(hopeless.chosen.epochs).toBe(0);
    expect(hopeless.reason).toMatch(/stays frozen/);
  });

  test("is stopped anywhere and ends in the same bytes", async () => {
    const checkpointFolder = await mkdtemp(join(tmpdir(), "graft-contrastive-"));
    const options = usual({ settings: { batchSize: 8, pairs: 8 }, checkpointEvery: 1 });
    const undisturbed = await fineTune(options);
    const controller = new AbortController();
    let steps = 0;
    const onProgress = (task: string) => {
      if (/trial|training/.test(task) && ++steps === 7) controller.abort();
    };
    const stopped = fineTune({ ...options, checkpointFolder, onProgress, signal: controller.signal });
    await expect(stopped).rejects.toThrow();
    const resumed = await fineTune({ ...options, checkpointFolder });
    expect(Buffer.from(writeModel(resumed.model)).equals(Buffer.from(writeModel(undisturbed.model)))).toBe(
      true,
    );
    expect(resumed.trials).toEqual(undisturbed.trials);
    await rm(checkpointFolder, { recursive: true });
  });
});

test("pairs are as many within each class as with others, and never a row with itself where there are two", () => {
  const labels = Int32Array.of(0, 1, 0, 2, 1, 0, 1);
  const rows = Int32Array.of(0, 1, 2, 4, 5); // row 3, the only one of class 2, is held out
  const pairs = contrastPairs(rows, labels, { count: 7, random: random(3) });
  expect(pairs.filter(({ target }) => target === 1)).toHaveLength(14);
  expect(pairs.filter(({ target }) => target === 0)).toHaveLength(14);
  for (const { u, v, target } of pairs) {
    expect(rows).toContain(u);
    expect(rows).toContain(v);
    expect(u).not.toBe(v);
    expect(labels[u] === labels[v]).toBe(target === 1);
  }
  const alone = contrastPairs(Int32Array.of(3), labels, { count: 2, random: random(3) });
  expect(alone).toEqual([
    { u: 3, v: 3, target: 1 },
    { u: 3, v: 3, target: 1 },
  ]);
});

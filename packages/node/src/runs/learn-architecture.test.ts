import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Dataset } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { openRun, type TrainRunOptions, trainRun } from "./index.ts";

let runtime: OrtRuntime;
let folder: string;
beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1, spinning: false });
  folder = await mkdtemp(join(tmpdir(), "graft-architecture-"));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

/** Sentences whose class is the order of two words, which no bag of words can tell. */
function sentences(): Dataset {
  const others = "one two three four five six seven eight nine ten".split(" ");
  const rows = Array.from({ length: 80 }, (_, i) => {
    const [a, b] = [others[i % 10]!, others[Math.floor(i / 10)]!];
    const isUp = (i * 7 + Math.floor(i / 3)) % 2 === 0;
    const text = isUp ? `${a} low then high ${b}` : `${a} high then low ${b}`;
    const split = i < 60 ? ("train" as const) : ("test" as const);
    const input = { kind: "text" as const, text };
    return { where: `row ${i}`, input, label: isUp ? "up" : "down", split, group: null, weight: 1 };
  });
  return { source: "orders", task: "text-classification", classes: ["down", "up"], rows, skipped: [] };
}

const usual = (output: string): TrainRunOptions => ({
  output: join(folder, output),
  runtime,
  cache: null,
  method: "scratch",
  architecture: { name: "text-cnn", settings: { width: 16, filters: 8, vocabulary: 60 } },
  tuning: { epochs: 10, learningRate: 0.01 },
});

describe("training an architecture from nothing", () => {
  test("learns what the baselines cannot, and the run predicts and verifies with its own tokenizer", async () => {
    const { metrics, config, folder: path } = await trainRun(sentences(), usual("orders"));
    expect(metrics.test.accuracy).toBeGreaterThan(0.9);
    expect(metrics.chosen).toMatchObject({ backbone: "none", layer: "pooled", method: "scratch" });
    expect(config.reason).toMatch(/drawn anew/);
    const run = await openRun(path, { runtime });
    expect((await run.verify()).drifted).toEqual([]);
    const rows = sentences()
      .rows.slice(0, 2)
      .map((row, i) => ({
        ...row,
        input: { kind: "text" as const, text: i === 0 ? "it was low then high" : "it was high then low" },
      }));
    const { predictions } = await run.predict(rows);
    expect(predictions.map(({ label }) => label)).toEqual(["up", "down"]);
    await run.close();
  });

  test("refuses data of another kind, methods that need something pretrained, and a second backbone", async () => {
    const wrong = (more: Partial<TrainRunOptions>) => trainRun(sentences(), { ...usual("wrong"), ...more });
    await expect(wrong({ architecture: { name: "resnet-small" } })).rejects.toThrow(
      /takes images, but the data are texts; take text-cnn or transformer-small/,
    );
    await expect(wrong({ architecture: { name: "vgg" } })).rejects.toThrow(/there are .*resnet-small/);
    await expect(wrong({ method: "lora" })).rejects.toThrow(/the method for it is scratch/);
    await expect(wrong({ backbones: ["run:x"] })).rejects.toThrow(/leave out one of the two/);
  });
});

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Dataset, GIVEN_EMBEDDINGS, random, wordVectors } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import type { VectorTraining } from "../sources/index.ts";
import { writeVectorsFile } from "../words/index.ts";
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

  describe("over given word vectors", () => {
    const ups = ["up", "rise", "climb", "soar", "lift", "grow"];
    const downs = ["down", "fall", "sink", "drop", "lower", "shrink"];
    /** Words of one direction have like vectors; the test texts use those that no training text has. */
    const directions = (): Dataset => {
      const rows = Array.from({ length: 72 }, (_, i) => {
        const isTrain = i < 48;
        const word = [downs, ups][i % 2]![(isTrain ? 0 : 3) + (Math.floor(i / 2) % 3)]!;
        const text = `it will ${word} ${["soon", "again", "today"][i % 3]}`;
        const input = { kind: "text" as const, text };
        const split = isTrain ? ("train" as const) : ("test" as const);
        return { where: `row ${i}`, input, label: i % 2 ? "up" : "down", split, group: null, weight: 1 };
      });
      return {
        source: "directions",
        task: "text-classification",
        classes: ["down", "up"],
        rows,
        skipped: [],
      };
    };
    const file = () => join(folder, "directions.txt");
    beforeAll(async () => {
      const source = random(1);
      const words = [...ups, ...downs, "it", "will"];
      const data = words.flatMap((word) =>
        Array.from({ length: 8 }, (_, d) =>
          d === 0 ? (ups.includes(word) ? 2 : downs.includes(word) ? -2 : 0) : 0.3 * source.normal(),
        ),
      );
      await writeVectorsFile(file(), wordVectors({ words, dimension: 8, vectors: Float32Array.from(data) }));
    });
    const over = (output: string, training: VectorTraining, name = "text-cnn"): TrainRunOptions => ({
      ...usual(output),
      architecture: {
        name,
        settings: name === "text-cnn" ? { filters: 8 } : { heads: 2, depth: 1 },
        vectors: { spec: `vectors:${file()}`, training },
      },
    });
    const givenIn = async (path: string) => {
      const run = await openRun(path, { runtime });
      expect((await run.verify()).drifted).toEqual([]);
      await run.close();
      return new Map([...run.model.graph.initializers].map(([{ name }, tensor]) => [name, tensor]));
    };

    test("words that no training text has are known by their vectors, frozen ones to the bit", async () => {
      const frozen = await trainRun(directions(), over("frozen", "frozen"));
      expect(frozen.metrics.test.accuracy).toBe(1);
      expect(frozen.metrics.transfer!.gain).toBeGreaterThan(0.1);
      expect(frozen.metrics.chosen).toMatchObject({ backbone: `vectors:${file()}`, method: "scratch" });
      expect(frozen.config.reason).toMatch(/the vectors of words are those of directions.txt/);
      const tables = await givenIn(frozen.folder);
      // The special tokens and the words without a vector learn; the 14 with one do not.
      expect(tables.get("embeddings.weight")!.shape).toEqual([3 + 3, 8]);
      const given = tables.get(GIVEN_EMBEDDINGS)!;
      expect(given.shape).toEqual([14, 8]);
      const square = (given.data as Float32Array).reduce((sum, value) => sum + value * value, 0);
      expect(Math.sqrt(square / (14 * 8))).toBeCloseTo(0.02, 6);
    });

    test("tuned ones learn where training texts have them; the others stay beside them", async () => {
      const tuned = await trainRun(directions(), over("tuned", "tuned"));
      expect(tuned.metrics.test.accuracy).toBeGreaterThan(0.9);
      const tables = await givenIn(tuned.folder);
      expect(tables.get("embeddings.weight")!.shape).toEqual([3 + 8 + 3, 8]);
      expect(tables.get(GIVEN_EMBEDDINGS)!.shape).toEqual([6, 8]);
    });

    test("frozen first, they learn in a second stage; the transformer takes vectors, too", async () => {
      const options = over("both", "frozen-then-tuned", "transformer-small");
      const { metrics, folder: path } = await trainRun(directions(), options);
      expect(metrics.test.accuracy).toBeGreaterThan(0.9);
      const log = await readFile(join(path, "log.jsonl"), "utf8");
      expect(log).toContain("training-stage0");
      expect(log).toContain("training-stage1");
      await givenIn(path);
    });

    test("what vectors cannot go with is refused", async () => {
      const wrong = (architecture: object) =>
        trainRun(directions(), {
          ...usual("wrong"),
          architecture: { name: "text-cnn", vectors: { spec: `vectors:${file()}` }, ...architecture },
        });
      await expect(wrong({ settings: { width: 16 } })).rejects.toThrow(/width follows from the word vectors/);
      await expect(wrong({ init: "run:x" })).rejects.toThrow(/leave one out/);
      await expect(wrong({ vectors: { spec: "vectors:none.txt" } })).rejects.toThrow(/none.txt/);
    });
  });
});

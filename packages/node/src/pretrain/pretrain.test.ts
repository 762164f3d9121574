import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Dataset, parametersOf, type Row, random, readModel, writeSafetensors } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRun, trainRun, verifyRun } from "../runs/index.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { openSource } from "../sources/index.ts";
import { type PretrainMetrics, type PretrainRunOptions, pretrainRun } from "./index.ts";

let runtime: OrtRuntime;
let folder: string;
beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1, spinning: false });
  folder = await mkdtemp(join(tmpdir(), "graft-pretrain-"));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

const SIDE = 16;
const ORIENTATIONS = ["lying", "rising", "standing"];

/** Grey images of stripes, somewhere and under noise, in one raw file; the class is which way they run. */
async function stripes(
  name: string,
  { train, test, seed, noise }: { train: number; test: number; seed: number; noise: number },
): Promise<Dataset> {
  const source = random(seed);
  const bytes = new Uint8Array((train + test) * SIDE * SIDE);
  const path = join(folder, `${name}.raw`);
  const rows = Array.from({ length: train + test }, (_, i): Row => {
    const shift = source.integer(4);
    for (let at = 0; at < SIDE * SIDE; at++) {
      const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
      const along = [y, x + y, x][i % 3]!;
      const value = ((along + shift) % 4 < 2 ? 150 : 105) + noise * source.normal();
      bytes[i * SIDE * SIDE + at] = Math.min(255, Math.max(0, value));
    }
    return {
      where: `${name} ${i}`,
      input: { kind: "raw", path, offset: i * SIDE * SIDE, height: SIDE, width: SIDE, channels: 1 },
      label: ORIENTATIONS[i % 3]!,
      split: i < train ? "train" : "test",
      group: null,
      weight: 1,
    };
  });
  await writeFile(path, bytes);
  return { source: name, task: "image-classification", classes: ORIENTATIONS, rows, skipped: [] };
}

const architecture = {
  name: "resnet-small",
  settings: { size: SIDE, channels: 1, width: 8, stages: 2, depth: 1 },
};
const usual = (output: string, more: Partial<PretrainRunOptions> = {}): PretrainRunOptions => ({
  output: join(folder, output),
  architecture,
  runtime,
  settings: { epochs: 2, batchSize: 8, learningRate: 0.01 },
  ...more,
});
const bytesOf = (run: string) => readFile(join(folder, run, "model.onnx"));

describe("pretraining on labels", () => {
  test("makes a backbone on which a few labels of another set are worth more than a network from nothing", async () => {
    const source = await stripes("source", { train: 150, test: 30, seed: 1, noise: 20 });
    const { metrics } = await pretrainRun(
      source,
      usual("source", { settings: { epochs: 6, batchSize: 16, learningRate: 0.01 } }),
    );
    expect((metrics as { test: { accuracy: number } }).test.accuracy).toBeGreaterThan(0.9);
    const target = await stripes("target", { train: 9, test: 60, seed: 2, noise: 35 });
    const common = { runtime, cache: null, baselines: false };
    const transferred = await trainRun(target, {
      ...common,
      output: join(folder, "transferred"),
      backbones: [`run:${join(folder, "source")}`],
      method: "probe",
    });
    const scratch = await trainRun(target, {
      ...common,
      output: join(folder, "scratch"),
      architecture,
      tuning: { epochs: 30, batchSize: 8 },
    });
    expect(transferred.metrics.chosen.layer).toBe("pooled");
    expect(transferred.metrics.test.accuracy).toBeGreaterThan(scratch.metrics.test.accuracy + 0.1);
  });
});

describe("pretraining images without labels", () => {
  test.each(["autoencode", "denoise"] as const)(
    "by %s beats the mean image on rows held out, and looks at no label",
    async (objective) => {
      const data = await stripes("images", { train: 60, test: 12, seed: 3, noise: 10 });
      const settings = { epochs: 20, batchSize: 16, learningRate: 0.01, noise: 0.1, hidden: 0.1 };
      const unlabelled = { ...data, classes: [], rows: data.rows.map((row) => ({ ...row, label: null })) };
      const {
        metrics,
        config,
        folder: path,
      } = await pretrainRun(unlabelled, usual(objective, { objective, settings }));
      const { heldOut, rows, losses } = metrics as PretrainMetrics;
      expect(rows).toEqual({ train: 60, heldOut: 12 });
      expect(losses).toHaveLength(20);
      expect(heldOut!.end).toBeLessThan(0.9 * heldOut!.baseline);
      expect(config).toMatchObject({ head: "none", layer: "pooled", method: objective });
      await expect(openRun(path, { runtime })).rejects.toThrow(/names no classes; use it as --backbone run:/);
      const network = await openSource(`run:${path}`, { modality: "image", runtime, training: [] });
      const { features } = await network.features(data.rows.slice(0, 3));
      expect([features.rows, features.columns]).toEqual([3, config.dimension]);
      const replayed = await verifyRun(path, { runtime });
      expect(replayed).toMatchObject({ rows: 12, drifted: [] });
      const golden = JSON.parse(await readFile(join(path, "golden.json"), "utf8"));
      golden.rows[3].features[1] += 0.01;
      await writeFile(join(path, "golden.json"), JSON.stringify(golden));
      expect((await verifyRun(path, { runtime })).drifted.map(({ where }) => where)).toEqual([
        golden.rows[3].where,
      ]);
    },
  );

  test("killed and started again, ends in the same bytes; another seed ends in others", async () => {
    const data = await stripes("killed", { train: 24, test: 6, seed: 4, noise: 10 });
    const options = { objective: "denoise", checkpointEvery: 1 } as const;
    await pretrainRun(data, usual("whole", options));
    const stop = new AbortController();
    const killed = pretrainRun(
      data,
      usual("killed", {
        ...options,
        signal: stop.signal,
        onProgress: (task, done) => task === "training" && done === 4 && stop.abort(),
      }),
    );
    await expect(killed).rejects.toThrow(/abort/i);
    await expect(bytesOf("killed")).rejects.toThrow(/ENOENT/);
    let first: number | null = null;
    const onProgress = (task: string, done: number) => {
      if (task === "training") first ??= done;
    };
    await pretrainRun(data, usual("killed", { ...options, onProgress }));
    expect(first).toBe(5);
    expect(await bytesOf("killed")).toEqual(await bytesOf("whole"));
    await pretrainRun(data, usual("other", { ...options, seed: 1 }));
    expect(await bytesOf("other")).not.toEqual(await bytesOf("whole"));
  });
});

describe("pretraining texts without labels", () => {
  const pick = (source: ReturnType<typeof random>, words: string) => {
    const all = words.split(" ");
    return all[source.integer(all.length)]!;
  };
  const texts = (count: number): Dataset => {
    const source = random(8);
    const rows = Array.from({ length: count }, (_, i): Row => {
      const text = `the ${pick(source, "cat dog bird man")} ${pick(source, "eats sees likes")} a ${pick(source, "red big old")} ${pick(source, "fish ball house")}`;
      const input = { kind: "text" as const, text };
      return {
        where: `row ${i}`,
        input,
        label: null,
        split: i < 180 ? null : "test",
        group: null,
        weight: 1,
      };
    });
    return { source: "sentences", task: "text-classification", classes: [], rows, skipped: [] };
  };
  const encoder = {
    architecture: {
      name: "transformer-small",
      settings: { vocabulary: 80, width: 16, depth: 1, heads: 2 },
    },
    objective: "mlm" as const,
    maxLength: 16,
  };

  test("guesses hidden words better than their frequencies do, and serves as a backbone with its tokenizer", async () => {
    const settings = { epochs: 10, batchSize: 16, learningRate: 0.01 };
    const { metrics, folder: path } = await pretrainRun(
      texts(200),
      usual("language", { ...encoder, settings }),
    );
    const { heldOut, rows } = metrics as PretrainMetrics;
    const all = texts(200).rows.map(({ input }) => (input as { text: string }).text);
    // Copies of sentences held out are not trained on.
    const judged = new Set(all.slice(180));
    expect(rows).toEqual({ train: all.filter((text) => !judged.has(text)).length, heldOut: 20 });
    expect(heldOut!.end).toBeLessThan(0.8 * heldOut!.baseline);
    expect(heldOut!.end).toBeLessThan(0.6 * heldOut!.start);
    const network = await openSource(`run:${path}`, { modality: "text", runtime, training: [] });
    expect(network.layer).toBe("last_hidden_state");
    const { features } = await network.features(texts(3).rows);
    expect([features.rows, features.columns]).toEqual([3, 16]);

    // Weights mean nothing without their vocabulary: other texts are split by the tokenizer the weights were
    // learnt with.
    const others = {
      ...texts(10),
      rows: texts(10).rows.map((row, i) => ({
        ...row,
        input: { kind: "text" as const, text: `a zebra ${i}` },
      })),
    };
    const init = path;
    const again = usual("again", { ...encoder, architecture: { ...encoder.architecture, init } });
    const { notes } = await pretrainRun(others, again);
    expect(notes.at(-1)).toMatch(/^20 of 20 parameters are from /);
    const tokenizers = ["language", "again"].map((run) =>
      readFile(join(folder, run, "tokenizer.json"), "utf8"),
    );
    expect(await tokenizers[1]).toBe(await tokenizers[0]);
    const lone = join(folder, "lone");
    await mkdir(lone);
    await writeFile(join(lone, "weights.onnx"), await bytesOf("language"));
    await expect(
      pretrainRun(others, {
        ...again,
        architecture: { ...encoder.architecture, init: join(lone, "weights.onnx") },
      }),
    ).rejects.toThrow(/no tokenizer.json beside these weights/);
  });

  test("names a row without text before anything is trained, or leaves it out and says so", async () => {
    const gap = { kind: "text" as const, text: " " };
    const data = texts(20);
    const rows = data.rows.map((row, i) => (i === 7 ? { ...row, input: gap } : row));
    const settings = { epochs: 1, batchSize: 8 };
    const options = usual("gaps", { ...encoder, settings });
    await expect(pretrainRun({ ...data, rows }, options)).rejects.toThrow(/^row 7: the text is empty/);
    const { metrics, notes } = await pretrainRun({ ...data, rows }, { ...options, onError: "skip" });
    const kept = (metrics as PretrainMetrics).rows;
    expect(kept.train + kept.heldOut).toBe(19);
    expect(notes).toContain("1 rows could not be read and were left out");
  });

  test("refuses what cannot be: tokens of a network without rows for them, images of texts, labels that are not there", async () => {
    const wrong = (more: Partial<PretrainRunOptions>) =>
      pretrainRun(texts(10), usual("wrong", { ...encoder, ...more }));
    await expect(wrong({ architecture: { name: "text-cnn" } })).rejects.toThrow(/take transformer-small/);
    await expect(wrong({ objective: "denoise" })).rejects.toThrow(/are for images; take the objective mlm/);
    await expect(wrong({ objective: "supervised" })).rejects.toThrow(/no row has a label/);
    await expect(wrong({ objective: "rotation" as never })).rejects.toThrow(/is none of supervised, /);
  });
});

describe("weights to start from", () => {
  test("are taken by name and shape; what is missing is an error, and allowed ones are told", async () => {
    const data = await stripes("start", { train: 24, test: 6, seed: 5, noise: 10 });
    await pretrainRun(data, usual("first", { objective: "denoise" }));
    const init = join(folder, "first");
    const wider = { ...architecture, settings: { ...architecture.settings, stages: 3 } };
    const still = { epochs: 1, batchSize: 8, learningRate: 0 };
    const from = (more: object, settings: Record<string, number> = still) =>
      pretrainRun(data, usual("second", { objective: "denoise", settings, ...more }));
    await expect(from({ architecture: { ...wider, init } })).rejects.toThrow(
      /parameters get nothing from the source: layer\.2\..*--allow-missing PATTERN/,
    );
    const { notes } = await from({ architecture: { ...wider, init, allowMissing: ["layer.2.**"] } });
    expect(notes.at(-1)).toMatch(
      /^30 of 45 parameters are from .*first, 15 stay as they were drawn: layer\.2\.0/,
    );

    const model = readModel(await bytesOf("first"));
    const learnt = parametersOf(model).map(({ name, tensor }) => [name, tensor] as const);
    const file = join(folder, "weights.safetensors");
    await writeFile(file, writeSafetensors(new Map([...learnt, ["extra", learnt[0]![1]]])));
    const second = await from({ architecture: { ...architecture, init: file } });
    expect(second.notes.at(-1)).toMatch(
      /30 of 30 parameters are from .*, 1 of its own were skipped \(the target has no parameter of this name\)/,
    );
    // A learning rate of zero moves only the statistics of the normalizations.
    const after = new Map(parametersOf(readModel(await bytesOf("second"))).map((one) => [one.name, one]));
    for (const [name, tensor] of learnt)
      if (after.get(name)!.role !== "statistic") expect(after.get(name)!.tensor.data).toEqual(tensor.data);
  });
});

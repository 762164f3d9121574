import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imagePreprocessor, readNpy, readSafetensors } from "graft-ml";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { graft, json } from "./program.ts";
import { writeStripedPhotos } from "./striped-photos.ts";

let folder: string;
let photos: string;
let run: string;
const classes = ["lying", "standing"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-photos-"));
  process.env.GRAFT_CACHE = join(folder, "cache");
  await writeStripedPhotos(folder, 20);
  photos = join(folder, "photos");
  run = join(folder, "run");
  const ended = await graft("train", photos, "--backbone", net(), "--output", run, "--fast", "--quiet");
  expect(ended.err).toBe("");
  expect(ended.code).toBe(0);
});

afterAll(async () => {
  delete process.env.GRAFT_CACHE;
  await rm(folder, { recursive: true });
});

const net = () => join(folder, "net");
const lines = async (path: string) =>
  (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("a run of photos", () => {
  test("ONNX Runtime called on model.onnx with the same tensor gives the probabilities of training, bit for bit", async () => {
    const predictions = await lines(join(run, "predictions.jsonl"));
    const session = await ort.InferenceSession.create(join(run, "model.onnx"));
    const config = JSON.parse(await readFile(join(run, "preprocessor_config.json"), "utf8"));
    const input = { name: "pixel_values", layout: "NCHW", channels: 3, height: 24, width: 24 } as const;
    const preprocessor = imagePreprocessor({ config, input });
    const { batchSize } = JSON.parse(await readFile(join(run, "config.json"), "utf8"));
    for (const { input: name, probabilities } of predictions) {
      const path = join(photos, name);
      const { pixel_values } = await preprocessor.prepare(
        Array.from({ length: batchSize }, () => ({ kind: "image", path }) as const),
      );
      const { data, shape } = pixel_values!;
      const fed = new ort.Tensor("float32", data as Float32Array, [...shape]);
      const answer = (await session.run({ pixel_values: fed })).probabilities!.data as Float32Array;
      expect([answer[0], answer[1]]).toEqual(classes.map((label) => Math.fround(probabilities[label])));
    }
  });

  test("its scores, baselines and verdict are those of the contract", async () => {
    const metrics = JSON.parse(await readFile(join(run, "metrics.json"), "utf8"));
    expect(metrics).toMatchObject({
      task: "image-classification",
      classes,
      test: { n: 8, interval: [expect.any(Number), expect.any(Number)] },
      baselines: { majority: 0.5, raw: expect.any(Number), scratch: null },
      transfer: { verdict: expect.stringMatching(/^(helps|no evidence|hurts)$/) },
      chosen: {
        layer: "pooled",
        head: "logistic",
        method: "probe",
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
  });

  test("it serves as a backbone, at its own layer", async () => {
    const next = join(folder, "next");
    const ended = await graft(
      "train",
      photos,
      "--backbone",
      `run:${run}`,
      "--output",
      next,
      "--fast",
      "--json",
      "--quiet",
    );
    expect(json(ended).chosen).toMatchObject({ backbone: `run:${run}`, layer: "pooled" });
  });

  test("a photo that cannot be read is named, or left out and counted", async () => {
    const input = join(folder, "some.csv");
    await writeFile(join(folder, "broken.png"), "no picture");
    await writeFile(input, "image\nphotos/lying/00.png\nbroken.png\n");
    const refused = await graft("predict", run, input, "--quiet");
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/some.csv row 3.*broken.png/);
    const skipped = await graft("predict", run, input, "--on-error", "skip", "--json", "--quiet");
    expect(json(skipped)).toMatchObject({ rows: 1, skipped: 1 });
  });

  test("one photo by its path", async () => {
    const ended = await graft("predict", run, join(photos, "standing", "03.png"), "--json", "--quiet");
    expect(json(ended).predictions[0]).toMatchObject({ input: "03.png", label: expect.any(String) });
  });
});

test("extract writes the features of a named layer as .npy", async () => {
  const output = join(folder, "features");
  const ended = await graft(
    ...["extract", photos, "--backbone", net(), "--layer", "pooled", "--output", output, "--json", "--quiet"],
  );
  expect(json(ended)).toMatchObject({ rows: 40, dimension: 12, layer: "pooled", computed: 40 - 32 });
  const shard = readNpy(await readFile(join(output, "features-00000.npy")), "shard");
  expect(shard.shape).toEqual([40, 12]);
});

describe("methods that train the network", () => {
  const trained = async (method: string, ...more: string[]) => {
    const output = join(folder, method);
    const settings = ["--epochs", "3", "--learning-rate", "0.003", "--head", "logistic", "--scratch", "no"];
    const ended = await graft(
      ...["train", photos, "--backbone", net(), "--output", output, "--method", method, ...settings, ...more],
      ...["--json", "--quiet"],
    );
    expect(ended.code, ended.err).toBe(0);
    return { output, metrics: json(ended) };
  };

  test("LoRA leaves its adapter beside the merged model, with PEFT's names", async () => {
    const { output, metrics } = await trained("lora", "--rank", "2");
    expect(metrics.chosen.method).toBe("lora");
    const adapter = readSafetensors(await readFile(join(output, "adapter_model.safetensors")), "adapter");
    expect(
      [...adapter.tensors.keys()].every((name) => /^base_model\.model\..*\.lora_[AB]\.weight$/.test(name)),
    ).toBe(true);
    expect(JSON.parse(await readFile(join(output, "adapter_config.json"), "utf8"))).toMatchObject({ r: 2 });
    expect(await readdir(output)).not.toContain("checkpoints");
    expect((await graft("verify", output, "--quiet")).code).toBe(0);
  });

  test("full fine-tuning says what was trained, and scratch joins the baselines where asked", async () => {
    const { metrics } = await trained("full", "--depth", "2");
    expect(metrics.chosen.method).toBe("full");
    const output = join(folder, "with-scratch");
    const ended = await graft(
      ...["train", photos, "--backbone", net(), "--output", output, "--method", "probe", "--scratch", "yes"],
      ...["--head", "logistic", "--epochs", "2", "--learning-rate", "0.01", "--json", "--quiet"],
    );
    expect(json(ended).baselines.scratch).toEqual(expect.any(Number));
  });

  test("a method without a network is refused", async () => {
    const ended = await graft("train", photos, "--output", join(folder, "none"), "--method", "lora");
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/the backbone "none" has no network to train/);
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, emptyGraph, float32, type Row, random, writeModel } from "@graft-ml/core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRun, trainRun } from "../runs/index.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { centreCropped } from "./framing.ts";
import { openSource, openSources } from "./index.ts";

const SIDE = 14;
let runtime: OrtRuntime;
let folder: string;
beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1, spinning: false });
  folder = await mkdtemp(join(tmpdir(), "graft-framing-"));
  await writeFile(join(folder, "model.onnx"), colours());
  const config = { size: { height: SIDE, width: SIDE }, resample: 2, rescale_factor: 1 / 255 };
  await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify(config));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

/** A network whose features are the mean of each channel. */
function colours(): Uint8Array {
  const graph = emptyGraph("colours");
  const b = build(graph);
  const pixels = b.input("pixels", "float32", ["batch", 3, SIDE, SIDE]);
  const same = float32([3, 3, 1, 1], [1, 0, 0, 0, 1, 0, 0, 0, 1]);
  const map = b.apply("Conv", [pixels, b.constant(same, "same")], {}, { name: "map" });
  const pooled = b.apply("Flatten", [b.apply("GlobalAveragePool", [map])], { axis: 1 }, { name: "pooled" });
  graph.outputs = [pooled];
  const header = { irVersion: 8, domain: "", modelVersion: 0n, doc: "", metadata: new Map() };
  return writeModel({
    ...header,
    graph,
    opsets: new Map([["", 17]]),
    producer: { name: "test", version: "1" },
  });
}

/** Wide photos: the middle is red or green, which is the class; the sides are either, whatever the class. */
async function photos(): Promise<Row[]> {
  const source = random(1);
  const rows = Array.from({ length: 48 }, async (_, i): Promise<Row> => {
    const isRed = i % 2 === 0;
    const path = join(folder, `photo ${i}.png`);
    const [left, right] = [source.uniform() < 0.5, source.uniform() < 0.5];
    const data = new Uint8Array(48 * 16 * 3);
    for (let y = 0; y < 16; y++)
      for (let x = 0; x < 48; x++) {
        const red = x < 16 ? left : x < 32 ? isRed : right;
        data[(y * 48 + x) * 3 + (red ? 0 : 1)] = 150 + source.integer(100);
      }
    await sharp(data, { raw: { width: 48, height: 16, channels: 3 } })
      .png()
      .toFile(path);
    const split = i < 32 ? ("train" as const) : ("test" as const);
    return {
      where: path,
      input: { kind: "image", path },
      label: isRed ? "red" : "green",
      split,
      group: null,
      weight: 1,
    };
  });
  return await Promise.all(rows);
}

const opening = { modality: "image", training: [] } as const;

test("what is squeezed is cropped instead, 8/7 of the size; what keeps proportions is left alone", () => {
  const squeezed = { do_resize: true, size: { height: 224, width: 224 }, resample: 2 };
  expect(centreCropped(squeezed)).toEqual({
    ...squeezed,
    size: { shortest_edge: 256 },
    do_center_crop: true,
    crop_size: { height: 224, width: 224 },
  });
  expect(centreCropped({ size: 28 })).toMatchObject({ size: { shortest_edge: 32 } });
  expect(centreCropped({ size: { shortest_edge: 256 }, do_center_crop: true, crop_size: 224 })).toBeNull();
  expect(centreCropped({ size: { shortest_edge: 256 } })).toBeNull();
  expect(centreCropped({ do_resize: false, size: 224 })).toBeNull();
});

test("the stated framing is the default, auto opens it first, and one that is cropped already has no other", async () => {
  const stated = await openSource(folder, { ...opening, runtime });
  const both = await openSources(folder, { ...opening, runtime, framing: "auto" });
  expect([stated, ...both].map(({ framing }) => framing)).toEqual(["stated", "stated", "crop"]);
  expect(both[0]!.preprocessor.fingerprint).toBe(stated.preprocessor.fingerprint);
  await expect(openSource("none", { ...opening, runtime, framing: "crop" })).rejects.toThrow(
    /framing "crop"/,
  );
});

test("auto takes the framing that predicts held-out training rows, and the run carries it", async () => {
  const rows = await photos();
  const dataset = {
    source: "photos",
    task: "image-classification" as const,
    classes: ["green", "red"],
    rows,
    skipped: [],
  };
  const usual = {
    backbones: [folder],
    runtime,
    cache: null,
    head: "logistic",
    method: "probe",
    baselines: false,
  } as const;
  const stated = await trainRun(dataset, { ...usual, output: join(folder, "stated") });
  const auto = await trainRun(dataset, { ...usual, output: join(folder, "auto"), framing: "auto" });
  expect([stated.config.framing, auto.config.framing]).toEqual(["stated", "crop"]);
  expect(stated.metrics.test.accuracy).toBeLessThan(1);
  expect(auto.metrics.test.accuracy).toBe(1);
  const run = await openRun(auto.folder, { runtime });
  expect((await run.verify()).drifted).toEqual([]);
  const { predictions } = await run.predict(rows.slice(32));
  expect(predictions.map(({ label }) => label)).toEqual(rows.slice(32).map(({ label }) => label));
  await run.close();
});

import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import {
  build,
  emptyGraph,
  float32,
  type Model,
  matrix,
  type Preprocessor,
  type Row,
  random,
  readNpy,
  writeModel,
} from "@graft-ml/core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { imagePreprocessor } from "../images/index.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { type ExtractOptions, extractFeatures } from "./index.ts";

let folder: string;
let runtime: OrtRuntime;
let rows: Row[];
let model: Uint8Array;
const COUNT = 21;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-extract-"));
  runtime = await ortRuntime({ threads: 1 });
  model = writeModel(convolution());
  rows = [];
  await mkdir(join(folder, "photos"));
  for (let i = 0; i < COUNT; i++) {
    await photo(i, i);
    const path = join(folder, "photos", `${i}.png`);
    rows.push({
      where: `photos/${i}.png`,
      input: { kind: "image", path },
      label: `c${i % 2}`,
      split: null,
      group: null,
      weight: 1,
    });
  }
});

afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

/** A picture of noise, made from a seed. */
async function photo(i: number, seed: number): Promise<void> {
  const source = random(seed);
  const pixels = Uint8Array.from({ length: 20 * 24 * 3 }, () => source.integer(256));
  await sharp(pixels, { raw: { width: 24, height: 20, channels: 3 } })
    .png()
    .toFile(join(folder, "photos", `${i}.png`));
}

/** A convolution, its rectified mean and a layer of products: [batch, 3, 16, 16] to [batch, 10]. */
function convolution(): Model {
  const graph = emptyGraph("net");
  const b = build(graph);
  const source = random(1);
  const normal = (...shape: number[]) =>
    float32(
      shape,
      Float32Array.from({ length: shape.reduce((x, y) => x * y) }, () => source.normal()),
    );
  const x = b.input("x", "float32", ["batch", 3, 16, 16]);
  const maps = b.apply("Relu", [b.apply("Conv", [x, b.constant(normal(8, 3, 3, 3))])]);
  const pooled = b.apply("Flatten", [b.apply("GlobalAveragePool", [maps])]);
  const features = b.apply("Gemm", [pooled, b.constant(normal(8, 10))], {}, { name: "features" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", 10] }));
  const header = { irVersion: 8, domain: "", modelVersion: 0n, doc: "", metadata: new Map() };
  return { graph, opsets: new Map([["", 13]]), producer: { name: "graft", version: "" }, ...header };
}

const preprocessing = (resample = 2) =>
  imagePreprocessor({
    config: { size: { height: 16, width: 16 }, resample },
    input: { name: "x", layout: "NCHW", channels: 3, height: 16, width: 16 },
  });

const extract = (more: Partial<ExtractOptions> = {}) =>
  extractFeatures({
    rows,
    model,
    runtime,
    preprocessor: preprocessing(),
    modelHash: "net",
    layer: "features",
    cache: null,
    batchSize: 4,
    ...more,
  });

async function featuresOf(more: Partial<ExtractOptions> = {}) {
  const extracted = await extract(more);
  const features = await extracted.matrix();
  await extracted.close();
  return { ...extracted, features };
}

test("a row's features are the same bits whatever the rows around it", async () => {
  const { features } = await featuresOf();
  const backwards = await featuresOf({ rows: rows.toReversed() });
  const alone = await featuresOf({ rows: [rows[6]!] });
  expect(features.rows).toBe(COUNT);
  for (let i = 0; i < COUNT; i++)
    expect(backwards.features.data.slice((COUNT - 1 - i) * 10, (COUNT - i) * 10)).toEqual(
      features.data.slice(i * 10, i * 10 + 10),
    );
  expect(alone.features.data).toEqual(features.data.slice(60, 70));
});

test("the same bits with one thread, two, and two runs at a time", async () => {
  const { features } = await featuresOf();
  for (const throughput of [false, true]) {
    const other = await ortRuntime({ threads: 2, throughput });
    const again = await featuresOf({ runtime: other });
    expect(again.features).toEqual(features);
    expect(again.computed).toBe(COUNT);
    await other.close();
  }
});

test("a second run reads; a changed pixel, setting, layer or network computes what it changes", async () => {
  const cache = join(folder, "cache");
  const first = await featuresOf({ cache });
  expect(first.computed).toBe(COUNT);
  const second = await featuresOf({ cache });
  expect(second.computed).toBe(0);
  expect(second.features).toEqual(first.features);

  await photo(3, 1000);
  const changed = await featuresOf({ cache });
  expect(changed.computed).toBe(1);
  expect(changed.features.data.slice(30, 40)).not.toEqual(first.features.data.slice(30, 40));
  expect(changed.features.data.slice(40)).toEqual(first.features.data.slice(40));
  await photo(3, 3);
  expect((await featuresOf({ cache })).features).toEqual(first.features);

  expect((await featuresOf({ cache, preprocessor: preprocessing(3) })).computed).toBe(COUNT);
  expect((await featuresOf({ cache, layer: "other" })).computed).toBe(COUNT);
  expect((await featuresOf({ cache, modelHash: "other" })).computed).toBe(COUNT);
});

test("what is damaged in the cache is computed again", async () => {
  const cache = join(folder, "damaged");
  const { features } = await featuresOf({ cache });
  const [inner] = await readdir(cache);
  const segment = (await readdir(join(cache, inner!))).find((name) => name.endsWith(".npy"))!;
  const path = join(cache, inner!, segment);
  await writeFile(path, (await readFile(path)).subarray(0, 300));
  const again = await featuresOf({ cache });
  expect(again.computed).toBe(COUNT);
  expect(again.features).toEqual(features);
});

test("equal rows are computed once", async () => {
  const { computed, features } = await featuresOf({ rows: [rows[0]!, rows[1]!, rows[0]!] });
  expect(computed).toBe(2);
  expect(features.data.slice(20)).toEqual(features.data.slice(0, 10));
});

test("files of features with a manifest written last, the same bytes each time", async () => {
  const output = join(folder, "out");
  const { features } = await featuresOf({ output });
  const manifest = JSON.parse(await readFile(join(output, "manifest.json"), "utf8"));
  expect(manifest).toMatchObject({
    rows: COUNT,
    dimension: 10,
    dtype: "float32",
    layer: "features",
    modelSha256: "net",
  });
  const shard = readNpy(await readFile(join(output, manifest.shards[0].file)), "shard");
  expect(shard).toEqual({ dtype: "float32", shape: [COUNT, 10], data: features.data });
  expect((await readFile(join(output, "rows.jsonl"), "utf8")).split("\n")[1]).toContain(
    '"photos/1.png","label":"c1"',
  );
  await cp(output, join(folder, "first"), { recursive: true });
  await featuresOf({ output });
  for (const name of await readdir(output))
    expect(await readFile(join(output, name))).toEqual(await readFile(join(folder, "first", name)));
  expect((await readdir(output)).sort()).toEqual(["features-00000.npy", "manifest.json", "rows.jsonl"]);
  await writeFile(join(output, "thesis.txt"), "mine");
  await expect(extract({ output })).rejects.toThrow(/holds other files already \(thesis.txt\)/);
});

test("features as Parquet, as DuckDB reads them", async () => {
  const output = join(folder, "parquet");
  const { features } = await featuresOf({ output, format: "parquet" });
  const connection = await (await DuckDBInstance.create()).connect();
  const table = await connection.runAndReadAll(
    `select path, label, features[10] as last from '${join(output, "features-00000.parquet")}'`,
  );
  expect(table.getRows()[2]).toEqual(["photos/2.png", "c0", features.data[29]]);
  connection.closeSync();
});

test("a row that cannot be read stops with its name, or is left out and listed", async () => {
  const path = join(folder, "photos/5.png");
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, 900));
  const gone: Row = {
    ...rows[0]!,
    where: "list.csv row 9",
    input: { kind: "image", path: join(folder, "gone.png") },
  };
  await expect(extract()).rejects.toThrow(/^photos\/5\.png: .*5\.png is not an image/);
  const left = await featuresOf({ rows: [...rows, gone], onError: "skip" });
  expect(left.rows).toBe(COUNT - 1);
  expect(left.skipped.map((reason) => reason.split(":")[0])).toEqual(["photos/5.png", "list.csv row 9"]);
  expect(Array.from(left.kept)).not.toContain(5);
  await writeFile(path, whole);
  const all = await featuresOf();
  expect(left.features.data.slice(50)).toEqual(all.features.data.slice(60));
});

test("stopping keeps what was computed", async () => {
  const cache = join(folder, "stopped");
  const control = new AbortController();
  const onProgress = (done: number) => done >= 8 && control.abort();
  await expect(extract({ cache, signal: control.signal, onProgress })).rejects.toThrow(/abort/);
  const { computed } = await featuresOf({ cache });
  expect(computed).toBeLessThan(COUNT);
});

test("inputs of different extents never share a batch, so padding is a function of the row alone", async () => {
  const graph = emptyGraph("sums");
  const b = build(graph);
  const ids = b.input("x", "float32", ["batch", "length"]);
  const sum = b.apply("ReduceMean", [ids], { axes: [1], keepdims: 1 }, { name: "features" });
  graph.outputs.push(Object.assign(sum, { dtype: "float32", shape: ["batch", 1] }));
  const seen: number[][] = [];
  const extentOf = (input: Row["input"]) => Math.ceil((input as { text: string }).text.length / 4) * 4;
  const preprocessor: Preprocessor = {
    kind: "text",
    fingerprint: "lengths",
    extentOf,
    async prepare(inputs) {
      const extents = inputs.map(extentOf);
      seen.push(extents);
      const m = matrix(inputs.length, extents[0]!);
      for (const [i, extent] of extents.entries()) m.data.fill(extent, i * extent, (i + 1) * extent);
      return { x: float32([m.rows, m.columns], m.data) };
    },
    files: () => ({}),
  };
  const texts = Array.from({ length: 9 }, (_, i) => "abcdefghi".slice(0, i + 1));
  const { features } = await featuresOf({
    preprocessor,
    model: writeModel({ ...convolution(), graph }),
    rows: texts.map((text, i) => ({ ...rows[i]!, input: { kind: "text", text } })),
  });
  expect(Array.from(features.data)).toEqual([4, 4, 4, 4, 8, 8, 8, 8, 12]);
  expect(seen.every((extents) => new Set(extents).size === 1)).toBe(true);
});

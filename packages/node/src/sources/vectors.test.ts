import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Matrix,
  nearestWords,
  type Row,
  type Runtime,
  random,
  subwordBuckets,
  wordIndex,
  wordVectors,
} from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readDataset } from "../data/index.ts";
import { openRun, trainRun } from "../runs/index.ts";
import { ortRuntime } from "../runtime/index.ts";
import { readVectorsFile, writeVectorsFile } from "../words/index.ts";
import { builtinVectors, defaultBackbones, openSource, openSources } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "graft-vectors-source-"));
const at = (name: string) => join(folder, name);
let runtime: Runtime;
beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1 });
  await writeVectorsFile(at("v.txt"), vectors);
});
afterAll(async () => {
  await runtime.close();
  rmSync(folder, { recursive: true });
});

const vectors = wordVectors({
  words: ["the", "ship", "sea", "bread", "oven"],
  dimension: 3,
  vectors: Float32Array.from([0, 0, 1, 1, 0, 1, 3, 0, 1, 0, 1, 1, 0, 3, 1]),
});
const row = (text: string, label: string | null = null): Row => ({
  where: "row",
  input: { kind: "text", text },
  label,
  split: null,
  group: null,
  weight: 1,
});
const spec = () => `vectors:${at("v.txt")}`;
const options = (training: readonly Row[]) => ({ modality: "text" as const, runtime, training });

test("a text is the mean of its words' vectors, words without one passed over, in any batch", async () => {
  const texts = [row("The ship, the sea!"), row("bread"), row("quux"), row("oven ".repeat(40))];
  const source = await openSource(spec(), { ...options(texts), layer: "words.mean" });
  const { features } = await source.features(texts);
  expect([...(features as Matrix).data]).toEqual(
    [1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 3, 1].map((x) => expect.closeTo(x, 5)),
  );
  const alone = await source.features([texts[0]!]);
  expect([...(alone.features as Matrix).data]).toEqual([...(features as Matrix).data.slice(0, 3)]);
  expect(source.notes.join()).toMatch(
    /2\.2 % of the training texts' words have no vector \(1 different ones, the commonest quux\)/,
  );
});

test("there is a source for each way to take the mean; SIF takes the common direction out", async () => {
  const texts = [row("the ship"), row("the oven"), row("the sea the bread")];
  const sources = await openSources(spec(), options(texts));
  expect(sources.map(({ layer }) => layer)).toEqual(["words.mean", "words.sif", "words.tfidf"]);
  const [mean, sif] = await Promise.all(
    sources.slice(0, 2).map(async (source) => (await source.features(texts)).features as Matrix),
  );
  const common = (m: Matrix) => Math.abs([0, 1, 2].reduce((sum, i) => sum + m.data[3 * i + 2]!, 0));
  expect(common(sif!)).toBeLessThan(common(mean!));
});

test("what cannot be is refused: images, another layer, texts without a known word, a built-in that is none", async () => {
  const texts = [row("the ship")];
  await expect(openSource(spec(), { ...options(texts), modality: "image" })).rejects.toThrow(
    /the data are images/,
  );
  await expect(openSource(spec(), { ...options(texts), layer: "x" })).rejects.toThrow(
    /has words\.mean, words\.sif/,
  );
  await expect(openSource(spec(), options([row("quux")]))).rejects.toThrow(/holds a word that has a vector/);
  await expect(openSource("builtin:text-none", options(texts))).rejects.toThrow(/no such vectors/);
});

test("the built-in vectors know English, and are small enough for the package", async () => {
  const path = builtinVectors("text")!;
  expect(statSync(path).size).toBeLessThanOrEqual(8 * 2 ** 20);
  const { vectors: builtin } = await readVectorsFile(path);
  const near = nearestWords(wordIndex(builtin), "excellent", 10).map(({ word }) => word);
  expect(
    near.filter((word) =>
      ["superb", "outstanding", "terrific", "fantastic", "brilliant", "great"].includes(word),
    ).length,
  ).toBeGreaterThan(2);
  const texts = [row("a wonderful film"), row("I could not sit through it")];
  const source = await openSource("builtin:text", { ...options(texts), layer: "words.sif" });
  expect(source).toMatchObject({ name: "builtin:text", dimension: 100 });
  expect(((await source.features(texts)).features as Matrix).data.every(Number.isFinite)).toBe(true);
});

test("words without a vector are made of their character sequences, in training texts and later ones", async () => {
  const source = random(3);
  const drawn = (rows: number) => Float32Array.from({ length: rows * 4 }, () => source.normal());
  const shape = { shortest: 3, longest: 4, buckets: 400 };
  const words = ["ship", "shipping", "bread", "breaded"];
  const given = wordVectors({
    words,
    dimension: 4,
    vectors: drawn(4),
    subwords: { ...shape, table: drawn(400) },
  });
  await writeVectorsFile(at("parts.npz"), given);
  const known = [row("ship ships"), row("bread")];
  const [mean] = await openSources(`vectors:${at("parts.npz")}`, options(known));
  const { features } = await mean!.features([row("ship ships"), row("breads"), row("ship 42")]);
  const { data } = features as Matrix;
  const rowOf = (i: number) => [...data.slice(4 * i, 4 * i + 4)].map((value) => expect.closeTo(value, 5));
  const [ship, ships] = [given.vectorOf("ship")!, given.vectorOf("ships")!];
  expect([...ship.map((value, d) => (value + ships[d]!) / 2)]).toEqual(rowOf(0));
  // Of an unseen word those sequences count that words of the model have.
  const kept = new Set([...words, "ships"].flatMap((word) => subwordBuckets(word, shape)));
  const buckets = subwordBuckets("breads", shape).filter((bucket) => kept.has(bucket));
  expect(buckets.length).toBeGreaterThan(4);
  const made = [0, 1, 2, 3].map(
    (d) => buckets.reduce((sum, b) => sum + given.subwords!.table[4 * b + d]!, 0) / buckets.length,
  );
  expect(made).toEqual(rowOf(1));
  // "42" shares no sequence with any word: it is passed over.
  expect([...ship]).toEqual(rowOf(2));
  const json = JSON.parse(mean!.preprocessor.files()["words.json"] as string);
  expect(json.sequences).toMatchObject({ ...shape, weight: 1 });
});

test("without a backbone named, texts are offered the built-in vectors of their script; many of them and images none", async () => {
  const specs = (...rows: Row[]) => defaultBackbones("text", rows).map(({ spec }) => spec);
  expect(specs(row("A parcel that never came"))).toEqual(["builtin:text", "none"]);
  expect(specs(row("房间很大，wifi 不错"), row("服务一般"))).toEqual(["builtin:text-zh", "none"]);
  expect(specs(...Array.from({ length: 3001 }, () => row("too many")))).toEqual(["none"]);
  expect(defaultBackbones("image", []).map(({ spec }) => spec)).toEqual(["none"]);
});

test("the built-in Chinese vectors are small, and know which characters are alike", async () => {
  const path = builtinVectors("text-zh")!;
  expect(statSync(path).size).toBeLessThanOrEqual(3 * 2 ** 20);
  const { vectors: builtin } = await readVectorsFile(path);
  const near = (word: string) => nearestWords(wordIndex(builtin), word, 10).map((one) => one.word);
  expect(near("猪").filter((word) => "狗羊牛鸡肉虎猫兔鸭".includes(word)).length).toBeGreaterThan(1);
  const texts = [row("房间很大"), row("服务一般，不会再来")];
  const source = await openSource("builtin:text-zh", { ...options(texts), layer: "words.mean" });
  expect(source.notes.join()).toMatch(/^0\.0 % of the training texts' words have no vector/);
});

test("a run from vectors predicts and verifies from its own folder, without the file of vectors", async () => {
  const lines = Array.from({ length: 60 }, (_, i) =>
    i % 2 === 0
      ? `the ${i % 4 === 0 ? "ship" : "sea"} ${i} ,water`
      : `the ${i % 3 === 0 ? "bread" : "oven"} ${i} ,food`,
  );
  writeFileSync(at("data.csv"), `text,label\n${lines.join("\n")}\n`);
  const output = at("run");
  await trainRun(await readDataset(at("data.csv")), {
    output,
    backbones: [spec()],
    fast: true,
    runtime,
    cache: null,
  });
  rmSync(at("v.txt"));
  expect(JSON.parse(readFileSync(join(output, "words.json"), "utf8")).words).toContain("ship");
  const run = await openRun(output, { runtime });
  const { predictions } = await run.predict([row("a ship at sea"), row("bread of the oven")]);
  expect(predictions.map(({ label }) => label)).toEqual(["water", "food"]);
  expect((await run.verify()).drifted).toEqual([]);
  await run.close();
});

test("auto takes the built-in vectors where they tell classes better than TF-IDF, and none where they know no word", async () => {
  const good =
    "superb outstanding terrific fantastic brilliant wonderful excellent delightful marvelous splendid great amazing";
  const bad =
    "terrible awful dreadful horrible atrocious lousy abysmal pathetic lame stupid boring ridiculous";
  const rows = [good, bad].flatMap((words, label) =>
    words.split(" ").map((word, i) => ({
      ...row(`it was ${word}`, label === 0 ? "good" : "bad"),
      where: `${label} ${i}`,
      split: i < 9 ? ("train" as const) : ("test" as const),
    })),
  );
  const dataset = (all: Row[]) => ({
    source: "reviews",
    task: "text-classification" as const,
    classes: ["bad", "good"],
    rows: all,
    skipped: [],
  });
  const common = { backbones: ["auto"], head: "logistic", baselines: false, runtime, cache: null };
  const { metrics } = await trainRun(dataset(rows), { ...common, output: at("auto") });
  expect(metrics.chosen).toMatchObject({ backbone: "builtin:text", layer: "words.mean", method: "probe" });
  expect(metrics.test.accuracy).toBeGreaterThan(0.8);
  const greek = rows.map((one, i) => ({ ...one, ...row(`λόγος ${"αβγδ"[i % 4]!.repeat(3)}`, one.label) }));
  const told = await trainRun(
    dataset(greek.map((one, i) => ({ ...one, split: rows[i]!.split, where: `${i}` }))),
    { ...common, output: at("greek") },
  );
  expect(told.metrics.chosen.backbone).toBe("none");
  expect(readFileSync(join(at("greek"), "log.jsonl"), "utf8")).toMatch(
    /"leave out","backbone":"builtin:text","reason":"none of the 6 texts/,
  );
  // Only that is no reason to stop: what else is wrong with vectors nobody named is told.
  await expect(
    trainRun(dataset(rows), { ...common, output: at("no-layer"), layer: "words.median" }),
  ).rejects.toThrow(/"words\.median": builtin:text has words\.mean/);
});

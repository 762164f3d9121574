import * as module from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32, type Matrix, matrix, takeRows } from "../tensor.ts";
import type { FitContext, Head } from "./head.ts";
import * as heads from "./index.ts";

const all = Object.entries(heads as Record<string, Head>);
const runtime = ort(module as never);
const context = (extra: Partial<FitContext> = {}): FitContext => ({
  classes: 3,
  random: random(5),
  ...extra,
});

/** Three overlapping clouds in five dimensions, [n, 5], unevenly many. */
function clouds(n: number, seed: number): { features: Matrix; labels: Int32Array } {
  const source = random(seed);
  const features = matrix(n, 5);
  const labels = Int32Array.from({ length: n }, (_, i) => [0, 1, 2, 2][i % 4]!);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < 5; j++)
      features.data[i * 5 + j] = 0.8 * source.normal() + (labels[i] === j ? 1.5 : 0) + 0.5;
  return { features, labels };
}

const { features, labels } = clouds(60, 1);
const unseen = clouds(40, 2);

describe.each(all)("%s", (name, head) => {
  test("says what it is and what can be set", () => {
    expect(head.about.length).toBeGreaterThan(10);
    for (const option of Object.values(head.options)) expect(option.about.length).toBeGreaterThan(5);
    expect(name.replace(/[A-Z]/g, "-$&").toLowerCase()).toMatch(/^[a-z-]+$/);
  });

  test("learns: unseen rows of overlapping clouds come out better than by chance, rows sum to one", async () => {
    const fitted = await head.fit(features, labels, {}, context());
    expect(fitted.classes).toBe(3);
    const p = fitted.predict(unseen.features);
    expect([p.rows, p.columns]).toEqual([40, 3]);
    let right = 0;
    for (let i = 0; i < 40; i++) {
      const row = [...p.data.subarray(i * 3, i * 3 + 3)];
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
      if (row.indexOf(Math.max(...row)) === unseen.labels[i]) right++;
    }
    expect(right).toBeGreaterThan(26);
  });

  test("its probabilities are calibrated better than the classes' shares, on unseen rows", async () => {
    const p = (await head.fit(features, labels, {}, context())).predict(unseen.features);
    let loss = 0;
    for (let i = 0; i < 40; i++) loss -= Math.log(p.data[i * 3 + unseen.labels[i]!]!) / 40;
    expect(loss).toBeLessThan(0.85); // ¼, ¼, ½ cost 1.04
  });

  test("the same seed fits the same, and what is given stays as it was", async () => {
    const [x, y] = [features.data.slice(), labels.slice()];
    const weights = new Float32Array(60).fill(1);
    const groups = Int32Array.from({ length: 60 }, (_, i) => Math.floor(i / 3));
    const fit = () => head.fit(features, labels, {}, context({ weights, groups }));
    const [one, two] = [await fit(), await fit()];
    expect(two.chosen).toEqual(one.chosen);
    expect(two.predict(unseen.features)).toEqual(one.predict(unseen.features));
    expect(features.data).toEqual(x);
    expect(labels).toEqual(y);
    expect(weights).toEqual(new Float32Array(60).fill(1));
  });

  test.each([
    ["three classes", 3, 60],
    ["two classes", 2, 40],
  ])("its graph through ONNX Runtime says what predict says: %s", async (_, classes, rows) => {
    const kept = [...labels.keys()].filter((i) => labels[i]! < classes).slice(0, rows);
    const some = takeRows(features, kept);
    const own = Int32Array.from(kept, (i) => labels[i]!);
    const fitted = await head.fit(some, own, {}, context({ classes, classWeights: "balanced" }));
    const graph = emptyGraph("head");
    const input = build(graph).input("features", "float32", ["batch", 5]);
    graph.outputs.push(fitted.append(graph, input));
    const session = await runtime.load(writeModel(modelOf(graph, 17)));
    const { data } = unseen.features;
    const results = await session.run({ features: float32([40, 5], data) });
    const given = results[graph.outputs[0]!.name]!;
    expect(given.shape).toEqual([40, classes]);
    const expected = fitted.predict(unseen.features).data;
    for (const [k, p] of (given.data as Float32Array).entries())
      expect(Math.abs(p - expected[k]!)).toBeLessThan(1e-5);
    await session.close();
  });

  test("a heavier class gains probability", async () => {
    const mass = async (classWeights: number[]) => {
      const p = (await head.fit(features, labels, {}, context({ classWeights }))).predict(unseen.features);
      return p.data.reduce((sum, value, at) => sum + (at % 3 === 0 ? value : 0), 0);
    };
    expect(await mass([8, 1, 1])).toBeGreaterThan(await mass([1, 1, 1]));
  });

  test("refuses by name what it cannot learn from or answer", async () => {
    const fit = (x: Matrix, y: Int32Array, settings = {}, extra = {}) =>
      head.fit(x, y, settings, context(extra));
    const broken = matrix(60, 5, features.data.slice());
    broken.data[12] = Number.NaN;
    await expect(fit(broken, labels)).rejects.toThrow(/row 2 has a feature that is NaN/);
    await expect(
      fit(
        features,
        labels.map((y) => Math.min(y, 1)),
      ),
    ).rejects.toThrow(/class 2 has no training/);
    await expect(fit(features, labels.subarray(1))).rejects.toThrow(/60 rows of features have 59 labels/);
    await expect(fit(features, labels, {}, { classWeights: [1, 2] })).rejects.toThrow(/class weights/);
    await expect(fit(features, labels, { colour: 1 })).rejects.toThrow(/no setting "colour"/);
    const fitted = await fit(features, labels);
    expect(() => fitted.predict(matrix(2, 4))).toThrow(/5 features a row, got 4/);
    expect(() => fitted.predict(matrix(1, 5, Float32Array.of(0, 1, Number.NaN, 2, 3)))).toThrow(/NaN/);
  });

  test("sparse features are learnt from as dense ones are, or refused in one sentence", async () => {
    const sparse = {
      rows: 60,
      columns: 5,
      offsets: Int32Array.from({ length: 61 }, (_, i) => 5 * i),
      indices: Int32Array.from({ length: 300 }, (_, k) => k % 5),
      values: features.data,
    };
    if (head.denseOnly) {
      await expect(head.fit(sparse, labels, {}, context())).rejects.toThrow(/sparse features/);
      return;
    }
    const dense = (await head.fit(features, labels, {}, context())).predict(features).data;
    const other = (await head.fit(sparse, labels, {}, context())).predict(sparse).data;
    for (const [k, p] of other.entries()) expect(Math.abs(p - dense[k]!)).toBeLessThan(1e-5);
  });
});

import * as module from "onnxruntime-node";
import { expect, test } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32, type Matrix, matrix } from "../tensor.ts";
import type { Head } from "./head.ts";
import * as heads from "./index.ts";

const all = Object.entries(heads as Record<string, Head>);
const labels = Int32Array.from({ length: 40 }, (_, i) => i % 2);
const context = () => ({ classes: 2, random: random(3) });

/** Rows as averages of rectified maps are: none below 0, many 0, a few large. */
function rectified(seed: number): Matrix {
  const source = random(seed);
  const data = Float32Array.from({ length: 40 * 6 }, (_, o) => {
    const isOwn = o % 2 === labels[Math.floor(o / 6)];
    return Math.max(0, Math.exp(source.normal()) - (isOwn ? 0.3 : 0.9));
  });
  return matrix(40, 6, data);
}

const features = rectified(1);
const unseen = rectified(2);
const rootsOf = (x: Matrix) => matrix(x.rows, x.columns, x.data.map(Math.sqrt));

test.each(all)("%s learns from roots of dense features of which none is below 0", async (_, head) => {
  const fitted = await head.fit(features, labels, {}, context());
  const byHand = await head.fit(rootsOf(features), labels, { root: "off" }, context());
  expect(fitted.chosen).toEqual({ ...byHand.chosen, root: "on" });
  expect(fitted.predict(unseen)).toEqual(byHand.predict(rootsOf(unseen)));
  const plain = await head.fit(features, labels, { root: "off" }, context());
  expect(plain.predict(unseen)).not.toEqual(fitted.predict(unseen));
});

test.each(all)("%s takes no roots where a feature is below 0, or lengths are kept", async (_, head) => {
  const lower = matrix(40, 6, features.data.slice());
  lower.data[7] = -0.01;
  expect((await head.fit(lower, labels, {}, context())).chosen).not.toHaveProperty("root");
  const kept = "normalise" in head.options ? { normalise: false } : { metric: "euclidean" };
  expect((await head.fit(features, labels, kept, context())).chosen).not.toHaveProperty("root");
});

test.each(all)("%s: its graph takes the same roots, and of what is below 0 none", async (_, head) => {
  const fitted = await head.fit(features, labels, {}, context());
  const asked = matrix(40, 6, unseen.data.slice());
  asked.data[3] = -0.5;
  const graph = emptyGraph("head");
  graph.outputs.push(fitted.append(graph, build(graph).input("features", "float32", ["batch", 6])));
  const session = await ort(module as never).load(writeModel(modelOf(graph, 17)));
  const results = await session.run({ features: float32([40, 6], asked.data) });
  const expected = fitted.predict(asked).data;
  for (const [k, p] of (results[graph.outputs[0]!.name]!.data as Float32Array).entries())
    expect(Math.abs(p - expected[k]!)).toBeLessThan(1e-5);
  await session.close();
});

test("sparse features keep their values", async () => {
  const sparse = {
    rows: 40,
    columns: 6,
    offsets: Int32Array.from({ length: 41 }, (_, i) => 6 * i),
    indices: Int32Array.from({ length: 240 }, (_, k) => k % 6),
    values: features.data,
  };
  const fitted = await heads.logistic.fit(sparse, labels, {}, context());
  expect(fitted.chosen).not.toHaveProperty("root");
});

test("rows read in blocks are rooted as those in memory are", async () => {
  const source = {
    rows: 40,
    columns: 6,
    async *blocks() {
      for (let at = 0; at < 40; at += 8) yield matrix(8, 6, features.data.slice(at * 6, (at + 8) * 6));
    },
  };
  const settings = { tolerance: 1e-9, strength: 1 };
  const streamed = await heads.logistic.fitBlocks!(source, labels, settings, context());
  const inMemory = await heads.logistic.fit(features, labels, settings, context());
  expect(streamed.chosen).toEqual(inMemory.chosen);
  const expected = inMemory.predict(unseen).data;
  for (const [k, p] of streamed.predict(unseen).data.entries()) expect(p).toBeCloseTo(expected[k]!, 4);
});

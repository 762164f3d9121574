import * as module from "onnxruntime-node";
import { expect, test } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32, type Matrix, matrix } from "../tensor.ts";
import { logistic } from "./logistic.ts";

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

test("asked for, roots are what is learnt from", async () => {
  const fitted = await logistic.fit(features, labels, { root: "on" }, context());
  const byHand = await logistic.fit(rootsOf(features), labels, { root: "off" }, context());
  expect(fitted.chosen).toEqual({ ...byHand.chosen, root: "on" });
  expect(fitted.predict(unseen)).toEqual(byHand.predict(rootsOf(unseen)));
});

test("on auto, probabilities lie between those of both ways, the more probable way weighing more", async () => {
  const of = (settings: object) => logistic.fit(features, labels, settings, context());
  const [fitted, plain, rooted] = [await of({ root: "auto" }), await of({}), await of({ root: "on" })];
  const share = Number(String(fitted.chosen.root).replace("weight ", ""));
  expect(share > 0.5).toBe(rooted.heldOutLoss! < plain.heldOutLoss!);
  const [p, a, b] = [fitted, plain, rooted].map((one) => one.predict(unseen).data);
  for (const [i, value] of p!.entries()) {
    expect(value).toBeCloseTo((1 - share) * a![i]! + share * b![i]!, 4);
  }
  expect(a).not.toEqual(b);
});

test("no roots where a feature is below 0, lengths are kept, or the strength is given", async () => {
  const lower = matrix(40, 6, features.data.slice());
  lower.data[7] = -0.01;
  expect((await logistic.fit(lower, labels, { root: "auto" }, context())).chosen).not.toHaveProperty("root");
  for (const given of [{ normalise: false }, { strength: 1 }])
    expect(
      (await logistic.fit(features, labels, { ...given, root: "auto" }, context())).chosen,
    ).not.toHaveProperty("root");
});

test.each(["auto", "on"])("the graph takes the same roots, and of what is below 0 none: %s", async (root) => {
  const fitted = await logistic.fit(features, labels, { root }, context());
  expect(fitted.chosen).toHaveProperty("root");
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
  const fitted = await logistic.fit(sparse, labels, { root: "auto" }, context());
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
  const settings = { tolerance: 1e-9, strength: 1, root: "on" };
  const streamed = await logistic.fitBlocks!(source, labels, settings, context());
  const inMemory = await logistic.fit(features, labels, settings, context());
  expect(streamed.chosen).toEqual(inMemory.chosen);
  const expected = inMemory.predict(unseen).data;
  for (const [k, p] of streamed.predict(unseen).data.entries()) expect(p).toBeCloseTo(expected[k]!, 4);
});

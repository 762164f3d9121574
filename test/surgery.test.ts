import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import {
  build,
  defaultLayer,
  emptyGraph,
  type FeatureModel,
  featureModel,
  float32,
  freeBatch,
  ints,
  listLayers,
  type Model,
  random,
  readModel,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import { describe, expect, it } from "vitest";

const ort = createRequire(new URL("../packages/node/package.json", import.meta.url))(
  "onnxruntime-node",
) as typeof import("onnxruntime-node");

const data = process.env.GRAFT_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
// The two largest of the networks have the same kinds of layers as these.
const networks = ["mobilenet_v1_0.25_128", "mobilenet_v2_1.0_224", "doodlenet_28"];

/** The rows of the first `counts[i]` of four inputs, for each i. */
async function rowsOf({ model, dimension, inputs }: FeatureModel, counts: readonly number[]) {
  const session = await ort.InferenceSession.create(writeModel(model), { logSeverityLevel: 4 });
  const [name, shape] = [inputs[0]!.name, inputs[0]!.shape!.slice(1) as number[]];
  const size = shape.reduce((a, b) => a * b, 1);
  const pixels = Float32Array.from({ length: 4 * size }, (_, i) => Math.sin(i * 0.37) / 2 + 0.5);
  const results: Float32Array[] = [];
  for (const n of counts) {
    const feed = new ort.Tensor("float32", pixels.slice(0, n * size), [n, ...shape]);
    const { features } = await session.run({ [name]: feed });
    expect(features!.dims).toEqual([n, dimension]);
    results.push(features!.data as Float32Array);
  }
  await session.release();
  return results;
}

/** The largest difference, relative to the largest number. */
function farthest(a: Float32Array, b: Float32Array): number {
  const scale = a.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-6);
  return a.reduce((most, one, i) => Math.max(most, Math.abs(one - b[i]!)), 0) / scale;
}

describe.each(networks)("layers of %s", (name) => {
  const path = `${data}/models/${name}/model.onnx`;
  const there = existsSync(path);
  if (!there) console.info(`skipped: there is no ${path}`);

  it.skipIf(!there)("give finite rows, each the same in any batch", async () => {
    const model = readModel(readFileSync(path), { source: name });
    const layers = listLayers(model);
    expect(layers.filter((layer) => layer.default).map((layer) => layer.name)).toEqual([
      defaultLayer(model).name,
    ]);
    for (const { name: layer } of layers) {
      const made = featureModel(model, { layer });
      const [one, three] = await rowsOf(made, [1, 3]);
      expect(three!.every(Number.isFinite), layer).toBe(true);
      expect(farthest(one!, three!.subarray(0, made.dimension)), layer).toBeLessThan(1e-4);
    }
  });
});

/** Runs a model once: its first output. */
async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<number[]> {
  const session = await ort.InferenceSession.create(writeModel(model), { logSeverityLevel: 4 });
  const given = Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
    name,
    new ort.Tensor(dtype as never, data as never, shape),
  ]);
  const results = await session.run(Object.fromEntries(given));
  await session.release();
  return Array.from(Object.values(results)[0]!.data as Float32Array);
}

function modelOf(graph: Model["graph"]): Model {
  return {
    graph,
    opsets: new Map([["", 17]]),
    irVersion: 8,
    producer: { name: "", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}

describe("pooling", () => {
  const g = build(emptyGraph());
  const ids = g.input("input_ids", "int64", ["n", "t"]);
  g.input("attention_mask", "int64", ["n", "t"]);
  const table = float32([4, 2], [0, 0, 1, -1, 2, -2, 9, -9]);
  g.graph.outputs.push(g.apply("Gather", [table, ids], {}, { name: "words" }));
  const integers = (values: number[]): Tensor => ({
    dtype: "int64",
    shape: [2, 3],
    data: BigInt64Array.from(values, BigInt),
  });
  const feeds = { input_ids: integers([1, 2, 3, 2, 3, 3]), attention_mask: integers([1, 1, 0, 1, 0, 0]) };

  it("leaves padding out of the average and of the largest", async () => {
    const model = modelOf(g.graph);
    expect(await run(featureModel(model).model, feeds)).toEqual([1.5, -1.5, 2, -2]);
    expect(await run(featureModel(model, { pooling: "max" }).model, feeds)).toEqual([2, -1, 2, -2]);
  });

  it("takes the first token", async () => {
    const { model } = featureModel(modelOf(g.graph), { pooling: "cls" });
    expect(await run(model, { input_ids: feeds.input_ids })).toEqual([1, -1, 2, -2]);
  });
});

describe("a network exported for one item", () => {
  // Attention as PyTorch writes it: time first, heads folded into the batch, then all rows in one matrix.
  const noise = random(3);
  const weights = (...shape: number[]) =>
    float32(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => noise.normal()),
    );
  const g = build(emptyGraph());
  const x = g.input("x", "float32", [1, 4, 6]);
  const tokens = g.apply("Concat", [g.constant(weights(1, 1, 6)), x], { axis: 1 });
  const first = g.apply("Transpose", [tokens], { perm: [1, 0, 2] });
  const fold = (stem: number) => {
    const projected = g.apply("MatMul", [first, weights(6, 6)], {}, { name: `projected${stem}` });
    return g.apply("Transpose", [g.apply("Reshape", [projected, ints([5, 2, 3])])], { perm: [1, 0, 2] });
  };
  const [queries, keys, values] = [fold(0), fold(1), fold(2)];
  const scores = g.apply("MatMul", [queries, g.apply("Transpose", [keys], { perm: [0, 2, 1] })]);
  const mixed = g.apply("MatMul", [g.apply("Softmax", [scores], { axis: -1 }), values]);
  const rows = g.apply("Reshape", [g.apply("Transpose", [mixed], { perm: [1, 0, 2] }), ints([5, 6])]);
  const back = g.apply("Reshape", [g.apply("Gemm", [rows, weights(6, 6)]), ints([5, 1, 6])]);
  g.graph.outputs.push(g.apply("Transpose", [back], { perm: [1, 0, 2] }));

  it("gives each of three items at once what it gives it alone", async () => {
    const model = modelOf(g.graph);
    const items = weights(3, 4, 6).data as Float32Array;
    const together = await run(freeBatch(model), { x: float32([3, 4, 6], items) });
    for (let i = 0; i < 3; i++) {
      const alone = await run(model, { x: float32([1, 4, 6], items.slice(i * 24, (i + 1) * 24)) });
      for (const [j, one] of alone.entries()) expect(together[i * 30 + j]).toBeCloseTo(one, 5);
    }
  });
});

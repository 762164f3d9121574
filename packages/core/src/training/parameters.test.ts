import { existsSync, readFileSync } from "node:fs";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Model, Value } from "../ir/graph.ts";
import { readModel } from "../onnx/read.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32, sizeOf, type Tensor } from "../tensor.ts";
import { initialise } from "./initialise.ts";
import { layerGroups, matchesGlob, parametersOf, selectParameters } from "./parameters.ts";
import { withParameters } from "./plan.ts";
import { transferParameters } from "./transfer-parameters.ts";
import { layerRates, unfreezingStages } from "./unfreezing.ts";

const runtime = ort(module as never);

/** Embedding, two blocks (one with batch normalization), a mask, a bound, a head. */
function network({ width = 4, classes = 3, head = "head" } = {}): Model {
  const graph = emptyGraph();
  const b = build(graph);
  const filled = (name: string, value: number, ...shape: number[]) =>
    b.constant(float32(shape, new Float32Array(sizeOf(shape)).fill(value)), name);
  let x: Value = b.apply("Gather", [
    filled("embeddings.weight", 1, 10, width),
    b.input("ids", "int64", ["n", 6]),
  ]);
  x = b.apply("MatMul", [x, filled("onnx::MatMul_7", 1, width, 8)], {}, { name: "/layers.0/dense/MatMul" });
  x = b.apply("Add", [x, filled("layers.0.dense.bias", 1, 8)]);
  x = b.apply("Clip", [x, filled("c0", 0), filled("c6", 6, 1)]);
  x = b.apply("Add", [x, filled("mask", -1e9, 1, 6, 8)]);
  x = b.apply("Transpose", [x], { perm: [0, 2, 1] });
  x = b.apply("Conv", [x, filled("layers.1.conv.weight", 1, 8, 8, 3)], { pads: [1, 1] });
  const norm = ["weight", "bias", "running_mean", "running_var"].map((end) =>
    filled(`layers.1.norm.${end}`, 2, 8),
  );
  x = b.apply("Relu", [b.apply("BatchNormalization", [x, ...norm])]);
  x = b.apply("ReduceMean", [x], { axes: [2], keepdims: 0 });
  x = b.apply("Gemm", [x, filled(`${head}.weight`, 1, classes, 8), filled(`${head}.bias`, 1, classes)], {
    transB: 1,
  });
  graph.outputs.push(x);
  return modelOf(graph);
}
const tensorsOf = (model: Model) =>
  new Map([...model.graph.initializers].map(([value, tensor]) => [value.name, tensor]));

describe("parameters of a network", () => {
  it("are what operators learn, in forward order, with role, layer and block", () => {
    const found = parametersOf(network()).map(({ name, role, layer, group }) => [name, role, layer, group]);
    expect(found).toEqual([
      ["embeddings.weight", "embedding", "embeddings", "embeddings"],
      ["onnx::MatMul_7", "weight", "layers.0.dense", "layers.0"],
      ["layers.0.dense.bias", "bias", "layers.0.dense", "layers.0"],
      ["layers.1.conv.weight", "weight", "layers.1.conv", "layers.1"],
      ["layers.1.norm.weight", "scale", "layers.1.norm", "layers.1"],
      ["layers.1.norm.bias", "shift", "layers.1.norm", "layers.1"],
      ["layers.1.norm.running_mean", "statistic", "layers.1.norm", "layers.1"],
      ["layers.1.norm.running_var", "statistic", "layers.1.norm", "layers.1"],
      ["head.weight", "weight", "head", "head"],
      ["head.bias", "bias", "head", "head"],
    ]);
    expect(layerGroups(network()).map(({ name }) => name)).toEqual([
      "embeddings",
      "layers.0",
      "layers.1",
      "head",
    ]);
  });

  it("are chosen by pattern, depth and role; what matches nothing is an error", () => {
    const choose = (selection: Parameters<typeof selectParameters>[1]) =>
      selectParameters(network(), selection);
    expect(choose({ match: ["layers.1"] })).toEqual([
      "layers.1.conv.weight",
      "layers.1.norm.weight",
      "layers.1.norm.bias",
    ]);
    expect(choose({ match: ["layers.*.norm"], roles: ["statistic"] })).toHaveLength(2);
    expect(choose({ last: 1 })).toEqual(["head.weight", "head.bias"]);
    expect(choose({ last: 2, roles: ["bias", "shift"] })).toEqual(["layers.1.norm.bias", "head.bias"]);
    expect(choose({})).toHaveLength(8);
    expect(() => choose({ match: ["layer.1"] })).toThrow(/"layer\.1"/);
    expect(() => choose({ match: ["embeddings"], roles: ["bias"] })).toThrow(/no parameter/);
    expect([
      matchesGlob("a.*.c", "a.b.c"),
      matchesGlob("a.*", "a.b.c"),
      matchesGlob("a.**", "a.b.c"),
    ]).toEqual([true, false, true]);
    expect(matchesGlob("a+b[0]", "aab0")).toBe(false);
    for (const name of ["onnx::MatMul_714", "/encoder/layer.0-1/{x}|(y)$^?\\", "層 é😀"])
      expect(matchesGlob(name, name)).toBe(true);
  });

  it("train slower the deeper they lie, and are freed from the top", () => {
    const rate = layerRates(network());
    const of = (name: string) => (rate(name) as { rate: number }).rate;
    expect([of("head.bias"), of("layers.1.conv.weight"), of("embeddings.weight")]).toEqual([
      1,
      1 / 2.6,
      2.6 ** -3,
    ]);
    const stages = unfreezingStages(network());
    expect(stages.map((names) => names.length)).toEqual([2, 5, 7, 8]);
    expect(stages[0]).toEqual(["head.weight", "head.bias"]);
    expect(unfreezingStages(network(), { step: 3, stages: 5 })).toHaveLength(2);
  });
});

describe("initialised anew", () => {
  it("every parameter follows its rule, and a seed says all numbers", () => {
    const made = initialise(network(), random(4));
    expect(made).toEqual(initialise(network(), random(4)));
    expect(made).not.toEqual(initialise(network(), random(5)));
    expect([...made.keys()]).toEqual(parametersOf(network()).map(({ name }) => name));
    const deviation = (name: string) => {
      const data = made.get(name)!.data as Float32Array;
      return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    };
    expect(deviation("onnx::MatMul_7")).toBeCloseTo(Math.sqrt(2 / 4), 0); // behind it, past the bias, a Clip
    expect(deviation("layers.1.conv.weight")).toBeGreaterThan(0.8 * Math.sqrt(2 / 24));
    expect(deviation("layers.1.conv.weight")).toBeLessThan(1.2 * Math.sqrt(2 / 24));
    expect(deviation("embeddings.weight")).toBeLessThan(0.03);
    expect([...(made.get("layers.1.norm.running_var")!.data as Float32Array)]).toEqual(new Array(8).fill(1));
    expect([...(made.get("layers.1.norm.running_mean")!.data as Float32Array)]).toEqual(new Array(8).fill(0));
    expect([...(made.get("layers.0.dense.bias")!.data as Float32Array)]).toEqual(new Array(8).fill(0));
  });
});

const path = new URL("../../../../../shared/data/models/mobilenet_v2_1.0_224/model.onnx", import.meta.url);
if (!existsSync(path))
  console.info(`initialise: ${path.pathname} is absent, so MobileNetV2 is not drawn anew`);
it.skipIf(!existsSync(path))(
  "a deep residual net without norms keeps its signal when drawn anew",
  async () => {
    const model = readModel(readFileSync(path));
    expect(layerGroups(model).length).toBe(20); // stem, 17 blocks, last convolution, classifier
    const anew = withParameters(model, initialise(model, random(1)));
    const session = await runtime.load(writeModel(anew));
    const source = random(2);
    const x = float32(
      [1, 3, 224, 224],
      Float32Array.from({ length: 3 * 224 * 224 }, () => source.normal()),
    );
    const { features } = await session.run({ input: x }, ["features"]);
    const mean = (features!.data as Float32Array).reduce((sum, y) => sum + y, 0) / 1280;
    expect(mean).toBeGreaterThan(0.02);
    expect(mean).toBeLessThan(3);
  },
);

describe("parameters from one model to another", () => {
  it("go by name and shape, and what would stay random must be allowed", () => {
    const from = withParameters(network(), initialise(network(), random(3)));
    const to = network({ classes: 5 });
    expect(() => transferParameters(from, to)).toThrow(/2 parameters get nothing.*head\.weight.*\[3, 8\]/);
    const { model, taken, skipped, missing } = transferParameters(from, to, { allowMissing: ["head.*"] });
    expect(missing).toEqual(["head.weight", "head.bias"]);
    expect(skipped.map(({ name }) => name)).toEqual(["head.weight", "head.bias"]);
    expect(skipped[0]!.why).toBe("its shape is [3, 8], the target's [5, 8]");
    expect(taken.length).toBe(8);
    const [source, target] = [tensorsOf(from), tensorsOf(model)];
    for (const { name } of taken) expect(target.get(name)).toBe(source.get(name));
    expect(target.get("head.weight")).toEqual(tensorsOf(to).get("head.weight"));
  });

  it("come from PyTorch's names, dense weights turned", () => {
    const to = network();
    const torch = new Map<string, Tensor>();
    for (const { name, tensor } of parametersOf(to)) torch.set(`bert.${name}`, tensor);
    torch.delete("bert.onnx::MatMul_7");
    const dense = float32(
      [8, 4],
      Float32Array.from({ length: 32 }, (_, i) => i),
    );
    torch.set("bert.layers.0.dense.weight", dense);
    torch.set("cls.predictions.bias", float32([2], [1, 2]));
    const { model, taken, skipped, missing } = transferParameters(torch, to);
    expect(missing).toEqual([]);
    expect(taken.find(({ name }) => name === "onnx::MatMul_7")).toEqual({
      name: "onnx::MatMul_7",
      from: "bert.layers.0.dense.weight",
      transposed: true,
    });
    expect((tensorsOf(model).get("onnx::MatMul_7")!.data as Float32Array).subarray(0, 3)).toEqual(
      Float32Array.of(0, 4, 8),
    );
    expect(skipped).toEqual([
      { name: "cls.predictions.bias", why: "the target has no parameter of this name" },
    ]);
  });
});

import { existsSync, readFileSync } from "node:fs";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../data/safetensors.ts";
import { type Builder, build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";
import { prune } from "../ir/prune.ts";
import { readModel } from "../onnx/read.ts";
import { writeModel } from "../onnx/write.ts";
import { adamw } from "../optim/index.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { float32, sizeOf, type Tensor } from "../tensor.ts";
import { readAdapter, writeAdapter } from "./adapter-files.ts";
import { adapterParameters, addLora, mergeLora } from "./lora.ts";
import { classTargets, crossEntropy } from "./losses.ts";
import { planTraining, withParameters } from "./plan.ts";
import { train } from "./train.ts";

const runtime = ort(module as never);
const draw = (seed: number, shape: number[], scale = 0.5) => {
  const source = random(seed);
  return float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => scale * source.normal()),
  );
};

/** Convolutions (one grouped), a Gemm of each layout with a factor. */
function convolutional(): Model {
  const graph = emptyGraph();
  const b = build(graph);
  const w = (name: string, seed: number, ...shape: number[]) => b.constant(draw(seed, shape), name);
  let x = b.input("x", "float32", [4, 3, 8, 8]);
  x = b.apply("Conv", [x, w("stem.weight", 1, 6, 3, 3, 3), w("stem.bias", 2, 6)], {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  });
  x = b.apply("Relu", [x]);
  x = b.apply("Conv", [x, w("depthwise.weight", 3, 6, 1, 3, 3)], { group: 6, pads: [1, 1, 1, 1] });
  x = b.apply("Conv", [x, w("point.weight", 4, 5, 6, 1, 1)]);
  x = b.apply("Flatten", [b.apply("GlobalAveragePool", [x])]);
  x = b.apply("Gemm", [x, w("hidden.weight", 5, 7, 5), w("hidden.bias", 6, 7)], { transB: 1, alpha: 0.5 });
  x = b.apply("Gemm", [b.apply("Tanh", [x]), w("head.weight", 7, 7, 2)]);
  graph.outputs.push(x);
  return modelOf(graph);
}

/** One head of attention and a feed-forward layer, weights named as exports of PyTorch name them. */
function transformer(): Model {
  const graph = emptyGraph();
  const b = build(graph);
  const x = b.input("x", "float32", [4, 5, 6]);
  let count = 100;
  const dense = (scope: string, input: ReturnType<Builder["input"]>, from: number, to: number) => {
    const weight = b.constant(draw(count++, [from, to]), `onnx::MatMul_${count}`);
    const product = b.apply("MatMul", [input, weight], {}, { name: `/encoder/layer.0/${scope}/MatMul` });
    return b.apply("Add", [
      b.constant(draw(count++, [to]), `encoder.layer.0.${scope.replace("/", ".")}.bias`),
      product,
    ]);
  };
  const [q, k, v] = ["query", "key", "value"].map((name) => dense(`attention/${name}`, x, 6, 6)) as [
    typeof x,
    typeof x,
    typeof x,
  ];
  const weights = b.apply(
    "Softmax",
    [b.apply("MatMul", [q, b.apply("Transpose", [k], { perm: [0, 2, 1] })])],
    { axis: -1 },
  );
  const mixed = b.apply("Add", [x, b.apply("MatMul", [weights, v])]);
  const normed = b.apply("LayerNormalization", [
    mixed,
    b.constant(draw(1, [6]), "norm.weight"),
    b.constant(draw(2, [6]), "norm.bias"),
  ]);
  const out = dense("out", b.apply("Tanh", [dense("in", normed, 6, 9)]), 9, 2);
  graph.outputs.push(b.apply("ReduceMean", [out], { axes: [1], keepdims: 0 }));
  return modelOf(graph);
}

const run = async (model: Model, x: Tensor) => {
  const session = await runtime.load(writeModel(model));
  const result = (await session.run({ [session.inputNames[0]!]: x }))[session.outputNames[0]!]!;
  await session.close();
  return result.data as Float32Array;
};

async function trained(model: Model, shape: number[], targets?: readonly string[]) {
  const { model: adapted, adapter } = addLora(model, {
    rank: 2,
    alpha: 6,
    random: random(9),
    ...(targets && { targets }),
  });
  const names = new Set(adapterParameters(adapter));
  const classes = 2;
  const plan = planTraining(adapted, {
    train: (name) => names.has(name),
    loss: (g, graph, input) =>
      crossEntropy(g, graph.outputs[0]!, input("targets", "float32", [shape[0]!, classes])),
  });
  const batches = (): Iterable<Feeds> => [
    { x: draw(8, shape, 1), targets: classTargets([0, 1, 1, 0], classes) },
  ];
  const { losses, parameters } = await train(plan, {
    runtime,
    optimizer: adamw,
    rate: 0.02,
    epochs: 25,
    batches,
  });
  return { adapted, adapter, losses, parameters };
}

const networks: [string, () => Model, number[], string[]][] = [
  ["a convolutional net", convolutional, [4, 3, 8, 8], ["stem", "point", "hidden", "head"]],
  [
    "a transformer",
    transformer,
    [4, 5, 6],
    ["attention.query", "attention.key", "attention.value", "in", "out"].map(
      (name) => `encoder.layer.0.${name}`,
    ),
  ],
];

describe.each(networks)("LoRA on %s", (_, network, shape, layers) => {
  it("changes nothing at first, learns, and merged computes the same within 1e-5", async () => {
    const x = draw(21, shape, 1);
    const { adapted, adapter, losses, parameters } = await trained(network(), shape);
    expect(adapter.layers.map(({ layer }) => layer)).toEqual(layers);
    const source = await run(network(), x);
    const first = await run(adapted, x);
    for (const [i, y] of first.entries()) expect(y).toBeCloseTo(source[i]!, 6);
    expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]!);
    const beside = await run(withParameters(adapted, parameters), x);
    const merged = mergeLora(network(), adapter, parameters);
    expect(merged.graph.nodes.length).toBe(network().graph.nodes.length);
    const largest = Math.max(...beside.map(Math.abs));
    for (const [i, y] of (await run(merged, x)).entries())
      expect(Math.abs(y - beside[i]!)).toBeLessThan(1e-5 * Math.max(1, largest));
    expect(Math.max(...beside.map((y, i) => Math.abs(y - source[i]!)))).toBeGreaterThan(0.05);
  });

  it("is stored apart in PEFT's names and layouts, and read back is the same model", async () => {
    const { adapted, adapter, parameters } = await trained(network(), shape);
    const files = writeAdapter(adapter, parameters, "base");
    const weights = files["adapter_model.safetensors"] as Uint8Array;
    const config = files["adapter_config.json"] as string;
    const { tensors } = readSafetensors(weights);
    const last = `base_model.model.${layers.at(-1)}`;
    const [A, B] = [tensors.get(`${last}.lora_A.weight`)!, tensors.get(`${last}.lora_B.weight`)!];
    expect([A.shape[0], B.shape[1], B.shape[0]]).toEqual([2, 2, 2]);
    expect(JSON.parse(config)).toMatchObject({
      peft_type: "LORA",
      r: 2,
      lora_alpha: 6,
      target_modules: layers,
    });
    const again = readAdapter(network(), { weights, config });
    const x = draw(22, shape, 1);
    expect(await run(again.model, x)).toEqual(await run(withParameters(adapted, parameters), x));
    expect(again.parameters).toEqual(parameters);
    expect(() => readAdapter(network(), { weights, config: config.replace("LORA", "LOHA") })).toThrow(
      /no plain LoRA/,
    );
    const more = JSON.parse(config);
    more.r = 3;
    expect(() => readAdapter(network(), { weights, config: JSON.stringify(more) })).toThrow(
      /but the model needs/,
    );
  });
});

it("LoRA goes where it is told, and says where it cannot", () => {
  const { adapter } = addLora(convolutional(), { targets: ["h*"], random: random(1) });
  expect(adapter.layers.map(({ layer }) => layer)).toEqual(["hidden", "head"]);
  expect(() => addLora(convolutional(), { targets: ["depthwise"], random: random(1) })).toThrow(
    /grouped convolution/,
  );
  expect(() => addLora(convolutional(), { targets: ["stemm"], random: random(1) })).toThrow(/"stemm"/);
  expect(() => addLora(convolutional(), { rank: 0, random: random(1) })).toThrow(/whole number/);
});

const path = new URL("../../../../../shared/data/models/mobilenet_v2_1.0_224/model.onnx", import.meta.url);
if (!existsSync(path)) console.info(`LoRA: ${path.pathname} is absent, so MobileNetV2 is not adapted`);
it.skipIf(!existsSync(path))("LoRA on MobileNetV2: merged equals adapters within 1e-5", async () => {
  const model = readModel(readFileSync(path));
  model.graph.outputs = model.graph.outputs.filter(({ name }) => name === "features");
  model.graph = prune(model.graph);
  const { model: adapted, adapter } = addLora(model, { rank: 4, random: random(3) });
  expect(adapter.layers.length).toBe(35); // of 52 convolutions below the features, 17 are depthwise
  const parameters = new Map<string, Tensor>();
  for (const [value, tensor] of adapted.graph.initializers) {
    if (!adapterParameters(adapter).includes(value.name)) continue;
    parameters.set(value.name, value.name.includes("lora_B") ? draw(5, [...tensor.shape], 0.005) : tensor);
  }
  const x = draw(6, [1, 3, 224, 224], 0.5);
  const beside = await run(withParameters(adapted, parameters), x);
  const merged = await run(mergeLora(model, adapter, parameters), x);
  const source = await run(model, x);
  const difference = (a: Float32Array, b: Float32Array) => Math.max(...a.map((y, i) => Math.abs(y - b[i]!)));
  expect(difference(merged, beside)).toBeLessThan(1e-5 * Math.max(1, ...beside));
  expect(difference(source, beside)).toBeGreaterThan(0.01);
});

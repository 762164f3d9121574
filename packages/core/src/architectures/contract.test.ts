import * as module from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { featureModel } from "../features/feature-model.ts";
import { defaultLayer, listLayers } from "../features/layers.ts";
import { firstDifference } from "../ir/compare.ts";
import { readModel } from "../onnx/read.ts";
import { writeModel } from "../onnx/write.ts";
import * as optimizers from "../optim/index.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { float32, int64, type Tensor } from "../tensor.ts";
import { trainBatchNorms } from "../training/batch-norms.ts";
import { classTargets, crossEntropy } from "../training/losses.ts";
import { parametersOf } from "../training/parameters.ts";
import { planTraining } from "../training/plan.ts";
import { train } from "../training/train.ts";
import type { Architecture } from "./architecture.ts";
import * as architectures from "./index.ts";

const runtime = ort(module as never);
/** Small enough for a test, deep enough for every kind of block to occur. */
const small: Readonly<Record<string, Record<string, number>>> = {
  "resnet-small": { size: 8, channels: 1, width: 4, stages: 2, depth: 1 },
  "mobilenet-small": { size: 16, channels: 1, width: 0.5, depth: 2, expansion: 2, output: 12 },
  "text-cnn": { vocabulary: 12, width: 8, filters: 4 },
  "transformer-small": { vocabulary: 12, length: 16, width: 8, depth: 2, heads: 2, expansion: 2 },
};
const all = Object.entries(architectures as Readonly<Record<string, Architecture>>);
const CLASSES = 2;

/** Images with a bright left or right half, texts of low or high ids; row i is of class i mod 2. */
function examples({ modality }: Architecture, rows: number, { size = 0 }: Record<string, number>): Feeds {
  const source = random(7);
  if (modality === "image") {
    const pixels = Array.from({ length: rows * size * size }, (_, i) => {
      const isRight = i % size >= size / 2;
      const row = Math.floor(i / (size * size));
      return (isRight === (row % 2 === 1) ? 1 : -1) + 0.5 * source.normal();
    });
    return { pixel_values: float32([rows, 1, size, size], pixels) };
  }
  const ids = Array.from({ length: rows * 6 }, (_, i) => (Math.floor(i / 6) % 2) * 5 + 1 + source.integer(5));
  return texts(rows, ids);
}

function texts(rows: number, ids: readonly number[], mask: readonly number[] = ids.map(() => 1)): Feeds {
  const shape = [rows, ids.length / rows];
  return { input_ids: int64(shape, ids), attention_mask: int64(shape, mask) };
}

describe.each(all)("%s", (name, architecture) => {
  const settings = small[name]!;
  const model = architecture.build(settings, random(3));

  test("says what it is and what can be set, and refuses what it has not", () => {
    expect(architecture.about.length).toBeGreaterThan(10);
    for (const option of Object.values(architecture.options)) expect(option.about.length).toBeGreaterThan(5);
    expect(() => architecture.build({ colour: 1 }, random(0))).toThrow(/no setting "colour"/);
    const [counted] = Object.keys(architecture.options) as [string];
    expect(() => architecture.build({ [counted]: 8.5 }, random(0))).toThrow(
      /must be a whole number, got 8.5/,
    );
  });

  test("is the same bytes for the same seed, other ones for another, and the same model when read again", () => {
    const bytes = writeModel(model);
    expect(writeModel(architecture.build(settings, random(3)))).toEqual(bytes);
    expect(writeModel(architecture.build(settings, random(4)))).not.toEqual(bytes);
    expect(firstDifference(readModel(bytes), model)).toBeNull();
  });

  test("takes any number of rows, each row giving what it gives alone", async () => {
    const made = featureModel(model);
    const session = await runtime.load(writeModel(made.model));
    const three = (await session.run(examples(architecture, 3, settings))).features!;
    const one = (await session.run(examples(architecture, 1, settings))).features!;
    expect(three.shape).toEqual([3, made.dimension]);
    expect(one.shape).toEqual([1, made.dimension]);
    const first = (three.data as Float32Array).slice(0, made.dimension);
    for (const [i, value] of (one.data as Float32Array).entries()) expect(first[i]).toBeCloseTo(value, 4);
    expect(new Set(first).size).toBeGreaterThan(1);
    await session.close();
  });

  test("has layers, the last of which is where features are taken", () => {
    const layers = listLayers(model);
    expect(layers.length).toBeGreaterThan(4);
    expect(defaultLayer(model).name).toBe(model.graph.outputs[0]!.name);
    expect(layers.find((layer) => layer.default)!.name).toBe(defaultLayer(model).name);
  });

  test("trains: every parameter gets a gradient and the loss falls", async () => {
    const rows = 8;
    const { model: trunk, dimension } = featureModel(model);
    const norms = trainBatchNorms(trunk);
    const parameters = parametersOf(trunk).filter(({ role }) => role !== "statistic");
    const feeds = examples(architecture, rows, settings);
    const shapes = Object.fromEntries(Object.entries(feeds).map(([input, { shape }]) => [input, shape]));
    const source = random(5);
    const head = float32(
      [dimension, CLASSES],
      Array.from({ length: dimension * CLASSES }, () => source.normal() / Math.sqrt(dimension)),
    );
    const names = new Set(parameters.map((parameter) => parameter.name));
    const plan = planTraining(norms.model, {
      train: (parameter) => names.has(parameter),
      shapes,
      outputs: norms.outputs,
      loss: (g, graph, input) =>
        crossEntropy(g, g.matmul(graph.outputs[0]!, head), input("targets", "float32", [rows, CLASSES])),
    });
    expect([...plan.gradients.keys()].sort()).toEqual([...names].sort());
    const labels = Array.from({ length: rows }, (_, i) => i % CLASSES);
    const batch = { ...feeds, targets: classTargets(labels, CLASSES) };
    const moved = new Set<string>();
    const session = await runtime.load(writeModel(plan.model));
    const start = Object.fromEntries(plan.parameters) as Record<string, Tensor>;
    const results = await session.run({ ...start, ...batch });
    for (const [parameter, gradient] of plan.gradients)
      if ((results[gradient]!.data as Float32Array).some((one) => Math.abs(one) > 1e-9)) moved.add(parameter);
    await session.close();
    // What an attention's key adds alike to all scores changes no weight, so that one bias has no slope.
    expect([...names].filter((one) => !moved.has(one) && !/key\.bias$/.test(one))).toEqual([]);
    const { losses } = await train(plan, {
      runtime,
      optimizer: optimizers.adamw,
      rate: 0.01,
      epochs: 25,
      batches: () => [batch],
      ...(norms.norms.length > 0 && { batchNorms: norms }),
    });
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!);
  });
});

describe.each(all.filter(([, { modality }]) => modality === "text"))("%s", (name, architecture) => {
  test("gives a text the same features however far it is padded", async () => {
    const { model } = featureModel(architecture.build(small[name]!, random(3)));
    const session = await runtime.load(writeModel(model));
    const ids = [3, 1, 4, 1, 5];
    const short = (await session.run(texts(1, ids))).features!.data as Float32Array;
    const padded = texts(1, [...ids, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0, 0]);
    const long = (await session.run(padded)).features!.data as Float32Array;
    for (const [i, value] of short.entries()) expect(long[i]).toBeCloseTo(value, 5);
    await session.close();
  });
});

test("a transformer refuses heads that its width cannot be shared by", () => {
  const { "transformer-small": transformer } = architectures;
  expect(() => transformer.build({ width: 10, heads: 4 }, random(0))).toThrow(
    /4 heads cannot share a width of 10/,
  );
});

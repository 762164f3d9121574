import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  build,
  emptyGraph,
  type Feeds,
  float32,
  type Input,
  type Model,
  modelOf,
  type Preprocessor,
  type Row,
  random,
  writeModel,
} from "@graft-ml/core";
import { afterAll, beforeAll, expect } from "vitest";
import { type OrtRuntime, ortRuntime } from "../packages/node/src/runtime/index.ts";
import type { FineTuneOptions } from "../packages/node/src/training/index.ts";

/** What the pictures show. */
export const classes = ["lying", "standing"];
/** A row of a text, which names a picture by its number. */
export const row = (text: string, label: string): Row => ({
  where: `row ${text}`,
  input: { kind: "text", text },
  label,
  split: null,
  group: null,
  weight: 1,
});
/**
 * Pictures named by a number: even ones have lying stripes, odd ones standing stripes, both at a random place
 * and noisy.
 */
export const pictures = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => row(String(from + i), classes[(from + i) % 2]!));
const SIDE = 8;
const drawn = (input: Input): number[] => {
  const number = Number((input as { text: string }).text);
  const source = random(number);
  const shift = source.integer(4);
  return Array.from({ length: SIDE * SIDE }, (_, i) => {
    const along = number % 2 === 0 ? Math.floor(i / SIDE) : i % SIDE;
    return ((along + shift) % 4 < 2 ? 1 : -1) + 1.2 * source.normal();
  });
};
/** Draws pictures [n, 1, 8, 8] by their numbers. */
export const stripes: Preprocessor = {
  kind: "image",
  fingerprint: "stripes",
  async prepare(inputs, change): Promise<Feeds> {
    const data = inputs.flatMap((input, i) => {
      const values = drawn(input);
      const by = change ? change.random(i).normal() * 0.1 : 0;
      return values.map((value) => value + by);
    });
    return { x: float32([inputs.length, 1, SIDE, SIDE], data) };
  },
  files: () => ({}),
};

/** A small network of three blocks over such pictures: features [batch, 10]. */
export function network(): Model {
  const graph = emptyGraph("trunk");
  const b = build(graph);
  const w = (name: string, seed: number, shape: number[], scale: number, around = 0) => {
    const source = random(seed);
    const size = shape.reduce((x, y) => x * y);
    return b.constant(
      float32(
        shape,
        Array.from({ length: size }, () => around + scale * source.normal()),
      ),
      name,
    );
  };
  let x = b.input("x", "float32", ["batch", 1, SIDE, SIDE]);
  x = b.apply("Conv", [x, w("block.0.weight", 1, [6, 1, 3, 3], 0.4), w("block.0.bias", 2, [6], 0.1)], {
    pads: [1, 1, 1, 1],
  });
  x = b.apply("Relu", [x]);
  x = b.apply("Conv", [x, w("block.1.weight", 3, [8, 6, 3, 3], 0.2)], {
    pads: [1, 1, 1, 1],
    strides: [2, 2],
  });
  const norm = ["weight", "bias", "running_mean", "running_var"] as const;
  const starts = norm.map((end, i) => w(`block.1.norm.${end}`, 4 + i, [8], 0.05, i === 0 || i === 3 ? 1 : 0));
  x = b.apply("Relu", [b.apply("BatchNormalization", [x, ...starts])]);
  x = b.apply("Conv", [x, w("block.2.weight", 8, [10, 8, 1, 1], 0.4), w("block.2.bias", 9, [10], 0.1)]);
  x = b.apply("Flatten", [b.apply("GlobalAveragePool", [b.apply("Relu", [x])])], {}, { name: "features" });
  graph.outputs.push(Object.assign(x, { dtype: "float32", shape: ["batch", 10] }));
  return modelOf(graph);
}

/** What executes the models of the tests of this file. */
export let runtime: OrtRuntime;
/** An empty folder for the tests of this file. */
export let folder: string;
beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1, spinning: false });
  folder = await mkdtemp(join(tmpdir(), "graft-tune-"));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

/** Options of `fineTune`, some of them others. */
export const usual = (more: Partial<FineTuneOptions> = {}): FineTuneOptions => ({
  trunk: network(),
  preprocessor: stripes,
  runtime,
  rows: pictures(0, 60),
  classes,
  method: "lp-ft",
  settings: { epochs: 4, learningRate: 0.01, depth: 2, batchSize: 8 },
  ...more,
});
/** How many rows a model has right, and its mean log loss. */
export async function quality(model: Model, preprocessor = stripes, rows = pictures(1000, 100)) {
  const session = await runtime.load(writeModel(model));
  let right = 0;
  let loss = 0;
  for (const one of rows) {
    const { probabilities, features } = await session.run(await preprocessor.prepare([one.input]));
    const p = probabilities!.data as Float32Array;
    const y = classes.indexOf(one.label!);
    expect(p[0]! + p[1]!).toBeCloseTo(1, 5);
    expect(features!.shape[0]).toBe(1);
    right += p[y]! > 0.5 ? 1 : 0;
    loss -= Math.log(p[y]!) / rows.length;
  }
  await session.close();
  return { right, loss };
}
/** Parameters by name. */
export const tensors = (model: Model) =>
  new Map([...model.graph.initializers].map(([value, tensor]) => [value.name, tensor.data as Float32Array]));

import { readFileSync } from "node:fs";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { sgd } from "../optim/index.ts";
import { ort } from "../runtime/ort.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { float32 } from "../tensor.ts";
import { trainBatchNorms } from "./batch-norms.ts";
import { squaredError } from "./losses.ts";
import { planTraining } from "./plan.ts";
import { train } from "./train.ts";

const { batchNorm } = JSON.parse(
  readFileSync(new URL("../../../../test/golden/training.json", import.meta.url), "utf8"),
);
const runtime = ort(module as never);

function network() {
  const graph = emptyGraph();
  const b = build(graph);
  const vector = (name: string, values: number[]) => b.constant(float32([3], values), name);
  const y = b.apply("BatchNormalization", [
    b.input("x", "float32", [4, 3, 2, 5]),
    vector("scale", [1, 1, 1]),
    vector("shift", [0, 0, 0]),
    vector("mean", batchNorm.start.mean),
    vector("variance", batchNorm.start.variance),
  ]);
  graph.outputs.push(y);
  return modelOf(graph);
}
function* batches(_: number, from: number): Iterable<Feeds> {
  for (const { shape, data } of batchNorm.batches.slice(from)) yield { x: float32(shape, data) };
}
const options = { runtime, optimizer: sgd, rate: 0, epochs: 1, batches };
const shape = [4, 3, 2, 5];
const loss =
  (which: number) =>
  (g: Parameters<typeof squaredError>[0], graph: { outputs: Parameters<typeof squaredError>[1][] }) =>
    squaredError(
      g,
      graph.outputs[0]!,
      g.constant(float32(shape, batchNorm.outputs[which].data)),
      g.constant(float32([], [1])),
    );

describe("batch normalization in training", () => {
  it("normalises by the batch and learns running statistics as PyTorch does", async () => {
    const batchNorms = trainBatchNorms(network());
    for (const [i] of batchNorm.batches.entries()) {
      const plan = planTraining(batchNorms.model, {
        train: (name) => name === "scale",
        loss: loss(i),
        outputs: batchNorms.outputs,
      });
      const only = (epoch: number) => [[...batches(epoch, 0)][i]!];
      const { losses } = await train(plan, { ...options, batches: only, batchNorms });
      expect(losses[0]).toBeLessThan(1e-8);
    }
    const plan = planTraining(batchNorms.model, {
      train: (name) => name === "scale",
      loss: loss(0),
      outputs: batchNorms.outputs,
    });
    const { parameters } = await train(plan, { ...options, batchNorms });
    for (const name of ["mean", "variance"])
      for (const [c, value] of batchNorm.end[name].entries())
        expect((parameters.get(name)!.data as Float32Array)[c]).toBeCloseTo(value, 5);
    expect([...parameters.keys()].sort()).toEqual(["mean", "scale", "variance"]);
  });

  it("keeps the source's statistics unless told to learn them", async () => {
    const plan = planTraining(network(), { train: (name) => name === "scale", loss: loss(0) });
    const { parameters, losses } = await train(plan, options);
    expect([...parameters.keys()]).toEqual(["scale"]);
    expect(losses[0]).toBeGreaterThan(1);
    expect(trainBatchNorms(network(), () => false).norms).toEqual([]);
  });
});

import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import { arenaOf } from "../optim/arena.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32 } from "../tensor.ts";
import { classTargets, crossEntropy } from "./losses.ts";
import { packing } from "./packing.ts";
import { planTraining } from "./plan.ts";

const runtime = ort(module as never);
const source = random(3);
const numbers = (shape: readonly number[]) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => source.normal() * 0.3),
  );

/** Forty layers of 3, more than travel together, and one weight too large to be packed. */
function network() {
  const graph = emptyGraph("deep");
  const b = build(graph);
  let x = b.input("x", "float32", [2, 3]);
  for (let i = 0; i < 40; i++) {
    const product = b.apply("MatMul", [x, b.constant(numbers([3, 3]), `w${i}`)]);
    x = b.apply("Add", [b.apply("Tanh", [product]), b.constant(numbers([3]), `b${i}`)]);
  }
  const wide = b.apply("Relu", [b.apply("MatMul", [x, b.constant(numbers([3, 2000]), "wide")])]);
  graph.outputs.push(b.apply("MatMul", [wide, b.constant(numbers([2000, 2]), "last")]));
  return modelOf(graph);
}
const plan = planTraining(network(), {
  train: () => true,
  loss: (g, graph, input) => crossEntropy(g, graph.outputs[0]!, input("targets", "float32", [2, 2])),
});
const batch = { x: numbers([2, 3]), targets: classTargets([0, 1], 2) };

describe("packing", () => {
  it("gives the loss and gradients of the model as it was, with few inputs and outputs", async () => {
    const arena = arenaOf(plan.parameters);
    const whole = await runtime.load(writeModel(plan.model));
    const expected = await whole.run({ ...batch, ...Object.fromEntries(plan.parameters) });
    const packed = packing(plan, arena, "cpu");
    const session = await runtime.load(writeModel(packed.model));
    expect(session.inputNames.length).toBeLessThan(9); // x, targets, three packets, "wide"
    expect(session.outputNames.length).toBeLessThan(7);
    const results = await session.run({ ...batch, ...packed.feeds() });
    const gradientOf = packed.gradientOf(results);
    expect(packed.loss(results)).toBeCloseTo(Number(expected[plan.loss]!.data[0]), 5);
    for (const [name, gradient] of plan.gradients) {
      const found = gradientOf(name);
      expect(found.length).toBe(expected[gradient]!.data.length);
      for (const [i, value] of (expected[gradient]!.data as Float32Array).entries())
        expect(Math.abs(found[i]! - value)).toBeLessThan(1e-5);
    }
    // The next run is fed what the arena has become.
    arena.data.fill(0);
    const zero = await session.run({ ...batch, ...packed.feeds() });
    expect(packed.loss(zero)).toBeCloseTo(Math.log(2), 5);
  });

  it("leaves devices alone that may bound the number of outputs of an operator", () => {
    expect(packing(plan, arenaOf(plan.parameters), "webgpu").model).toBe(plan.model);
  });
});

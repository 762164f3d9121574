import { describe, expect, it } from "vitest";
import { check, modelOf, runtime } from "../../../../test/central-differences.ts";
import {
  microsoft as microsoftSamples,
  type Sample,
  samples,
} from "../../../../test/gradient-samples/index.ts";
import { index, single } from "../../../../test/gradient-samples/sample.ts";
import { gradients } from "../autodiff/gradients.ts";
import { build, emptyGraph, float } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import type { Tensor } from "../tensor.ts";
import * as ops from "./index.ts";
import * as microsoft from "./microsoft/index.ts";
import type { Op } from "./op.ts";

/** Operators whose kernels or forms the runtime has only in other operator sets or types, with the reason. */
const UNSAMPLED: Record<string, string> = {
  Where: "its first input is a condition: tested apart below",
  Swish: "of operator set 24, which this runtime has no kernel for: tested apart below",
  ScatterND: "its indices stand between: tested apart below",
  ScatterElements: "its indices stand between: tested apart below",
  Gelu: "of operator set 20: tested apart below",
};

describe("gradient rules against central differences", () => {
  const differentiable = Object.entries(ops as Record<string, Op>).filter(
    ([, op]) => op.gradient !== null || op.decompose,
  );
  it.each(differentiable.map(([name]) => name))("%s", async (name) => {
    const own = samples[name] ?? [];
    if (name in UNSAMPLED) return;
    expect(own.length, `${name} needs a sample`).toBeGreaterThan(0);
    for (const [i, sample] of own.entries()) await check(name, sample, i, sample.opset);
  });
  it.each(Object.keys(microsoft))("com.microsoft %s", async (name) => {
    if (["EmbedLayerNormalization", "RotaryEmbedding"].includes(name)) return; // integers between: tested apart below
    expect(microsoftSamples[name]?.length, `${name} needs a sample`).toBeGreaterThan(0);
    for (const [i, sample] of microsoftSamples[name]!.entries())
      await check(name, sample, i, 17, [], null, "com.microsoft");
  });
  it("com.microsoft EmbedLayerNormalization", async () => {
    const integers = (values: number[]): Tensor => ({
      dtype: "int32",
      shape: [1, 3],
      data: Int32Array.from(values),
    });
    const sample = { x: [[5, 4], [4, 4], [2, 4], [4], [4]], outputs: 2, dtype: "float32" as const };
    await check(
      "EmbedLayerNormalization",
      sample,
      0,
      17,
      [integers([1, 4, 1]), integers([0, 1, 1])],
      null,
      "com.microsoft",
    );
  });
  it("com.microsoft RotaryEmbedding", async () => {
    const table = [4, 2];
    const sample = (shape: number[], attributes = {}): Sample => ({
      x: [shape, table, table],
      attributes,
      dtype: "float32",
    });
    const ids = index([0, 3, 1], [1, 3]);
    const run = (one: Sample, places: Tensor) =>
      check("RotaryEmbedding", one, 0, 17, [], places, "com.microsoft");
    await run(sample([1, 3, 8]), ids);
    await run(sample([1, 2, 3, 4], { interleaved: 1 }), ids);
    await run(sample([2, 3, 8]), index([1], [1]));
    await run(sample([1, 3, 12], { num_heads: 2, rotary_embedding_dim: 4 }), ids);
  });
  it("Swish, without its own kernel", async () => {
    for (const alpha of [1, 0.6]) {
      const graph = emptyGraph("swish");
      const b = build(graph);
      const x = b.input("x", "float64", [5]);
      const loss = b.apply("ReduceSum", [b.apply("Swish", [x], { alpha: float(alpha) })], { keepdims: 0 });
      graph.outputs.push(loss);
      const { graph: whole, gradients: found } = gradients(graph, loss, [x]);
      const session = await runtime.load(writeModel(modelOf(whole, 17)));
      const data = Float64Array.of(-3, -0.5, 0.1, 1.2, 4);
      const results = await session.run({ x: { dtype: "float64", shape: [5], data } });
      const f = (at: number) => at / (1 + Math.exp(-alpha * at));
      const dx = results[found.get(x)!.name]!.data as Float64Array;
      expect(results[loss.name]!.data[0]).toBeCloseTo(
        data.reduce((sum, at) => sum + f(at), 0),
        10,
      );
      data.forEach((at, i) => void expect(dx[i]).toBeCloseTo((f(at + 1e-5) - f(at - 1e-5)) / 2e-5, 8));
      await session.close();
    }
  });
  it("Dropout, on: its gradient is what its mask makes of the output", async () => {
    for (const isOn of [1, 0]) {
      const graph = emptyGraph("dropout");
      const b = build(graph);
      const x = b.input("x", "float32", [6, 7]);
      const on: Tensor = { dtype: "bool", shape: [], data: Uint8Array.of(isOn) };
      const ratio: Tensor = { dtype: "float32", shape: [], data: Float32Array.of(0.4) };
      const y = b.apply("Dropout", [x, ratio, on]);
      const loss = b.apply("ReduceSum", [b.apply("Mul", [y, y])], { keepdims: 0 });
      graph.outputs.push(y, loss);
      const { graph: whole, gradients: found } = gradients(graph, loss, [x]);
      const session = await runtime.load(writeModel(modelOf(whole, 17)));
      const data = Float32Array.from({ length: 42 }, (_, i) => Math.sin(i + 1));
      const results = await session.run({ x: { dtype: "float32", shape: [6, 7], data } });
      const [out, dx] = [y, found.get(x)!].map((value) =>
        Array.from(results[value.name]!.data as Float32Array),
      );
      expect(out!.filter((value) => value === 0).length > 0).toBe(isOn === 1);
      // y = s·x, dx = 2·y·s: what was dropped has s = 0, what was kept 1/(1 − 0.4).
      out!.forEach((value, i) => void expect(dx![i]! * data[i]!).toBeCloseTo(2 * value * value, 4));
      await session.close();
    }
  });
  it("lets equal extremes share the gradient", async () => {
    for (const opType of ["ReduceMax", "ReduceMin", "GlobalMaxPool"]) {
      const graph = emptyGraph("ties");
      const b = build(graph);
      const x = b.input("x", "float32", [1, 1, 4]);
      const loss = b.apply("ReduceSum", [b.apply(opType, [x])], { keepdims: 0 });
      graph.outputs.push(loss);
      const { graph: whole, gradients: found } = gradients(graph, loss, [x]);
      const session = await runtime.load(writeModel(modelOf(whole, 17)));
      const sign = opType === "ReduceMin" ? -1 : 1;
      const data = Float32Array.of(1, 2, 0, 2).map((value) => sign * value);
      const results = await session.run({ x: { dtype: "float32", shape: [1, 1, 4], data } });
      expect(Array.from(results[found.get(x)!.name]!.data as Float32Array)).toEqual([0, 0.5, 0, 0.5]);
      await session.close();
    }
  });
  it("Gelu", () => check("Gelu", { ...single }, 0, 20));
  it("Gelu by tanh", () => check("Gelu", { ...single, attributes: { approximate: "tanh" } }, 0, 20));
  it("ScatterND and ScatterElements", async () => {
    for (const reduction of ["none", "add"]) {
      await check(
        "ScatterND",
        {
          x: [
            [4, 2],
            [2, 2],
          ],
          attributes: { reduction },
        },
        0,
        17,
        [],
        index([2, 0], [2, 1]),
      );
      await check(
        "ScatterElements",
        {
          x: [
            [2, 3],
            [1, 3],
          ],
          attributes: { reduction },
        },
        0,
        17,
        [],
        index([1, 0, 1], [1, 3]),
      );
    }
  });
  it("Where", async () => {
    const condition: Tensor = { dtype: "bool", shape: [2, 1], data: Uint8Array.of(1, 0) };
    await check("Where", { x: [[2, 3], [3]] }, 0, 17, [condition]);
  });
});

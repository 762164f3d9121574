import { describe, expect, it } from "vitest";
import { type Builder, build, emptyGraph, ints } from "../ir/build.ts";
import type { Model, Value } from "../ir/graph.ts";
import { validate } from "../ir/validate.ts";
import { readModel } from "../onnx/read.ts";
import { writeModel } from "../onnx/write.ts";
import { float32 } from "../tensor.ts";
import { freeBatch } from "./batch.ts";
import { cutAt, nearest } from "./cut.ts";
import { featureModel } from "./feature-model.ts";
import { defaultLayer, listLayers } from "./layers.ts";

const zeros = (...shape: number[]) => float32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

function network(make: (g: Builder) => Value, opset = 17): Model {
  const g = build(emptyGraph("net"));
  g.graph.outputs.push(make(g));
  return {
    graph: g.graph,
    opsets: new Map([["", opset]]),
    irVersion: 8,
    producer: { name: "", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}

/** Conv, Relu, pooling, a Reshape to one row, a classifier. */
const classifier = (batch: number | string) =>
  network((g) => {
    const x = g.input("x", "float32", [batch, 3, 8, 8]);
    const map = g.apply(
      "Relu",
      [g.apply("Conv", [x, zeros(4, 3, 3, 3)], {}, { name: "conv" })],
      {},
      { name: "map" },
    );
    const pooled = g.apply("GlobalAveragePool", [map]);
    const flat = g.apply("Reshape", [pooled, ints([1, 4])], {}, { name: "flat" });
    return g.apply("Softmax", [g.apply("Gemm", [flat, zeros(4, 5)], {}, { name: "logits" })]);
  });

/** An encoder of token ids with a mask that its layer does not use. */
const encoder = () =>
  network((g) => {
    const ids = g.input("input_ids", "int64", ["n", "t"]);
    g.input("attention_mask", "int64", ["n", "t"]);
    const words = g.apply("Gather", [zeros(10, 6), ids], {}, { name: "words" });
    return g.apply(
      "LayerNormalization",
      [words, zeros(6), zeros(6)],
      { axis: -1 },
      { name: "last_hidden_state" },
    );
  });

describe("listLayers", () => {
  it("names each layer with its operator, shape and parameters, and marks one", () => {
    const layers = listLayers(classifier(1));
    expect(layers.map((layer) => layer.name)).toContain("map");
    expect(layers.find((layer) => layer.name === "conv")).toEqual({
      name: "conv",
      operator: "Conv",
      shape: ["batch", 4, 6, 6],
      dtype: "float32",
      parameters: 108,
      default: false,
    });
    expect(layers.filter((layer) => layer.default).map((layer) => layer.name)).toEqual(["flat"]);
  });

  it("takes the last hidden state of an encoder", () => {
    expect(defaultLayer(encoder()).name).toBe("last_hidden_state");
  });
});

describe("cutAt", () => {
  it("leaves what the layer needs", () => {
    const { graph } = cutAt(classifier(1), "map");
    expect(graph.nodes.map((node) => node.opType)).toEqual(["Conv", "Relu"]);
  });

  it("names near layers where there is none", () => {
    expect(() => cutAt(classifier(1), "logit")).toThrow('no layer "logit"; near it are "logits"');
    expect(nearest("Conv1", ["relu", "conv", "conv_1"], 1)).toEqual(["conv"]);
  });
});

describe("freeBatch", () => {
  it("corrects a Reshape that states one row", () => {
    const freed = freeBatch(classifier(1));
    validate(freed);
    expect(freed.graph.inputs[0]!.shape).toEqual(["batch", 3, 8, 8]);
    expect(freed.graph.outputs[0]!.shape).toEqual(["batch", 5]);
  });

  it("keeps rows apart where a Reshape flattens all but one", () => {
    const model = network((g) => g.apply("Reshape", [g.input("x", "float32", [1, 4, 6]), ints([1, -1])]));
    expect(freeBatch(model).graph.outputs[0]!.shape).toEqual(["batch", 24]);
  });

  it("repeats a class token for each row", () => {
    const model = network((g) => {
      const x = g.input("x", "float32", [1, 4, 6]);
      return g.apply("Concat", [g.constant(zeros(1, 1, 6), "token"), x], { axis: 1 });
    });
    const freed = freeBatch(model);
    expect(freed.graph.outputs[0]!.shape).toEqual(["batch", 5, 6]);
    expect(freed.graph.nodes.map((node) => node.opType)).toContain("Expand");
  });

  it("follows heads folded into the batch and out again", () => {
    const model = network((g) => {
      const x = g.input("x", "float32", [1, 5, 6]);
      const split = g.apply("Reshape", [x, ints([1, 5, 2, 3])]);
      const heads = g.apply("Reshape", [
        g.apply("Transpose", [split], { perm: [0, 2, 1, 3] }),
        ints([2, 5, 3]),
      ]);
      const scores = g.apply("MatMul", [heads, g.apply("Transpose", [heads], { perm: [0, 2, 1] })]);
      const mixed = g.apply("MatMul", [g.apply("Softmax", [scores], { axis: -1 }), heads]);
      return g.apply("Reshape", [mixed, ints([1, 2, 5, 3])]);
    });
    expect(freeBatch(model).graph.outputs[0]!.shape).toEqual(["batch", 2, 5, 3]);
  });

  it("refuses what mixes rows, by name", () => {
    const softmax = network((g) => g.apply("Softmax", [g.input("x", "float32", [1, 4])], { axis: 0 }));
    expect(() => freeBatch(softmax)).toThrow('node "softmax" (Softmax) normalises over the batch');
    const gram = network((g) => {
      const x = g.apply("Reshape", [g.input("x", "float32", [1, 3, 4]), ints([3, 4])]);
      return g.apply("MatMul", [x, g.apply("Transpose", [x], { perm: [1, 0] })]);
    });
    expect(() => freeBatch(gram)).toThrow("cannot be made free");
  });
});

describe("featureModel", () => {
  it("pools a map to its channels, whatever the layer", () => {
    for (const layer of listLayers(classifier(1))) {
      const { model, dimension } = featureModel(classifier(1), { layer: layer.name });
      const again = readModel(writeModel(model));
      validate(again);
      expect(again.graph.outputs[0]).toMatchObject({
        name: "features",
        dtype: "float32",
        shape: ["batch", dimension],
      });
    }
  });

  it("finds the channels of a map turned to NHWC", () => {
    const model = network((g) => {
      const map = g.apply("Conv", [g.input("x", "float32", ["n", 3, 8, 8]), zeros(4, 3, 3, 3)]);
      return g.apply("Transpose", [map], { perm: [0, 2, 3, 1] }, { name: "nhwc" });
    });
    expect(featureModel(model, { layer: "nhwc" }).dimension).toBe(4);
    expect(featureModel(model, { layer: "nhwc", pooling: "flatten" }).dimension).toBe(144);
  });

  it("takes the mask of a text although the layer does without", () => {
    const { inputs, dimension } = featureModel(encoder(), { layer: "words" });
    expect(inputs.map((input) => input.name)).toEqual(["input_ids", "attention_mask"]);
    expect(dimension).toBe(6);
    expect(featureModel(encoder(), { pooling: "cls" }).inputs.map((input) => input.name)).toEqual([
      "input_ids",
    ]);
    expect(() => featureModel(encoder(), { pooling: "flatten" })).toThrow("pool by mean");
  });
});

import { describe, expect, it } from "vitest";
import { build, emptyGraph, float } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";
import { float32, int64 } from "../tensor.ts";
import { readModel } from "./read.ts";
import { writeExternal, writeModel } from "./write.ts";

/** relu(x · w) with an If that uses a value of the graph around it. */
function example(): Model {
  const graph = emptyGraph("example");
  const g = build(graph);
  const x = g.input("x", "float32", ["batch", 2]);
  const w = g.constant(float32([2, 2], [1, 2, 3, 4]), "w");
  const product = g.apply("MatMul", [x, w], {}, { name: "product" });
  const branch = (opType: string) => {
    const inner = emptyGraph(opType);
    inner.outputs.push(build(inner).apply(opType, [product], opType === "Elu" ? { alpha: float(2) } : {}));
    return inner;
  };
  const flag = g.constant({ dtype: "bool", shape: [], data: Uint8Array.of(1) }, "flag");
  graph.outputs.push(g.apply("If", [flag], { then_branch: branch("Relu"), else_branch: branch("Elu") }));
  return {
    graph,
    opsets: new Map([["", 17]]),
    irVersion: 8,
    producer: { name: "graft", version: "0" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map([["author", "测试"]]),
  };
}

describe("writing a model", () => {
  it("gives back what was written, subgraphs sharing the outer values", () => {
    const model = readModel(writeModel(example()));
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(["MatMul", "If"]);
    expect(model.metadata.get("author")).toBe("测试");
    expect(model.opsets.get("")).toBe(17);
    const [product] = model.graph.nodes[0]!.outputs;
    const elu = model.graph.nodes[1]!.attributes.get("else_branch")!;
    expect(elu.type === "graph" && elu.value.nodes[0]!.inputs[0]).toBe(product);
    expect(elu.type === "graph" && elu.value.nodes[0]!.attributes.get("alpha")).toEqual(float(2));
    expect([...model.graph.initializers.values()][0]).toEqual(float32([2, 2], [1, 2, 3, 4]));
  });

  it("gives the same bytes for the same model", () => {
    const bytes = writeModel(example());
    expect(writeModel(readModel(bytes))).toEqual(bytes);
  });

  it("tells values of one name apart", () => {
    const model = example();
    for (const node of model.graph.nodes) for (const output of node.outputs) output!.name = "y";
    const again = readModel(writeModel(model));
    expect(again.graph.outputs.map((value) => value.name)).toEqual(["y"]);
    expect(again.graph.nodes[0]!.outputs[0]!.name).toBe("y_1");
  });

  it("refuses values that nothing makes, inputs of one name and tensors that do not fit", () => {
    const dangling = example();
    dangling.graph.nodes.shift();
    expect(() => writeModel(dangling)).toThrow(/uses the value "product", which nothing in the graph makes/);
    const twins = example();
    build(twins.graph).input("x", "float32", []).name = "x";
    expect(() => writeModel(twins)).toThrow(/two inputs or outputs of the graph are called "x"/);
    const wrong = example();
    const [w] = wrong.graph.initializers.keys();
    wrong.graph.initializers.set(w!, { dtype: "float32", shape: [3], data: new Float32Array(2) });
    expect(() => writeModel(wrong)).toThrow('tensor "w": float32 [3] takes 12 bytes, its data has 8');
    wrong.graph.initializers.set(w!, { ...int64([1], [1]), dtype: "float32" });
    expect(() => writeModel(wrong)).toThrow(/must hold its elements in a Float32Array/);
  });

  it("puts large tensors in a second file and finds them there", () => {
    const { model, data } = writeExternal(example(), "weights.bin", 16);
    const file = new Uint8Array(data.reduce((size, piece) => size + piece.length, 0));
    let offset = 0;
    for (const piece of data) {
      file.set(piece, offset);
      offset += piece.length;
    }
    expect(file.length).toBe(16);
    const again = readModel(model, { externalData: { "weights.bin": file } });
    expect([...again.graph.initializers.values()][0]).toEqual(float32([2, 2], [1, 2, 3, 4]));
    expect(() => readModel(model)).toThrow(/lies in "weights.bin", which was not given/);
  });
});

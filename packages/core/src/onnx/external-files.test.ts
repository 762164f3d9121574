import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { build, emptyGraph } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";
import { float32 } from "../tensor.ts";
import { externalFiles } from "./external-files.ts";
import { writeExternal, writeModel } from "./write.ts";

function toy(): Model {
  const outer = build(emptyGraph());
  const inner = build(emptyGraph("inner"));
  inner.graph.outputs.push(inner.apply("Constant", [], { value: float32([300], Array(300).fill(1)) }));
  const condition = outer.input("condition", "bool", []);
  outer.graph.outputs.push(
    outer.apply("If", [condition], { then_branch: inner.graph, else_branch: inner.graph }),
    outer.constant(float32([512], Array(512).fill(2)), "weight"),
  );
  return {
    graph: outer.graph,
    opsets: new Map([["", 17]]),
    irVersion: 9,
    producer: { name: "", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}

describe("externalFiles", () => {
  it("names no file where every tensor lies inside", () => {
    expect(externalFiles(writeModel(toy()))).toEqual([]);
  });

  it("names each file once", () => {
    expect(externalFiles(writeExternal(toy(), "weights/model.onnx_data").model)).toEqual([
      "weights/model.onnx_data",
    ]);
  });

  it("refuses a file outside the model's folder", () => {
    const { model } = writeExternal(toy(), "../secret");
    expect(() => externalFiles(model, "m.onnx")).toThrow(InputError);
    expect(() => externalFiles(model, "m.onnx")).toThrow("only files in the model's own folder");
  });

  it("refuses a file that is cut off", () => {
    const { model } = writeExternal(toy(), "data");
    expect(() => externalFiles(model.subarray(0, model.length - 5))).toThrow(InputError);
  });
});

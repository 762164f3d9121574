import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { build, emptyGraph, ints } from "../ir/build.ts";
import type { Graph, Model } from "../ir/graph.ts";
import { float32 } from "../tensor.ts";
import { externalFiles } from "./external-files.ts";
import { ProtoWriter } from "./protobuf.ts";
import { readModel } from "./read.ts";
import { ATTRIBUTE, GRAPH, MODEL, NODE, TENSOR } from "./schema.ts";
import { writeExternal, writeModel } from "./write.ts";

function modelOf(graph: Graph): Model {
  return {
    graph,
    opsets: new Map([["", 17]]),
    irVersion: 8,
    producer: { name: "test", version: "1" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map([["key", "value"]]),
  };
}

/** A model with weights, integers, texts, a branch and attributes of several kinds. */
function toy(): Model {
  const g = build(emptyGraph("toy"));
  const x = g.input("x", "float32", ["batch", 4]);
  const condition = g.input("condition", "bool", []);
  const branch = (value: number) => {
    const inner = build(emptyGraph("branch"));
    inner.graph.outputs.push(inner.apply("Mul", [x, float32([1], [value])]));
    return inner.graph;
  };
  const y = g.apply("If", [condition], { then_branch: branch(2), else_branch: branch(3) });
  const z = g.apply("Gemm", [y, float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8])], { alpha: 0.5 });
  const texts = g.constant({ dtype: "string", shape: [2], data: ["a", "b"] }, "texts");
  g.graph.outputs.push(g.apply("Reshape", [z, ints([-1, 2])]), texts);
  return modelOf(g.graph);
}

/** Reads, and writes where reading succeeds; anything but an InputError is let through. */
function attempt(bytes: Uint8Array): void {
  try {
    writeModel(readModel(bytes));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
}

/** A model file whose graph is written by hand. */
function fileOf(graph: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter();
  writer.integer(MODEL.irVersion, 8);
  writer.message(MODEL.graph, graph);
  return writer.finish();
}

function node(writer: ProtoWriter, inputs: string[], outputs: string[]): void {
  writer.message(GRAPH.node, (inner) => {
    for (const name of inputs) inner.string(NODE.input, name);
    for (const name of outputs) inner.string(NODE.output, name);
    inner.string(NODE.opType, "Add");
  });
}

function tensor(shape: readonly (number | bigint)[]): Uint8Array {
  return fileOf((graph) =>
    graph.message(GRAPH.initializer, (inner) => {
      for (const extent of shape) inner.integer(TENSOR.shape, extent);
      inner.integer(TENSOR.dtype, 1);
      inner.string(TENSOR.name, "w");
      inner.view(TENSOR.raw, new Uint8Array(4));
    }),
  );
}

describe("a damaged file", () => {
  it("cut off anywhere ends in an InputError or a smaller model", () => {
    const bytes = writeModel(toy());
    for (let length = 0; length < bytes.length; length++) attempt(bytes.subarray(0, length));
  });

  it("with any bit flipped ends in an InputError or another model", () => {
    const bytes = writeModel(toy());
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      attempt(flipped);
    }
  });

  it("with several bytes replaced, or of random bytes, does too", () => {
    const bytes = writeModel(toy());
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const changed = bytes.slice();
        for (const [at, byte] of changes) changed[at] = byte;
        attempt(changed);
      }),
      { numRuns: 3000, seed: 1 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt), { numRuns: 3000, seed: 2 });
  });
});

describe("a hostile file", () => {
  it("that announces 2^60 bytes is refused before anything is allocated", () => {
    // Field 7 (graph), length-delimited, 2^60 as a varint.
    const bytes = Uint8Array.of(0x3a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 2, 3);
    expect(() => readModel(bytes)).toThrow(InputError);
  });

  it.each([
    ["2^40", [2 ** 40]],
    ["2^30 × 2^30", [2 ** 30, 2 ** 30]],
    ["2^50 × 2^50", [2 ** 50, 2 ** 50]],
    ["-1", [-1]],
    ["2^63 - 1", [2n ** 63n - 1n]],
    ["2^52 × 2^52 × 0", [2 ** 52, 2 ** 52, 0]],
  ])("with a tensor of the shape %s over four bytes is refused", (_, shape) => {
    expect(() => readModel(tensor(shape))).toThrow(InputError);
  });

  it("with a cycle, or a name made twice, is refused by name", () => {
    const cycle = fileOf((graph) => {
      node(graph, ["b", "b"], ["a"]);
      node(graph, ["a", "a"], ["b"]);
    });
    expect(() => readModel(cycle)).toThrow("circle");
    const twice = fileOf((graph) => {
      node(graph, [], ["a"]);
      node(graph, [], ["a"]);
    });
    expect(() => readModel(twice)).toThrow('"a" is made twice');
  });

  it("with subgraphs nested without end is refused", () => {
    let graph: Uint8Array = new Uint8Array();
    for (let depth = 0; depth < 2000; depth++) {
      const writer = new ProtoWriter();
      const inner = graph;
      writer.message(GRAPH.node, (one) => {
        one.string(NODE.opType, "If");
        one.message(NODE.attribute, (attribute) => {
          attribute.string(ATTRIBUTE.name, "then_branch");
          attribute.view(ATTRIBUTE.graph, inner);
        });
      });
      graph = writer.finish();
    }
    const writer = new ProtoWriter();
    writer.view(MODEL.graph, graph);
    expect(() => readModel(writer.finish())).toThrow(InputError);
  });

  it("with a chain of 100 000 nodes in reverse order is read in order", () => {
    const count = 100_000;
    const bytes = fileOf((graph) => {
      for (let i = count; i > 0; i--) node(graph, i > 1 ? [`v${i - 1}`] : [], [`v${i}`]);
    });
    const { nodes } = readModel(bytes).graph;
    expect([nodes[0]!.outputs[0]!.name, nodes.at(-1)!.outputs[0]!.name]).toEqual(["v1", `v${count}`]);
  });

  it.each(["/etc/passwd", "../weights", "a/../../weights", "C:\\weights", "a\\..\\b", "\u0000"])(
    "with tensors in %j is refused, without a look at that file",
    (location) => {
      const { model } = writeExternal(toy(), location, 1);
      expect(() => externalFiles(model)).toThrow(InputError);
      expect(() => readModel(model, { externalData: { [location]: new Uint8Array(9999) } })).toThrow(
        InputError,
      );
    },
  );

  it("with an external file that is absent or too short is refused", () => {
    const { model } = writeExternal(toy(), "weights", 1);
    expect(() => readModel(model)).toThrow("put that file beside the model");
    expect(() => readModel(model, { externalData: { weights: new Uint8Array(3) } })).toThrow("cut off");
  });
});

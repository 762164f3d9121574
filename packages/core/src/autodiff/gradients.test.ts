import { readFileSync } from "node:fs";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import * as ops from "../ops/index.ts";
import * as microsoft from "../ops/microsoft/index.ts";
import type { Op } from "../ops/op.ts";
import { ort } from "../runtime/ort.ts";
import { float32 } from "../tensor.ts";
import { gradients } from "./gradients.ts";

function start() {
  const graph = emptyGraph();
  const b = build(graph);
  const w = b.input("w", "float32", [2, 2]);
  const total = (x: typeof w) => b.apply("ReduceSum", [x], { keepdims: 0 }, { name: "loss" });
  return { graph, b, w, total };
}

describe("gradients", () => {
  it("leaves the given graph as it was and visits nothing below the parameters", () => {
    const { graph, b, w, total } = start();
    const x = b.input("x", "float32", [2, 2]);
    const loss = total(b.apply("MatMul", [b.apply("Tanh", [x]), w]));
    graph.outputs.push(loss);
    const before = graph.nodes.length;
    const made = gradients(graph, loss, [w]);
    expect(graph.nodes.length).toBe(before);
    expect(made.graph.outputs).toEqual([loss, made.gradients.get(w)]);
    expect(made.gradients.get(w)!.shape).toEqual([2, 2]);
    const added = made.graph.nodes.slice(before).map(({ opType }) => opType);
    expect(added.filter((opType) => /^(MatMul|Gemm)$/.test(opType))).toHaveLength(1);
  });

  it("refuses control flow and quantised operators by name, with the remedy", () => {
    const { graph, b, w, total } = start();
    const condition = b.input("condition", "bool", []);
    const chosen = b.apply("If", [condition, w], {}, { name: "choice" });
    chosen.dtype = "float32";
    chosen.shape = [2, 2];
    expect(() => gradients(graph, total(chosen), [w])).toThrow(/node "choice" \(If\).*without control flow/);
    const rounded = b.apply("QuantizeLinear", [w, float32([], [1])], {}, { name: "rounded" });
    const back = b.apply("DequantizeLinear", [rounded, float32([], [1])], {}, { name: "back" });
    expect(() => gradients(graph, total(back), [w])).toThrow(/node "back".*use the float model/);
  });

  const refused: [string, string, RegExp][] = [
    ...["If", "Loop", "Scan"].map((name): [string, string, RegExp] => ["", name, /without control flow/]),
    ...[
      "QLinearConv",
      "QLinearMatMul",
      "ConvInteger",
      "MatMulInteger",
      "QuantizeLinear",
      "DequantizeLinear",
    ].map((name): [string, string, RegExp] => ["", name, /use the float model/]),
    ...[
      "QAttention",
      "QGemm",
      "QLinearAdd",
      "MatMulNBits",
      "DynamicQuantizeMatMul",
      "QEmbedLayerNormalization",
    ].map((name): [string, string, RegExp] => ["com.microsoft", name, /use the float model/]),
    ["", "Det", /train only what lies above it/],
    ["org.example", "Mul", /org\.example\.Mul has no gradient; train only what lies above it/],
  ];
  it.each(refused)(
    "refuses %s %s on the way to a parameter, and passes it below",
    (domain, opType, remedy) => {
      const { graph, b, w, total } = start();
      const other = b.input("other", "float32", [2, 2]);
      const made = (x: typeof w, name: string) => {
        const value = b.apply(opType, [x], {}, { domain, name });
        value.dtype = "float32";
        value.shape = [2, 2];
        return value;
      };
      const below = total(b.apply("MatMul", [made(other, "below"), w]));
      expect(gradients(graph, below, [w]).gradients.size).toBe(1);
      const above = total(made(w, "above"));
      expect(() => gradients(graph, above, [w])).toThrow(remedy);
      expect(() => gradients(graph, above, [w])).toThrow(`node "above" (${opType})`);
    },
  );

  it("multiplies what passes a value by its factor, on the way to all that lies below", async () => {
    const { graph, b, w, total } = start();
    const inner = b.apply("Mul", [w, w]);
    const loss = total(
      b.apply("Add", [b.apply("Mul", [inner, inner]), b.apply("Mul", [w, float32([], [3])])]),
    );
    graph.outputs.push(loss);
    const made = gradients(graph, loss, [w], { factors: new Map([[inner, -0.5]]) });
    const session = await ort(module as never).load(writeModel(modelOf(made.graph)));
    const results = await session.run({ w: float32([2, 2], [1, 2, 0, -1]) });
    // w⁴ + 3w, of which the first part comes by way of w².
    const expected = [1, 2, 0, -1].map((x) => -0.5 * 4 * x ** 3 + 3);
    expect(Array.from(results[made.gradients.get(w)!.name]!.data as Float32Array)).toEqual(expected);
    await session.close();
  });

  it("refuses a loss that is no single number, and a parameter it does not depend on", () => {
    const { graph, b, w, total } = start();
    expect(() => gradients(graph, b.apply("Tanh", [w]), [w])).toThrow(/of shape \[\]/);
    const other = b.input("other", "float32", [2]);
    expect(() => gradients(graph, total(w), [w, other])).toThrow(/does not depend on "other"/);
    const counted = b.apply("Cast", [b.apply("ArgMax", [w])], { to: 1 });
    expect(() => gradients(graph, total(counted), [w])).toThrow(/does not depend on "w"/);
  });
});

describe("docs/gradients.md", () => {
  const text = readFileSync(new URL("../../../../docs/gradients.md", import.meta.url), "utf8");
  const listed = (part: string) =>
    (text.split(`<!-- ${part} -->`)[1] ?? "").split("<!--")[0]!.match(/[\w.]+/g) ?? [];
  const all = Object.entries(ops as Record<string, Op>);
  const named = (keep: (op: Op) => boolean) =>
    all
      .filter(([, op]) => keep(op))
      .map(([name]) => name)
      .sort();
  it.each([
    ["operators", named((op) => op.gradient !== null)],
    [
      "decomposed",
      [
        ...named((op) => Boolean(op.decompose)),
        ...Object.keys(microsoft)
          .map((name) => `com.microsoft.${name}`)
          .sort(),
      ],
    ],
    ["constant", named((op) => op.gradient === null && !op.decompose)],
  ])("lists the %s", (part, expected) => {
    expect(listed(part), `the list should be\n${expected.join(", ")}`).toEqual(expected);
  });
});

import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { type Builder, build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import { writeModel } from "../onnx/write.ts";
import { ort } from "../runtime/ort.ts";
import { float32 } from "../tensor.ts";
import { gradients } from "./gradients.ts";

const runtime = ort(module as never);
const number = (value: number) => float32([], [value]);
const forms: Record<string, (b: Builder, x: Value) => Value> = {
  "as PyTorch writes it": (b, x) => {
    const erf = b.apply("Erf", [b.apply("Div", [x, number(Math.SQRT2)])]);
    return b.apply("Mul", [b.apply("Mul", [x, b.apply("Add", [erf, number(1)])]), number(0.5)]);
  },
  "half of x first, a product within": (b, x) => {
    const erf = b.apply("Erf", [b.apply("Mul", [number(Math.SQRT1_2), x])]);
    return b.apply("Mul", [b.apply("Mul", [number(0.5), x]), b.apply("Add", [number(1), erf])]);
  },
};
const points = [-7, -2, -0.75, 0, 1e-6, 0.5, 1.5, 9];

async function slopes(of: (b: Builder, x: Value) => Value) {
  const graph = emptyGraph();
  const b = build(graph);
  const x = b.input("x", "float32", [points.length]);
  const y = of(b, x);
  const loss = b.apply("ReduceSum", [y], { keepdims: 0 });
  const made = gradients(graph, loss, [x]);
  made.graph.outputs.push(Object.assign(y, { dtype: "float32" as const }));
  const session = await runtime.load(writeModel(modelOf(made.graph)));
  const results = await session.run({ x: float32([points.length], points) });
  const numbers = (value: Value) => Array.from(results[value.name]!.data as Float32Array);
  return { y: numbers(y), dx: numbers(made.gradients.get(x)!), nodes: made.graph.nodes };
}
/** Φ by its integral from 0, 20 000 trapezoids. */
function distribution(x: number): number {
  const steps = 20000;
  let sum = 0;
  for (let i = 0; i <= steps; i++)
    sum += (i === 0 || i === steps ? 0.5 : 1) * Math.exp(-0.5 * ((x * i) / steps) ** 2);
  return 0.5 + (sum * x) / steps / Math.sqrt(2 * Math.PI);
}

describe("a Gelu in parts", () => {
  for (const [name, form] of Object.entries(forms))
    it(`${name} is differentiated as a whole, in 10 operators`, async () => {
      const { y, dx, nodes } = await slopes(form);
      for (const [i, x] of points.entries()) {
        const phi = distribution(x);
        expect(y[i]).toBeCloseTo(x * phi, 5);
        expect(dx[i]).toBeCloseTo(phi + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI), 5);
      }
      expect(nodes.filter(({ opType }) => opType === "Erf")).toHaveLength(1);
      expect(
        nodes.filter(({ opType }) => /^(Div|HardSigmoid|Mul|Add|Sub|Exp|Erf)$/.test(opType)).length,
      ).toBe(10);
    });

  it("with another factor stays in parts and is as right", async () => {
    const { dx } = await slopes((b, x) => {
      const erf = b.apply("Erf", [b.apply("Div", [x, number(2)])]);
      return b.apply("Mul", [b.apply("Mul", [x, b.apply("Add", [erf, number(1)])]), number(0.5)]);
    });
    for (const [i, x] of points.entries()) {
      const slope = distribution(x / Math.SQRT2) + (x * Math.exp((-x * x) / 4)) / Math.sqrt(4 * Math.PI);
      expect(dx[i]).toBeCloseTo(slope, 5);
    }
  });
});

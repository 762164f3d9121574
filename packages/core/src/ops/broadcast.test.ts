import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32 } from "../tensor.ts";
import { unbroadcast } from "./broadcast.ts";
import { formulas } from "./formula.ts";

const runtime = ort(module as never);

/** The sum by hand, element by element. */
function summed(data: Float32Array, from: readonly number[], to: readonly number[]): number[] {
  const sum = new Array<number>(to.reduce((a, b) => a * b, 1)).fill(0);
  for (const [at, value] of data.entries()) {
    let [rest, place, step] = [at, 0, 1];
    for (let axis = 1; axis <= from.length; axis++) {
      const index = rest % from.at(-axis)!;
      rest = Math.floor(rest / from.at(-axis)!);
      if (axis > to.length) continue;
      if (to.at(-axis) !== 1) place += index * step;
      step *= to.at(-axis)!;
    }
    sum[place] = sum[place]! + value;
  }
  return sum;
}

describe("a gradient summed over what was repeated", () => {
  const cases: [from: number[], to: number[]][] = [
    [[4, 40, 3], [3]],
    [
      [4, 40, 3],
      [1, 1, 3],
    ],
    [
      [100, 2, 3],
      [2, 3],
    ],
    [[100, 3], [3]],
    [
      [2, 100],
      [2, 1],
    ],
    [[5, 3], [3]],
    [
      [70, 3, 5],
      [3, 1],
    ],
  ];
  for (const [from, to] of cases)
    it(`from ${from.join("×")} to ${to.join("×")}`, async () => {
      const graph = emptyGraph();
      const b = build(graph);
      const dy = b.input("dy", "float32", from);
      const target = b.input("target", "float32", to);
      const result = unbroadcast(formulas(b, "float32", 17, ""), dy, from, target, to);
      graph.inputs.pop();
      graph.outputs.push(Object.assign(result, { dtype: "float32", shape: to }));
      const source = random(1);
      const data = Float32Array.from({ length: from.reduce((x, y) => x * y, 1) }, () => source.normal());
      const session = await runtime.load(writeModel(modelOf(graph)));
      const found = (await session.run({ dy: float32(from, data) }))[result.name]!;
      expect(found.shape).toEqual(to);
      for (const [i, value] of summed(data, from, to).entries())
        expect(Math.abs(Number(found.data[i]) - value)).toBeLessThan(1e-4);
    });
});

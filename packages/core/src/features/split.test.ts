import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Model, Value } from "../ir/graph.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32, sizeOf, type Tensor } from "../tensor.ts";
import { splitFrozen } from "./split.ts";

const runtime = ort(module as never);
const draw = (seed: number, shape: number[]) => {
  const source = random(seed);
  return float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => source.normal()),
  );
};

/** Four convolutions of which the third is added to the first, and one that only a shape is taken of. */
function network(): Model {
  const graph = emptyGraph();
  const b = build(graph);
  const conv = (x: Value, name: string, from: number, to: number) =>
    b.apply("Conv", [x, b.constant(draw(to, [to, from, 1, 1]), name)], {}, { name: `${name}/out` });
  const x = b.input("x", "float32", ["n", 3, 4, 4]);
  const first = conv(x, "a", 3, 5);
  const second = b.apply("Relu", [conv(first, "b", 5, 6)], {}, { name: "second" });
  const third = conv(second, "c", 6, 5);
  const sum = b.apply("Add", [first, third]);
  const last = conv(sum, "d", 5, 2);
  const shape = b.apply(
    "Concat",
    [b.apply("Slice", [b.apply("Shape", [second]), ints(0), ints(1)]), ints(-1)],
    { axis: 0 },
  );
  graph.outputs.push(b.apply("Reshape", [last, shape], {}, { name: "y" }));
  return modelOf(graph);
}
const ints = (value: number): Tensor => ({
  dtype: "int64",
  shape: [1],
  data: BigInt64Array.of(BigInt(value)),
});

async function run(model: Model, feeds: Record<string, Tensor>) {
  const session = await runtime.load(writeModel(model));
  return await session.run(feeds);
}

describe("a network split below its lowest trained parameter", () => {
  it.each([
    [["d"], 2],
    [["c", "d"], 2],
    [["b"], 1],
  ])("computes the same in two parts, training %s", async (trained, count) => {
    const { lower, upper, cuts } = splitFrozen(network(), trained);
    expect(cuts.length).toBeLessThanOrEqual(count);
    const kept = [...upper.graph.initializers.keys()].map(({ name }) => name);
    expect(kept).toEqual(expect.arrayContaining([...trained]));
    expect(kept).not.toContain("a");
    const x = draw(50, [3, 3, 4, 4]);
    const below = await run(lower!, { x });
    const { y } = await run(upper, Object.fromEntries(cuts.map((name) => [name, below[name]!])));
    const whole = (await run(network(), { x })).y!;
    expect(y!.shape).toEqual(whole.shape);
    // The runtime fuses other nodes where the seam is, so the last bits may differ.
    for (const [i, value] of (whole.data as Float32Array).entries())
      expect((y!.data as Float32Array)[i]).toBeCloseTo(value, 4);
  });
  it("has no lower part where training reaches the inputs", () => {
    const { lower, upper, cuts } = splitFrozen(network(), ["a"]);
    expect([lower, cuts]).toEqual([null, []]);
    expect(upper.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(() => splitFrozen(network(), ["e"])).toThrow(/no initializer "e"/);
  });
});

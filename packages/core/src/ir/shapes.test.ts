import { describe, expect, it } from "vitest";
import { float32 } from "../tensor.ts";
import { build, emptyGraph, ints } from "./build.ts";
import { broadcast, over, times } from "./extents.ts";
import type { Shape } from "./graph.ts";
import { inferShapes } from "./shapes.ts";

/** The shape that a chain of operators makes of an input. */
function shapeOf(
  input: Shape,
  chain: (g: ReturnType<typeof build>, x: ReturnType<ReturnType<typeof build>["input"]>) => unknown,
) {
  const graph = emptyGraph();
  const g = build(graph);
  const y = chain(g, g.input("x", "float32", input));
  return inferShapes(graph).get(y as never)?.shape;
}

const zeros = (...shape: number[]) => float32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

describe("extents", () => {
  it("multiplies and divides numbers and symbols", () => {
    expect(times(2, 3)).toBe(6);
    expect(times("batch", 1, 4, 2)).toBe("batch*8");
    expect(times(null, 2)).toBeNull();
    expect(times("n", 0)).toBe(0);
    expect(over("batch*8", 4)).toBe("batch*2");
    expect(over("batch*8", "batch")).toBe(8);
    expect(over(8, 3)).toBeNull();
    expect(over("a*b", "c")).toBeNull();
  });

  it("broadcasts", () => {
    expect(broadcast(["n", 1, 3], [4, 1])).toEqual(["n", 4, 3]);
    expect(broadcast(["n"], ["m"])).toEqual([null]);
    expect(broadcast(["n"], [5])).toEqual([5]);
  });
});

describe("inferShapes", () => {
  it("follows convolutions and pooling", () => {
    const conv = { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1] };
    expect(shapeOf(["n", 3, 224, 224], (g, x) => g.apply("Conv", [x, zeros(8, 3, 3, 3)], conv))).toEqual([
      "n",
      8,
      112,
      112,
    ]);
    const same = { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" };
    expect(shapeOf(["n", 3, 7, 7], (g, x) => g.apply("MaxPool", [x], same))).toEqual(["n", 3, 4, 4]);
    const ceil = { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 };
    expect(shapeOf([1, 3, 7, 7], (g, x) => g.apply("AveragePool", [x], ceil))).toEqual([1, 3, 4, 4]);
    const transposed = { kernel_shape: [2, 2], strides: [2, 2] };
    expect(
      shapeOf([1, 4, 5, 5], (g, x) => g.apply("ConvTranspose", [x, zeros(4, 6, 2, 2)], transposed)),
    ).toEqual([1, 6, 10, 10]);
    expect(shapeOf(["n", 3, "h", "w"], (g, x) => g.apply("GlobalAveragePool", [x]))).toEqual(["n", 3, 1, 1]);
  });

  it("follows shapes that the graph computes from shapes", () => {
    // As PyTorch exports x.view(x.size(0), -1).
    const flat = shapeOf(["n", 4, 5], (g, x) => {
      const n = g.apply("Gather", [
        g.apply("Shape", [x]),
        { dtype: "int64", shape: [], data: BigInt64Array.of(0n) },
      ]);
      const target = g.apply("Concat", [g.apply("Unsqueeze", [n, ints([0])]), ints([-1])], { axis: 0 });
      return g.apply("Reshape", [x, target]);
    });
    expect(flat).toEqual(["n", 20]);
  });

  it("splits heads and joins them again", () => {
    const heads = shapeOf(["n", "t", 12], (g, x) => {
      const split = g.apply("Reshape", [x, ints([0, 0, 3, 4])]);
      const turned = g.apply("Transpose", [split], { perm: [0, 2, 1, 3] });
      return g.apply("MatMul", [turned, g.apply("Transpose", [turned], { perm: [0, 1, 3, 2] })]);
    });
    expect(heads).toEqual(["n", 3, "t", "t"]);
    expect(shapeOf(["n", "t", 12], (g, x) => g.apply("Reshape", [x, ints([-1, 12])]))).toEqual(["n*t", 12]);
  });

  it("says unknown where it does not know, with the rank where it does", () => {
    expect(shapeOf(["n", 3], (g, x) => g.apply("NonMaxSuppression", [x]))).toBeNull();
    expect(shapeOf(["n", 3], (g, x) => g.apply("Reshape", [x, g.input("target", "int64", [3])]))).toEqual([
      null,
      null,
      null,
    ]);
    expect(shapeOf(["n", 8], (g, x) => g.apply("Slice", [x, ints([2]), ints([-1]), ints([1])]))).toEqual([
      "n",
      5,
    ]);
  });
});

import type { Value } from "../ir/graph.ts";
import type { Tensor } from "../tensor.ts";
import { transposed } from "./convolution.ts";
import type { Formula } from "./formula.ts";
import { rule, type Site } from "./op.ts";
import { type Windows, windowsOf } from "./windows.ts";

/** Each window's gradient goes to the address of its greatest element. */
export const MaxPool = rule((g, at) => {
  const [x] = at.x as [Value];
  if (g.opset < 16) at.refuse("needs operator set 16 to be differentiated; raise it with raiseOpset");
  if (at.int("storage_order", 0) !== 0) at.refuse("stores its indices by columns; set storage_order to 0");
  const flat = g.op(
    "ScatterElements",
    [g.reshape(g.zerosLike(x), [-1]), g.reshape(at.output(1), [-1]), g.reshape(at.dy, [-1])],
    { reduction: "add" },
  );
  return [at.like(flat, x)];
});

/** Each window's gradient, divided by what the window counted, is spread over it. */
export const AveragePool = rule((g, at) => {
  const [x] = at.x as [Value];
  const kernel = at.ints("kernel_shape")!;
  const windows = windowsOf(at, x, at.y, kernel);
  const isPadCounted = at.int("count_include_pad", 0) === 1;
  const shares = g.div(at.dy, g.constant(counts(g, at, windows, isPadCounted)));
  // Channels are images of their own: one kernel of ones serves all.
  const apart = g.reshape(shares, [-1, 1, ...windows.output]);
  const size = kernel.reduce((product, extent) => product * extent, 1);
  const ones = g.constant(numbers(g, [1, 1, ...kernel], new Array(size).fill(1)));
  return [at.like(transposed(g, apart, ones, 1, windows), x)];
});

export const GlobalAveragePool = rule((g, at) => {
  const [x] = at.x as [Value];
  const count = g.div(g.number(g.op("Size", [x])), g.number(g.op("Size", [at.y])));
  return [g.expand(g.div(at.dy, count), g.shape(x))];
});
/** Equal greatest elements share the gradient. */
export const GlobalMaxPool = rule((g, at) => {
  const isGreatest = g.equal(at.x[0]!, at.y);
  const axes = Array.from({ length: at.rank(at.y) - 2 }, (_, i) => i + 2);
  return [g.mul(isGreatest, g.div(at.dy, g.sum(isGreatest, axes)))];
});

/** How many elements each window averages over, [1, 1, …output]. */
function counts(g: Formula, at: Site, windows: Windows, isPadCounted: boolean): Tensor {
  const { input, output, kernel, strides, dilations, before } = windows;
  const pads = at.ints("pads");
  const along = output.map((positions, axis) =>
    Array.from({ length: positions }, (_, position) => {
      const start = position * strides[axis]! - before[axis]!;
      const [low, high] = isPadCounted
        ? [-before[axis]!, input[axis]! + (pads?.[axis + input.length] ?? Math.max(windows.after[axis]!, 0))]
        : [0, input[axis]!];
      const taken = Array.from({ length: kernel[axis]! }, (_, i) => start + i * dilations[axis]!);
      return taken.filter((one) => one >= low && one < high).length;
    }),
  );
  const products = along.reduce<number[]>((all, axis) => all.flatMap((n) => axis.map((m) => n * m)), [1]);
  return numbers(g, [1, 1, ...output], products);
}

function numbers(g: Formula, shape: readonly number[], values: readonly number[]): Tensor {
  return g.dtype === "float64"
    ? { dtype: "float64", shape, data: Float64Array.from(values) }
    : { dtype: "float32", shape, data: Float32Array.from(values) };
}

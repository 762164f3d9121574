import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { turned } from "./linear.ts";
import { rule, type Site } from "./op.ts";
import { type Windows, windowsOf } from "./windows.ts";

/**
 * X [N, C, …], W [M, C/groups, …], dY [N, M, …]. Which form of each gradient is fast was measured; the guide
 * docs/gradients.md has the figures.
 */
export const Conv = rule((g, at) => {
  const [x, w] = at.x as [Value, Value];
  const { dy } = at;
  const windows = windowsOf(at, x, at.y, at.extents(w).slice(2));
  const groups = at.int("group", 1);
  const spatial = windows.input.map((_, i) => i + 2);
  return [
    () => inputGradient(g, dy, w, at.extents(w), groups, windows),
    () => weightGradient(g, x, dy, at.extents(w), groups, windows, at),
    () => g.sum(dy, [0, ...spatial], false),
  ];
});

/** W [C, M/groups, …]: the gradient of a convolution turned round, so its gradients are convolutions. */
export const ConvTranspose = rule((g, at) => {
  const [x, w] = at.x as [Value, Value];
  const { dy } = at;
  const groups = at.int("group", 1);
  // The windows of the convolution that leads from y back to x.
  const windows = windowsOf(at, at.y, x, at.extents(w).slice(2));
  const attributes = convolutionAttributes(windows, groups);
  const spatial = windows.input.map((_, i) => i + 2);
  return [
    () => g.op("Conv", [dy, w], attributes),
    () => weightGradient(g, dy, x, at.extents(w), groups, windows, at),
    () => g.sum(dy, [0, ...spatial], false),
  ];
});

/** dX: dY spread out over the windows it came from. With stride 1 that is a convolution with W turned by 180°. */
function inputGradient(
  g: Formula,
  dy: Value,
  w: Value,
  [outputs, perGroup, ...kernel]: readonly number[],
  groups: number,
  windows: Windows,
): Value {
  const { strides, dilations, before, after } = windows;
  const reach = kernel.map((extent, i) => (extent - 1) * dilations[i]!);
  const turnable = strides.every((s) => s === 1) && reach.every((r, i) => before[i]! <= r && after[i]! <= r);
  if (!turnable) return transposed(g, dy, w, groups, windows);
  const axes = kernel.map((_, i) => i + 2).filter((axis) => kernel[axis - 2]! > 1);
  const ones = axes.map(() => -1);
  let turned = axes.length
    ? g.slice(
        w,
        ones,
        axes.map(() => -(2 ** 31)),
        axes,
        ones,
      )
    : w;
  // [groups, M/groups, C/groups, …] → [groups, C/groups, M/groups, …] → [C, M/groups, …]
  if (perGroup === 1 && groups === outputs) {
    // Depthwise: one channel in, one out.
  } else if (groups === 1) {
    turned = g.transpose(turned, [1, 0, ...kernel.map((_, i) => i + 2)]);
  } else {
    const split = g.reshape(turned, [groups, outputs! / groups, perGroup!, ...kernel]);
    const swapped = g.transpose(split, [0, 2, 1, ...kernel.map((_, i) => i + 3)]);
    turned = g.reshape(swapped, [groups * perGroup!, outputs! / groups, ...kernel]);
  }
  const pads = [...reach.map((r, i) => r - before[i]!), ...reach.map((r, i) => r - after[i]!)];
  return g.op("Conv", [dy, turned], { pads, dilations, group: groups, kernel_shape: kernel });
}

/** The transposed convolution that leads from the positions of `windows` back to their input. */
export function transposed(g: Formula, dy: Value, w: Value, groups: number, windows: Windows): Value {
  const { strides, dilations, before, after, kernel } = windows;
  return g.op("ConvTranspose", [dy, w], {
    strides,
    dilations,
    group: groups,
    kernel_shape: kernel,
    // What no window reached behind the input is padding of the output.
    pads: [...before, ...after.map((n) => Math.max(n, 0))],
    output_padding: after.map((n) => Math.max(-n, 0)),
  });
}

/**
 * dW: dY [M, N·L] times the input as each offset of the kernel sees it, [C·size, N·L]: one product over all
 * images, with channels in front so that rows are long and the result needs no turning.
 */
function weightGradient(
  g: Formula,
  x: Value,
  dy: Value,
  weights: readonly number[],
  groups: number,
  windows: Windows,
  at: Site,
): Value {
  const images = at.shape(at.x[0]!)[0]!;
  const [outputs, perGroup, ...kernel] = weights as [number, number, ...number[]];
  const { strides, dilations, before, after, output } = windows;
  const size = kernel.reduce((product, extent) => product * extent, 1);
  if (groups === 1 && size >= 25) return batchAsChannels(g, x, dy, windows);
  // Needs the number of images, for the number of groups is an attribute.
  if (perGroup === 1 && groups === outputs && groups > 1 && typeof images === "number")
    return eachChannelAlone(g, x, dy, weights, images, windows);
  const axes = kernel.map((_, i) => i + 2);
  const isWhole =
    size === 1 && [...strides, ...before, ...after].every((n, i) => n === (i < axes.length ? 1 : 0));
  const positions = output.reduce((product, extent) => product * extent, 1);
  const isCheaper = !at.isFolded && positions * (outputs + perGroup) >= 32 * outputs * perGroup;
  if (isWhole && groups === 1 && isCheaper) {
    // Images so large that adding up a small product an image is cheaper than putting channels in front.
    const [left, right] = [g.reshape(dy, [0, outputs, -1]), g.reshape(x, [0, perGroup, -1])];
    return g.reshape(g.sum(g.matmul(left, g.transpose(right, [0, 2, 1])), [0], false), weights);
  }
  const swap = [1, 0, ...axes];
  const rows = g.reshape(g.transpose(dy, swap), [groups, outputs / groups, -1]);
  const padded = g.pad(g.transpose(x, swap), [0, 0, ...before, 0, 0, ...after.map((n) => Math.max(n, 0))]);
  const seen = offsets(kernel).map((offset) => {
    const starts = offset.map((at, i) => at * dilations[i]!);
    const ends = starts.map((start, i) => start + (output[i]! - 1) * strides[i]! + 1);
    const part = isWhole ? padded : g.slice(padded, starts, ends, axes, strides);
    return g.reshape(part, [groups * perGroup, 1, -1]);
  });
  const columns = g.reshape(g.concat(seen, 1), [groups, perGroup * size, -1]);
  if (groups > 1) return g.reshape(g.matmul(rows, g.transpose(columns, [0, 2, 1])), weights);
  const flat = (value: Value, extent: number) => g.reshape(value, [extent, -1]);
  const [left, right] = [flat(rows, outputs), flat(columns, perGroup * size)];
  // The product of few rows with many columns is slow, and the result is small.
  const product =
    outputs < 128 && perGroup * size > 2 * outputs
      ? turned(g, g.op("Gemm", [right, left], { transB: 1 }), outputs)
      : g.op("Gemm", [left, right], { transB: 1 });
  return g.reshape(product, weights);
}

/** For large kernels: a convolution in which images are channels, dY is the kernel and strides are dilations. */
function batchAsChannels(g: Formula, x: Value, dy: Value, windows: Windows): Value {
  const { strides, dilations, before, after, kernel } = windows;
  const swap = [1, 0, ...kernel.map((_, i) => i + 2)];
  const made = g.op("Conv", [g.transpose(x, swap), g.transpose(dy, swap)], {
    strides: dilations,
    dilations: strides,
    pads: [...before, ...after.map((n) => Math.max(n, 0))],
  });
  const axes = kernel.map((_, i) => i + 2);
  // Positions that no window begins at, where the stride left a rest, come last.
  const cut = g.slice(
    made,
    kernel.map(() => 0),
    kernel,
    axes,
  );
  return g.transpose(cut, swap);
}

/** Depthwise: every channel of every image is a convolution of its own, with its dY as the kernel. */
function eachChannelAlone(
  g: Formula,
  x: Value,
  dy: Value,
  weights: readonly number[],
  images: number,
  windows: Windows,
): Value {
  const { input, output, strides, dilations, before, after, kernel } = windows;
  const made = g.op("Conv", [g.reshape(x, [1, -1, ...input]), g.reshape(dy, [-1, 1, ...output])], {
    strides: dilations,
    dilations: strides,
    pads: [...before, ...after.map((n) => Math.max(n, 0))],
    group: images * weights[0]!,
  });
  const axes = kernel.map((_, i) => i + 2);
  const cut = g.slice(
    made,
    kernel.map(() => 0),
    kernel,
    axes,
  );
  return g.reshape(g.sum(g.reshape(cut, [-1, weights[0]!, ...kernel]), [0], false), weights);
}

function convolutionAttributes(windows: Windows, groups: number) {
  const { strides, dilations, before, after, kernel } = windows;
  return {
    strides,
    dilations,
    group: groups,
    kernel_shape: kernel,
    pads: [...before, ...after.map((n) => Math.max(n, 0))],
  };
}

function offsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (all, extent) => all.flatMap((one) => Array.from({ length: extent }, (_, i) => [...one, i])),
    [[]],
  );
}

import { ints } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import type { BlockedImages, Extents } from "./blocked-images.ts";
import { list } from "./blocks.ts";

/** How the trained weights of convolutions on blocked images are laid out anew at each step. */
export function blockedWeights(images: BlockedImages) {
  const { block, makers, forms, mixed, emit, emitBlocked, reshaped, image, plain, contents } = images;
  return { full, narrow, repeated, viewed, eachWeights };

  /** Weights as they are trained, and how they were turned to be a convolution's backwards. */
  function origin(w: Value): { source: Value; isSwapped: boolean; flipped: readonly number[] } {
    let source = w;
    let isSwapped = false;
    let flipped: readonly number[] = [];
    const turn = makers.get(source);
    if (turn?.opType === "Transpose" && list(turn.attributes, "perm")?.join() === "1,0,2,3") {
      isSwapped = true;
      source = turn.inputs[0]!;
    }
    const cut = makers.get(source);
    const [starts, ends, axes, steps] = [1, 2, 3, 4].map((i) => (cut ? contents(cut.inputs[i]) : null));
    const isFlip =
      cut?.opType === "Slice" &&
      [starts, steps].every((all) => all?.every((n) => n === -1)) &&
      ends?.every((end) => end < -(2 ** 30)) &&
      axes?.every((axis) => axis >= 2);
    if (isFlip) {
      flipped = axes!;
      source = cut.inputs[0]!;
    }
    return { source, isSwapped, flipped };
  }
  /** [O, I, …] to [O/b, I/b, …, b of I, b of O]; what is read in the end are runs of b numbers. */
  function full(w: Value, [outputs, inputs, height, width]: readonly number[]): Value {
    const { source, isSwapped, flipped } = origin(w);
    const size = height! * width!;
    const [o, i] = [outputs! / block, inputs! / block];
    let made: Value;
    plain(source);
    if (isSwapped && size === 1) {
      made = emit("Transpose", [reshaped(source, [i, block, o, block])], { perm: [2, 0, 1, 3] });
    } else if (isSwapped) {
      // The source is [I, O, …].
      const apart = emitBlocked("ReorderInput", [reshaped(source, [inputs!, outputs!, 1, size])]);
      made = emit("Transpose", [reshaped(apart, [i, block, o, size, block])], { perm: [2, 0, 3, 1, 4] });
    } else {
      const apart = emitBlocked("ReorderInput", [reshaped(source, [1, outputs!, inputs!, size])]);
      made =
        size === 1
          ? apart
          : emit("Transpose", [reshaped(apart, [o, i, block, size, block])], { perm: [0, 1, 3, 2, 4] });
    }
    if (flipped.length > 0) {
      const order = flippedOrder(height!, width!, flipped);
      made = emit("Gather", [reshaped(made, [o * i, size, block * block]), ints(order)], { axis: 1 });
    }
    return reshaped(made, [outputs!, inputs!, height!, width!]);
  }
  /** [O, I, …] to [O/b, I, …, b of O], for images of a few channels that stay plain. */
  function narrow(w: Value, weights: readonly number[]): Value {
    plain(w);
    const [outputs, inputs, height, width] = weights as Extents;
    return reshaped(
      emitBlocked("ReorderInput", [reshaped(w, [1, outputs, inputs, height * width])]),
      weights,
    );
  }
  /** Channels once for each of `times` images. */
  function repeated(value: Value, channels: number, times: number, rest: readonly number[] = []): Value {
    if (times === 1) return value;
    const size = rest.reduce((product, extent) => product * extent, block);
    const apart = reshaped(value, [channels / block, 1, size]);
    return reshaped(emit("Expand", [apart, ints([channels / block, times, size])]), [
      channels * times,
      ...rest,
    ]);
  }
  /** The image that weights [N·C, 1, H, W] of a depthwise convolution are. */
  function viewed(w: Value, [channels, , height, width]: readonly number[]): Value | null {
    const node = makers.get(w);
    const maker = node?.opType === "Reshape" ? node.inputs[0]! : null;
    const from = image(maker);
    const isSame = from && from[0] * from[1] === channels && from[2] === height && from[3] === width;
    return isSame && forms.has(maker!) && !mixed.has(maker!) ? maker : null;
  }
  /** [C, 1, …] to [C/b, …, b]. Images of the same memory serve as they are, where `mayView`. */
  function eachWeights(w: Value, weights: readonly number[], mayView: boolean): Value {
    const [channels, , height, width] = weights as Extents;
    const view = mayView ? viewed(w, weights) : null;
    if (view) return reshaped(forms.get(view)!, weights);
    const { source, flipped } = origin(w);
    plain(source);
    let made = emitBlocked("ReorderInput", [reshaped(source, [1, channels, height, width])]);
    if (flipped.length > 0) {
      const order = flippedOrder(height, width, flipped);
      made = emit("Gather", [reshaped(made, [channels / block, height * width, block]), ints(order)], {
        axis: 1,
      });
    }
    return reshaped(made, weights);
  }
}

/** Positions of a kernel after its axes (2: height, 3: width) are turned round. */
export function flippedOrder(height: number, width: number, axes: readonly number[]): number[] {
  return Array.from({ length: height * width }, (_, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    return (
      (axes.includes(2) ? height - 1 - row : row) * width + (axes.includes(3) ? width - 1 - column : column)
    );
  });
}

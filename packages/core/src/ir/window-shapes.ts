import type { Extent } from "./extents.ts";
import type { Shape } from "./graph.ts";
import type { Inferred, Rule, RuleContext } from "./shapes.ts";

/** Convolutions, pooling, padding and resizing: operators that slide a window over [N, C, …spatial]. */
export const windowRules: Readonly<Record<string, Rule>> = {
  Conv: (context) => convolution(context, 1, context.inputs[0]?.dtype ?? null),
  FusedConv: (context) => convolution(context, 1, context.inputs[0]?.dtype ?? null),
  ConvInteger: (context) => convolution(context, 1, "int32"),
  QLinearConv: (context) => convolution(context, 3, context.inputs[0]?.dtype ?? null),
  ConvTranspose(context) {
    const [x, weights] = context.inputs;
    if (!x?.shape) return only(x ?? null);
    const [batch = null, , ...spatial] = x.shape;
    const perGroup = weights?.shape?.[1];
    const channels = typeof perGroup === "number" ? perGroup * context.int("group", 1) : null;
    const kernel = context.ints("kernel_shape") ?? numbers(weights?.shape?.slice(2));
    const explicit = context.ints("output_shape")?.slice(-spatial.length);
    const shape = spatial.map((extent, i) => {
      if (explicit) return explicit[i]!;
      const stride = context.ints("strides")?.[i] ?? 1;
      if (typeof extent !== "number" || !kernel) return null;
      if (context.text("auto_pad", "NOTSET").startsWith("SAME")) return extent * stride;
      const [before, after] = padding(context, i, spatial.length);
      const reach = (kernel[i]! - 1) * (context.ints("dilations")?.[i] ?? 1) + 1;
      return stride * (extent - 1) + (context.ints("output_padding")?.[i] ?? 0) + reach - before - after;
    });
    return only({ ...x, shape: [batch, channels, ...shape] });
  },
  MaxPool: pooling,
  AveragePool: pooling,
  LpPool: pooling,
  QLinearAveragePool: pooling,
  GlobalAveragePool: globalPooling,
  GlobalMaxPool: globalPooling,
  GlobalLpPool: globalPooling,
  QLinearGlobalAveragePool: globalPooling,
  Pad(context) {
    const [x] = context.inputs;
    const pads = context.contents(1) ?? context.ints("pads");
    if (!x?.shape) return only(x ?? null);
    const rank = x.shape.length;
    const axes = context.node.inputs[3] ? context.contents(3) : x.shape.map((_, axis) => axis);
    if (!pads || !axes) return only({ ...x, shape: Array(rank).fill(null) });
    const shape = [...x.shape];
    for (const [i, named] of axes.entries()) {
      const axis = typeof named === "number" ? (named + rank) % rank : null;
      if (axis === null) return only({ ...x, shape: Array(rank).fill(null) });
      shape[axis] = plus(shape[axis]!, pads[i] ?? null, pads[i + axes.length] ?? null);
    }
    return only({ ...x, shape });
  },
  Resize: (context) =>
    resized(context, context.node.inputs.length > 2 || context.node.inputs.length < 2 ? 2 : 1, 3),
  Upsample: (context) => resized(context, 1, -1),
  DepthToSpace(context) {
    const [x] = context.inputs;
    const block = context.int("blocksize", 1);
    if (x?.shape?.length !== 4) return only({ dtype: x?.dtype ?? null, shape: null });
    const [n, c, h, w] = x.shape as [Extent, Extent, Extent, Extent];
    return only({ ...x, shape: [n, scaled(c, 1 / block ** 2), scaled(h, block), scaled(w, block)] });
  },
  SpaceToDepth(context) {
    const [x] = context.inputs;
    const block = context.int("blocksize", 1);
    if (x?.shape?.length !== 4) return only({ dtype: x?.dtype ?? null, shape: null });
    const [n, c, h, w] = x.shape as [Extent, Extent, Extent, Extent];
    return only({ ...x, shape: [n, scaled(c, block ** 2), scaled(h, 1 / block), scaled(w, 1 / block)] });
  },
};

function convolution(context: RuleContext, weightIndex: number, dtype: Inferred["dtype"]) {
  const x = context.inputs[0];
  const weights = context.inputs[weightIndex]?.shape;
  if (!x?.shape) return only({ dtype, shape: weights ? Array(weights.length).fill(null) : null });
  const [batch = null, , ...spatial] = x.shape;
  const kernel = context.ints("kernel_shape") ?? numbers(weights?.slice(2));
  const shape = spatial.map((extent, i) => windowed(context, extent, kernel?.[i] ?? null, i, spatial.length));
  return only({ dtype, shape: [batch, weights?.[0] ?? null, ...shape] });
}

function pooling(context: RuleContext) {
  const [x] = context.inputs;
  if (!x?.shape) return only(x ?? null);
  const [batch = null, channels = null, ...spatial] = x.shape;
  const kernel = context.ints("kernel_shape");
  const shape = spatial.map((extent, i) => windowed(context, extent, kernel?.[i] ?? null, i, spatial.length));
  const pooled: Inferred = { ...x, shape: [batch, channels, ...shape] };
  return { outputs: [pooled, { dtype: "int64" as const, shape: pooled.shape }] };
}

function globalPooling(context: RuleContext) {
  const [x] = context.inputs;
  return only(
    x?.shape ? { ...x, shape: x.shape.map((extent, axis) => (axis < 2 ? extent : 1)) } : (x ?? null),
  );
}

/** Positions a window takes along a spatial axis. */
function windowed(context: RuleContext, extent: Extent, kernel: Extent, i: number, axes: number): Extent {
  if (typeof extent !== "number" || typeof kernel !== "number") return null;
  const stride = context.ints("strides")?.[i] ?? 1;
  const reach = (kernel - 1) * (context.ints("dilations")?.[i] ?? 1) + 1;
  const auto = context.text("auto_pad", "NOTSET");
  if (auto.startsWith("SAME")) return Math.ceil(extent / stride);
  const [before, after] = auto === "VALID" ? [0, 0] : padding(context, i, axes);
  const steps = (extent + before + after - reach) / stride;
  if (context.int("ceil_mode", 0) !== 1) return Math.floor(steps) + 1;
  // A window that would start in the padding behind the input is left out.
  const positions = Math.ceil(steps) + 1;
  return (positions - 1) * stride >= extent + before ? positions - 1 : positions;
}

function padding(context: RuleContext, i: number, axes: number): [number, number] {
  const pads = context.ints("pads");
  return [pads?.[i] ?? 0, pads?.[i + axes] ?? 0];
}

function resized(context: RuleContext, scalesAt: number, sizesAt: number) {
  const [x] = context.inputs;
  if (!x?.shape) return only(x ?? null);
  const rank = x.shape.length;
  const axes = context.ints("axes");
  const sizes = sizesAt >= 0 ? context.contents(sizesAt) : null;
  const scales = context.tensor(scalesAt);
  const shape = x.shape.map((extent, axis) => {
    const at = axes ? axes.findIndex((named) => (named < 0 ? named + rank : named) === axis) : axis;
    if (at < 0) return extent;
    if (sizes?.length) return sizes[at] ?? null;
    const scale = scales?.dtype === "float32" ? (scales.data as Float32Array)[at] : undefined;
    return scale === undefined ? null : scaled(extent, scale);
  });
  return only({ ...x, shape });
}

function scaled(extent: Extent, by: number): Extent {
  if (by === 1) return extent;
  return typeof extent === "number" ? Math.floor(extent * by) : null;
}

function plus(...extents: readonly Extent[]): Extent {
  const [extent = null, ...added] = extents;
  if (added.every((pad) => pad === 0)) return extent;
  return extents.every((one) => typeof one === "number")
    ? extents.reduce<number>((total, one) => total + (one as number), 0)
    : null;
}

function numbers(shape: Shape | undefined): readonly number[] | null {
  return shape?.every((extent) => typeof extent === "number") ? (shape as number[]) : null;
}

function only(output: Inferred | null) {
  return { outputs: [output] };
}

import { broadcast, type Extent, over, productOf, times } from "./extents.ts";
import type { Shape } from "./graph.ts";
import { atAxis, axesOf, first, unknown } from "./shape-rule.ts";
import type { Rule, RuleContext } from "./shapes.ts";
import { integersOf } from "./shapes.ts";

/** Operators that reshape, move, select and make numbers, and carry the contents of small arrays of shapes. */
export const movingRules: Readonly<Record<string, Rule>> = {
  Flatten(context) {
    const [x] = context.inputs;
    if (!x?.shape) return first({ dtype: x?.dtype ?? null, shape: [null, null] });
    const axis = atAxis(context.int("axis", 1), x.shape.length);
    return first({ ...x, shape: [productOf(x.shape.slice(0, axis)), productOf(x.shape.slice(axis))] });
  },
  Reshape(context) {
    const [x, target] = context.inputs;
    const extents = context.contents(1) ?? context.ints("shape");
    const rank = target?.shape?.[0];
    if (!extents)
      return first({ dtype: x?.dtype ?? null, shape: typeof rank === "number" ? unknown(rank) : null });
    const shape = reshaped(x?.shape ?? null, extents, context.int("allowzero", 0) === 1);
    return first({ dtype: x?.dtype ?? null, shape }, context.contents(0));
  },
  Transpose(context) {
    const [x] = context.inputs;
    if (!x?.shape) return first(x ?? null);
    const order = context.ints("perm") ?? x.shape.map((_, axis) => x.shape!.length - 1 - axis);
    return first({ ...x, shape: order.map((axis) => x.shape![axis] ?? null) });
  },
  Squeeze(context) {
    const [x] = context.inputs;
    const axes = axesOf(context, 1);
    if (!x?.shape || axes === undefined) return first({ dtype: x?.dtype ?? null, shape: null });
    const { shape } = x;
    if (axes === null && shape.some((extent) => typeof extent !== "number"))
      return first({ dtype: x.dtype, shape: null });
    const dropped = new Set(axes?.map((axis) => atAxis(axis, shape.length)));
    const kept = shape.filter((extent, axis) => (axes ? !dropped.has(axis) : extent !== 1));
    return first({ ...x, shape: kept }, context.contents(0));
  },
  Unsqueeze(context) {
    const [x] = context.inputs;
    const axes = axesOf(context, 1);
    if (!x?.shape || !axes) return first({ dtype: x?.dtype ?? null, shape: null });
    const shape: Extent[] = [...x.shape];
    const rank = shape.length + axes.length;
    for (const axis of axes.map((one) => atAxis(one, rank)).sort((a, b) => a - b)) shape.splice(axis, 0, 1);
    return first({ ...x, shape }, context.contents(0));
  },
  Concat(context) {
    const shapes = context.inputs.map((input) => input?.shape ?? null);
    const known = shapes.find(Boolean);
    const dtype = context.inputs.find((input) => input?.dtype)?.dtype ?? null;
    if (!known) return first({ dtype, shape: null });
    const axis = atAxis(context.int("axis", 0), known.length);
    const shape = known.map((_, i) => {
      const extents = shapes.map((one) => one?.[i] ?? null);
      if (i !== axis)
        return extents.find((extent) => typeof extent === "number") ?? extents.find(Boolean) ?? null;
      return extents.every((extent) => typeof extent === "number") ? sum(extents) : null;
    });
    const parts = context.inputs.map((_, i) => context.contents(i));
    return first({ dtype, shape }, known.length === 1 ? joined(parts) : null);
  },
  Split(context) {
    const [x] = context.inputs;
    const count = context.node.outputs.length;
    if (!x?.shape) return { outputs: Array(count).fill(x ?? null) };
    const axis = atAxis(context.int("axis", 0), x.shape.length);
    const total = x.shape[axis] ?? null;
    const sizes = context.node.inputs[1] ? (context.contents(1) ?? []) : context.ints("split");
    const outputs = Array.from({ length: count }, (_, i) => {
      const part = typeof total === "number" ? Math.ceil(total / count) : null;
      const equal = typeof total === "number" ? Math.max(0, Math.min(part!, total - i * part!)) : null;
      return { ...x, shape: x.shape!.with(axis, sizes ? (sizes[i] ?? null) : equal) };
    });
    return { outputs };
  },
  Slice(context) {
    const [x] = context.inputs;
    const starts = context.contents(1) ?? context.ints("starts");
    const ends = context.contents(2) ?? context.ints("ends");
    if (!x?.shape) return first(x ?? null);
    const axes = context.node.inputs[3]
      ? context.contents(3)
      : (context.ints("axes") ?? starts?.map((_, i) => i));
    if (!starts || !ends || !axes) return first({ ...x, shape: unknown(x.shape.length) });
    const steps = context.node.inputs[4] ? context.contents(4) : starts.map(() => 1);
    const shape: Extent[] = [...x.shape];
    for (const [i, named] of axes.entries()) {
      const axis = atAxis(named as number, shape.length);
      shape[axis] = sliced(shape[axis]!, starts[i] ?? null, ends[i] ?? null, steps?.[i] ?? null);
    }
    return first({ ...x, shape }, x.shape.length === 1 ? slicedContents(context, starts, ends, steps) : null);
  },
  Gather(context) {
    const [x, indices] = context.inputs;
    const dtype = x?.dtype ?? null;
    if (!x?.shape || !indices?.shape) return first({ dtype, shape: null });
    const axis = atAxis(context.int("axis", 0), x.shape.length);
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    const from = context.contents(0);
    const at = context.contents(1);
    const picked =
      from && at && axis === 0
        ? at.map((index) => (typeof index === "number" ? (from.at(index) ?? null) : null))
        : null;
    return first({ dtype, shape }, picked);
  },
  Compress(context) {
    const [x] = context.inputs;
    const isFlat = !context.node.attributes.has("axis");
    const kept = context.tensor(1)?.data as Uint8Array | undefined;
    const count = kept ? kept.filter((one) => one !== 0).length : null;
    if (isFlat || !x?.shape) return first({ dtype: x?.dtype ?? null, shape: isFlat ? [count] : null });
    return first({ ...x, shape: x.shape.with(atAxis(context.int("axis", 0), x.shape.length), count) });
  },
  GatherElements: ({ inputs: [x, indices] }) =>
    first({ dtype: x?.dtype ?? null, shape: indices?.shape ?? null }),
  GatherND(context) {
    const [x, indices] = context.inputs;
    const depth = indices?.shape?.at(-1);
    if (!x?.shape || !indices?.shape || typeof depth !== "number")
      return first({ dtype: x?.dtype ?? null, shape: null });
    return first({
      dtype: x.dtype,
      shape: [...indices.shape.slice(0, -1), ...x.shape.slice(context.int("batch_dims", 0) + depth)],
    });
  },
  Expand(context) {
    const [x] = context.inputs;
    const target = context.contents(1);
    return first({ dtype: x?.dtype ?? null, shape: broadcast(x?.shape ?? null, target) });
  },
  Tile(context) {
    const [x] = context.inputs;
    const repeats = context.contents(1);
    return first({
      dtype: x?.dtype ?? null,
      shape: x?.shape?.map((extent, axis) => times(repeats?.[axis] ?? null, extent)) ?? null,
    });
  },
  Shape(context) {
    const [x] = context.inputs;
    if (!x?.shape) return first({ dtype: "int64", shape: [null] });
    const part = x.shape.slice(context.int("start", 0), context.int("end", x.shape.length));
    return first({ dtype: "int64", shape: [part.length] }, part);
  },
  Size: ({ inputs: [x] }) => first({ dtype: "int64", shape: [] }, x?.shape ? [productOf(x.shape)] : null),
  Constant: ({ node }) => {
    for (const [name, attribute] of node.attributes) {
      if (attribute.type === "tensor") {
        const { dtype, shape, data } = attribute.value;
        const small = dtype === "int64" && shape.length <= 1 && data.length <= 64;
        return first({ dtype, shape }, small ? Array.from(data as BigInt64Array, Number) : null);
      }
      if (attribute.type === "int") return first({ dtype: "int64", shape: [] }, [Number(attribute.value)]);
      if (attribute.type === "ints")
        return first({ dtype: "int64", shape: [attribute.value.length] }, attribute.value.map(Number));
      if (attribute.type === "float") return first({ dtype: "float32", shape: [] });
      if (attribute.type === "floats") return first({ dtype: "float32", shape: [attribute.value.length] });
      if (name === "value_string") return first({ dtype: "string", shape: [] });
    }
    return first(null);
  },
  ConstantOfShape(context) {
    const value = context.node.attributes.get("value");
    const rank = context.inputs[0]?.shape?.[0];
    const shape = context.contents(0) ?? (typeof rank === "number" ? unknown(rank) : null);
    const tensor = value?.type === "tensor" ? value.value : null;
    const [length] = shape ?? [];
    const fill = tensor && integersOf(tensor)?.[0];
    const isSmall = shape?.length === 1 && typeof length === "number" && length <= 64;
    return first(
      { dtype: tensor?.dtype ?? "float32", shape },
      isSmall && typeof fill === "number" ? Array(length).fill(fill) : null,
    );
  },
  Range: ({ inputs: [start] }) => first({ dtype: start?.dtype ?? null, shape: [null] }),
  OneHot: ({ inputs: [indices, , values], int }) => {
    if (!indices?.shape) return first({ dtype: values?.dtype ?? null, shape: null });
    const shape: Extent[] = [...indices.shape];
    shape.splice(atAxis(int("axis", -1), shape.length + 1), 0, null);
    return first({ dtype: values?.dtype ?? null, shape });
  },
};

function reshaped(from: Shape | null, target: readonly Extent[], allowZero: boolean): Shape {
  const copied = target.map((extent, axis) => (extent === 0 && !allowZero ? (from?.[axis] ?? null) : extent));
  const open = copied.indexOf(-1);
  if (open < 0) return copied;
  const rest = times(...copied.toSpliced(open, 1));
  return copied.with(open, over(from && productOf(from), rest));
}

function sliced(extent: Extent, start: Extent, end: Extent, step: Extent): Extent {
  if (typeof start !== "number" || typeof end !== "number" || typeof step !== "number" || step === 0)
    return null;
  // "From the start to the very end" keeps an extent whatever it is.
  if (start === 0 && step === 1 && end >= 2 ** 31 - 1) return extent;
  if (typeof extent !== "number") return null;
  const clamp = (at: number, low: number, high: number) =>
    Math.min(Math.max(at < 0 ? at + extent : at, low), high);
  const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
  return Math.max(0, Math.ceil((clamp(end, low, high) - clamp(start, low, high)) / step));
}

function slicedContents(
  context: RuleContext,
  starts: readonly Extent[],
  ends: readonly Extent[],
  steps: readonly Extent[] | null,
): readonly Extent[] | null {
  const contents = context.contents(0);
  const [start, end] = [starts[0], ends[0]];
  if (!contents || steps?.[0] !== 1 || typeof start !== "number" || typeof end !== "number") return null;
  return contents.slice(start, end);
}

function joined(parts: readonly (readonly Extent[] | null)[]): readonly Extent[] | null {
  return parts.every((part) => part !== null) ? parts.flat() : null;
}

function sum(extents: readonly Extent[]): number {
  return extents.reduce<number>((total, extent) => total + (extent as number), 0);
}

import type { DataType } from "../tensor.ts";
import { broadcast, type Extent, over, productOf, times } from "./extents.ts";
import type { Shape } from "./graph.ts";
import type { Inferred, Rule, RuleContext, RuleResult } from "./shapes.ts";
import { integersOf } from "./shapes.ts";
import { windowRules } from "./window-shapes.ts";

/** Output types of operators by name, over all domains: where two domains share a name they share the shape rule. */
export const SHAPE_RULES: Readonly<Record<string, Rule>> = {
  ...forEach(
    `Abs ReverseSequence Acos Acosh Asin Asinh Atan Atanh BiasGelu BiasSplitGelu Ceil Celu Clip Cos Cosh CumSum Elu Erf Exp FastGelu
     Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization LRN LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg NhwcConvGelu PRelu QuickGelu RMSNormalization
     Reciprocal Relu RotaryEmbedding Round ScatterElements ScatterND Selu Shrink Sigmoid Sign SimplifiedLayerNormalization Sin
     Sinh SkipLayerNormalization SkipSimplifiedLayerNormalization Softmax Softplus Softsign Sqrt Swish Tan Tanh
     ThresholdedRelu Trilu BatchNormalization`,
    (context) => first(context.inputs[0] ?? null, keptContents(context)),
  ),
  LayerNormalization(context) {
    const [x] = context.inputs;
    const axis = atAxis(context.int("axis", -1), x?.shape?.length ?? 0);
    const statistics: Inferred = {
      dtype: "float32",
      shape: x?.shape?.map((extent, i) => (i < axis ? extent : 1)) ?? null,
    };
    return { outputs: [x ?? null, statistics, statistics] };
  },
  ...forEach("Dropout", ({ inputs: [x] }) => ({
    outputs: [x ?? null, { dtype: "bool", shape: x?.shape ?? null }],
  })),
  ...forEach(
    "Add Sub Mul Div Pow Mod Max Min Sum Mean BitwiseAnd BitwiseOr BitwiseXor BitShift QLinearAdd QLinearMul",
    (context) =>
      context.node.opType.startsWith("QLinear")
        ? first(elementwise([context.inputs[0]!, context.inputs[3]!]))
        : first(elementwise(context.inputs), arithmetic(context)),
  ),
  Equal: (context) => first(elementwise(context.inputs, "bool"), paired(context, sameExtent)),
  ...forEach("Greater GreaterOrEqual Less LessOrEqual And Or Xor", ({ inputs }) =>
    first(elementwise(inputs, "bool")),
  ),
  ...forEach("Not IsNaN IsInf", ({ inputs: [x] }) => first(x ? { ...x, dtype: "bool" } : null)),
  Where(context) {
    const [condition = null, a = null, b = null] = context.inputs;
    return first(elementwise([condition, a, b], a?.dtype ?? b?.dtype ?? null), selected(context));
  },
  ...forEach("Cast", (context) =>
    first(
      { dtype: CAST_TYPES[context.int("to", 0)] ?? null, shape: context.inputs[0]?.shape ?? null },
      context.contents(0),
    ),
  ),
  ...forEach("CastLike", ({ inputs: [x, like] }) =>
    first({ dtype: like?.dtype ?? null, shape: x?.shape ?? null }),
  ),
  ...forEach("QuantizeLinear", ({ inputs: [x, , zero] }) =>
    first({ dtype: zero?.dtype ?? "uint8", shape: x?.shape ?? null }),
  ),
  ...forEach("DequantizeLinear", ({ inputs: [x, scale] }) =>
    first({ dtype: scale?.dtype ?? null, shape: x?.shape ?? null }),
  ),
  DynamicQuantizeLinear: ({ inputs: [x] }) => ({
    outputs: [
      { dtype: "uint8", shape: x?.shape ?? null },
      { dtype: "float32", shape: [] },
      { dtype: "uint8", shape: [] },
    ],
  }),
  ...forEach("MatMul FusedMatMul", (context) => {
    const [a, b] = context.inputs;
    const left = context.int("transA", 0) ? swapLast(a?.shape) : (a?.shape ?? null);
    const right = context.int("transB", 0) ? swapLast(b?.shape) : (b?.shape ?? null);
    return first({ dtype: a?.dtype ?? b?.dtype ?? null, shape: matmul(left, right) });
  }),
  MatMulInteger: ({ inputs: [a, b] }) =>
    first({ dtype: "int32", shape: matmul(a?.shape ?? null, b?.shape ?? null) }),
  MatMulIntegerToFloat: ({ inputs: [a, b] }) =>
    first({ dtype: "float32", shape: matmul(a?.shape ?? null, b?.shape ?? null) }),
  QLinearMatMul: ({ inputs: [a, , , b] }) =>
    first({ dtype: a?.dtype ?? null, shape: matmul(a?.shape ?? null, b?.shape ?? null) }),
  ...forEach("Gemm FusedGemm", (context) => {
    const [a, b] = context.inputs;
    const rows = a?.shape?.[context.int("transA", 0) ? 1 : 0] ?? null;
    const columns = b?.shape?.[context.int("transB", 0) ? 0 : 1] ?? null;
    return first({ dtype: a?.dtype ?? b?.dtype ?? null, shape: [rows, columns] });
  }),
  ...windowRules,
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
  ...forEach(
    `ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare`,
    (context) => {
      const [x] = context.inputs;
      const axes = axesOf(context, 1);
      const keep = context.int("keepdims", 1) === 1;
      if (!x?.shape || axes === undefined) return first({ dtype: x?.dtype ?? null, shape: null });
      if (!axes?.length && context.int("noop_with_empty_axes", 0) === 1) return first(x);
      const { shape } = x;
      const reduced = new Set(axes?.length ? axes.map((axis) => atAxis(axis, shape.length)) : shape.keys());
      return first({ ...x, shape: reducedShape(shape, reduced, keep) });
    },
  ),
  ...forEach("ArgMax ArgMin", (context) => {
    const [x] = context.inputs;
    if (!x?.shape) return first({ dtype: "int64", shape: null });
    const axis = atAxis(context.int("axis", 0), x.shape.length);
    return first({
      dtype: "int64",
      shape: reducedShape(x.shape, new Set([axis]), context.int("keepdims", 1) === 1),
    });
  }),
  TopK(context) {
    const [x] = context.inputs;
    if (!x?.shape) return { outputs: [x ?? null, { dtype: "int64", shape: null }] };
    const axis = atAxis(context.int("axis", -1), x.shape.length);
    const shape = x.shape.with(axis, context.contents(1)?.[0] ?? null);
    return {
      outputs: [
        { ...x, shape },
        { dtype: "int64", shape },
      ],
    };
  },
  ...forEach("LSTM GRU RNN", (context) => {
    const [x] = context.inputs;
    const hidden = context.int("hidden_size", 0) || null;
    const directions = context.text("direction", "forward") === "bidirectional" ? 2 : 1;
    const dtype = x?.dtype ?? null;
    if (!x?.shape)
      return {
        outputs: [
          { dtype, shape: unknown(4) },
          { dtype, shape: unknown(3) },
        ],
      };
    const [time, batch] = x.shape as [Extent, Extent];
    const last: Inferred = { dtype, shape: [directions, batch, hidden] };
    if (context.int("layout", 0) === 1)
      return { outputs: [{ dtype, shape: [time, batch, directions, hidden] }] };
    return { outputs: [{ dtype, shape: [time, directions, batch, hidden] }, last, last] };
  }),
  EmbedLayerNormalization: ({ inputs: [ids, , words] }) =>
    first({
      dtype: words?.dtype ?? null,
      shape: ids?.shape && words?.shape ? [...ids.shape, words.shape[1] ?? null] : null,
    }),
  ...forEach("Attention MultiHeadAttention", (context) => {
    // com.microsoft: [batch, time, hidden], as wide as the values' projection.
    if (context.node.domain !== "com.microsoft") return first(attended(context));
    const [x, weights, values] = context.inputs;
    if (x?.shape?.length !== 3) return first({ dtype: x?.dtype ?? null, shape: null });
    const width =
      context.node.opType === "Attention" && !context.ints("qkv_hidden_sizes")
        ? over(weights?.shape?.[1] ?? null, 3)
        : (values?.shape?.[2] ?? null);
    return first({ dtype: x.dtype, shape: [x.shape[0]!, x.shape[1]!, width] });
  }),
  Einsum(context) {
    const dtype = context.inputs[0]?.dtype ?? null;
    const [left, right] = context.text("equation", "").replaceAll(" ", "").split("->");
    if (!left || right === undefined || left.includes(".")) return first({ dtype, shape: null });
    const extents = new Map<string, Extent>();
    for (const [i, term] of left.split(",").entries())
      for (const [axis, letter] of [...term].entries()) {
        const extent = context.inputs[i]?.shape?.[axis] ?? null;
        if (extent !== null && extents.get(letter) !== 1) extents.set(letter, extents.get(letter) ?? extent);
      }
    return first({ dtype, shape: [...right].map((letter) => extents.get(letter) ?? null) });
  },
};

/** ai.onnx's own attention: the queries' shape, as wide as the values. */
function attended({ inputs: [q, , v], int }: RuleContext): Inferred | null {
  if (!q?.shape || !v?.shape) return q ? { dtype: q.dtype, shape: null } : null;
  if (q.shape.length === 4) return { ...q, shape: [...q.shape.slice(0, 3), v.shape[3] ?? null] };
  const width = times(over(v.shape[2] ?? null, int("kv_num_heads", 1)), int("q_num_heads", 1));
  return { ...q, shape: [...q.shape.slice(0, 2), width] };
}

/** A rule under several names. */
function forEach(names: string, rule: Rule): Record<string, Rule> {
  return Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, rule]),
  );
}

export function first(output: Inferred | null, contents: readonly Extent[] | null = null): RuleResult {
  return { outputs: [output], contents };
}

export function unknown(rank: number): Shape {
  return Array(rank).fill(null);
}

/** An axis counted from the front. */
export function atAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Axes as attribute or as input; null where all are meant, undefined where they are not known. */
function axesOf(context: RuleContext, index: number): readonly number[] | null | undefined {
  const attribute = context.ints("axes");
  if (attribute) return attribute;
  if (!context.node.inputs[index]) return null;
  const contents = context.contents(index);
  return contents?.every((axis) => typeof axis === "number") ? (contents as number[]) : undefined;
}

function elementwise(
  inputs: readonly (Inferred | null)[],
  dtype: DataType | null = inputs[0]?.dtype ?? null,
): Inferred {
  let shape: Shape | null = [];
  for (const input of inputs) shape = broadcast(shape, input?.shape ?? null);
  return { dtype, shape };
}

function matmul(a: Shape | null, b: Shape | null): Shape | null {
  if (!a || !b || a.length === 0 || b.length === 0) return null;
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2)) ?? [];
  return [...batch, ...(a.length > 1 ? [a.at(-2)!] : []), ...(b.length > 1 ? [b.at(-1)!] : [])];
}

function swapLast(shape: Shape | null | undefined): Shape | null {
  return shape && shape.length > 1 ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : (shape ?? null);
}

function reducedShape(shape: Shape, axes: ReadonlySet<number>, keep: boolean): Shape {
  return keep
    ? shape.map((extent, axis) => (axes.has(axis) ? 1 : extent))
    : shape.filter((_, axis) => !axes.has(axis));
}

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

/** Contents pass through Identity alone. */
function keptContents(context: RuleContext): readonly Extent[] | null {
  return context.node.opType === "Identity" ? context.contents(0) : null;
}

/** Elementwise arithmetic on shapes. */
function arithmetic(context: RuleContext): readonly Extent[] | null {
  return paired(context, (left, right) => {
    const numbers = typeof left === "number" && typeof right === "number";
    switch (context.node.opType) {
      case "Mul":
        return times(left, right);
      case "Div":
        return numbers ? Math.trunc(left / right) : over(left, right);
      case "Mod":
        return numbers && left >= 0 && right > 0 ? left % right : null;
      case "Add":
        return numbers ? left + right : null;
      case "Sub":
        return numbers ? left - right : null;
      default:
        return null;
    }
  });
}

/** A function of two inputs' elements, one of which may be a single one. */
function paired(context: RuleContext, of: (left: Extent, right: Extent) => Extent): readonly Extent[] | null {
  const [a, b] = [context.contents(0), context.contents(1)];
  if (!a || !b || context.inputs.length !== 2) return null;
  const length = Math.max(a.length, b.length);
  if ((a.length !== length && a.length !== 1) || (b.length !== length && b.length !== 1)) return null;
  return Array.from({ length }, (_, i) => of(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!));
}

/** Whether two extents are equal, 1 or 0. A symbol stands for a length, which no negative number is. */
function sameExtent(left: Extent, right: Extent): Extent {
  if (left === null || right === null) return null;
  if (left === right) return 1;
  if (typeof left === "number" && typeof right === "number") return 0;
  return [left, right].some((one) => typeof one === "number" && one < 0) ? 0 : null;
}

/** Where on extents: as exporters write "-1 keeps the extent" for Expand. */
function selected(context: RuleContext): readonly Extent[] | null {
  const [condition, a, b] = [context.contents(0), context.contents(1), context.contents(2)];
  if (!condition || a?.length !== condition.length || b?.length !== condition.length) return null;
  return condition.map((one, i) => (one === null ? null : one ? a[i]! : b[i]!));
}

function joined(parts: readonly (readonly Extent[] | null)[]): readonly Extent[] | null {
  return parts.every((part) => part !== null) ? parts.flat() : null;
}

function sum(extents: readonly Extent[]): number {
  return extents.reduce<number>((total, extent) => total + (extent as number), 0);
}

/** TensorProto.DataType of the targets of Cast that shapes and layers meet. */
const CAST_TYPES: Readonly<Record<number, DataType>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  16: "bfloat16",
};

import type { DataType } from "../tensor.ts";
import { broadcast, type Extent, over, times } from "./extents.ts";
import type { Shape } from "./graph.ts";
import { movingRules } from "./moving-shapes.ts";
import { arithmetic, keptContents, paired, sameExtent, selected } from "./shape-contents.ts";
import { atAxis, axesOf, first, forEach, unknown } from "./shape-rule.ts";
import type { Inferred, Rule, RuleContext } from "./shapes.ts";
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
  ...movingRules,
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

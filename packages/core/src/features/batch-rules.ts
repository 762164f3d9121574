import { type Extent, factorsOf, times } from "../ir/extents.ts";
import type { Node, Shape } from "../ir/graph.ts";

/** What the rules see of a node some of whose inputs hold a row for each item of the batch. */
export interface RowContext {
  readonly node: Node;
  readonly opset: number;
  /** The axis of an input that counts the batch; null where the input is the same whatever the batch. */
  axis(index: number): number | null;
  shape(index: number): Shape | null;
  readonly output: Shape | null;
  readonly symbol: string;
}

/** Keep every element where it is. */
const UNARY =
  words(`Abs Acos Acosh Asin Asinh Atan Atanh BiasGelu Cast Ceil Celu Clip Cos Cosh DequantizeLinear Dropout
  Elu Erf Exp FastGelu Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not QuantizeLinear
  QuickGelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu`);
const ELEMENTWISE = words(
  "Add Sub Mul Div Pow Mod Max Min Sum Mean And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual Where PRelu Expand",
);
/** Treat axis 0 as the batch by definition. */
const ROWS =
  words(`AveragePool BatchNormalization Conv ConvInteger ConvTranspose DepthToSpace EmbedLayerNormalization FusedConv
  GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization InstanceNormalization LRN LpPool MaxPool MultiHeadAttention
  QLinearAveragePool QLinearConv QLinearGlobalAveragePool SkipLayerNormalization SkipSimplifiedLayerNormalization SpaceToDepth`);
/**
 * What they do to the batch shows in the shape they give: it goes where the axis goes, and is gone where it
 * was reduced.
 */
const TELLING =
  words(`ArgMax ArgMin Einsum Pad ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
  ReduceSum ReduceSumSquare Resize Slice Split Squeeze Transpose Unsqueeze Upsample TopK`);
const ALONG = words("Softmax LogSoftmax Hardmax LpNormalization");
const FROM = words("LayerNormalization RMSNormalization SimplifiedLayerNormalization");

/**
 * Why the rows of a batch would not stay apart in a node, null where they do: for a network that was exported for one
 * batch size and so never had to keep them apart.
 */
export function mixing(context: RowContext): string | null {
  const { node, axis, shape } = context;
  const { opType } = node;
  if (UNARY.has(opType) || TELLING.has(opType)) return null;
  if (ELEMENTWISE.has(opType)) return elementwise(context);
  if (opType === "MatMul" || opType === "MatMulInteger") return product(context);
  if (opType === "Gemm")
    return axis(0) === 0 && axis(1) === null && int(node, "transA", 0) === 0
      ? null
      : "multiplies rows with each other";
  if (ROWS.has(opType))
    return node.inputs.every((_, i) => axis(i) === null || axis(i) === 0) ? null : "takes rows for channels";
  if (ALONG.has(opType)) {
    const old = opType !== "LpNormalization" && context.opset < 13;
    const at = fromFront(int(node, "axis", old ? 1 : -1), shape(0)?.length ?? 0);
    return old ? before(axis(0), at) : axis(0) === at ? "normalises over the batch" : null;
  }
  if (FROM.has(opType)) return before(axis(0), fromFront(int(node, "axis", -1), shape(0)?.length ?? 0));
  if (opType === "Flatten") return before(axis(0), fromFront(int(node, "axis", 1), shape(0)?.length ?? 0));
  if (opType === "Gather") return axis(0) !== null && axis(1) !== null ? "looks rows up by rows" : null;
  if (opType === "Concat") return concatenation(context);
  if (opType === "Reshape") return reshape(context);
  if (opType === "LSTM" || opType === "GRU" || opType === "RNN") {
    const at = int(node, "layout", 0) === 1 ? 0 : 1;
    return axis(0) === at && axis(1) === null && axis(2) === null ? null : "takes rows for steps in time";
  }
  return "is an operator of which Graft does not know whether it keeps rows apart";
}

/** The axis whose extent is the batch, or a multiple of it; null where there is not exactly one. */
export function batchAxis(shape: Shape | null, symbol: string): number | null {
  const axes = shape ? [...shape.keys()].filter((axis) => isBatch(shape[axis]!, symbol)) : [];
  return axes.length === 1 ? axes[0]! : null;
}

/**
 * How many elements, in row-major order, share what comes before the batch: the product of all extents
 * outside it.
 */
export function outside(shape: Shape, axis: number, symbol: string): Extent {
  const extent = shape[axis] ?? null;
  const factors = extent === null ? [] : factorsOf(extent);
  return times(...shape.slice(0, axis), ...factors.slice(0, factors.indexOf(symbol)));
}

function isBatch(extent: number | string | null, symbol: string): boolean {
  return typeof extent === "string" && factorsOf(extent).filter((factor) => factor === symbol).length === 1;
}

function elementwise({ node, axis, shape, output, symbol }: RowContext): string | null {
  const at = batchAxis(output, symbol);
  if (!output || at === null) return "combines rows with each other";
  for (const index of node.inputs.keys()) {
    if (node.opType === "Expand" && index === 1) continue;
    const own = shape(index);
    if (!node.inputs[index]) continue;
    if (!own) return "combines values of unknown shapes";
    const there = at - (output.length - own.length);
    if (axis(index) !== null) {
      if (axis(index) !== there || own[there] !== output[at]) return "combines rows with each other";
    } else if (there >= 0 && own[there] !== 1) return "has a constant for each row of the batch";
  }
  return null;
}

function product({ axis, shape, output, symbol }: RowContext): string | null {
  const at = batchAxis(output, symbol);
  const [left, right] = [shape(0), shape(1)];
  if (!output || at === null || !left || !right) return "multiplies rows with each other";
  if (axis(0) === left.length - 1 || axis(1) === right.length - 2) return "sums over the batch";
  if (right.length === 1 && axis(1) !== null) return "sums over the batch";
  for (const [index, own] of [left, right].entries()) {
    const there = at - (output.length - own.length);
    if (there < 0 || there >= own.length - 2) continue;
    if (axis(index) !== null ? axis(index) !== there : own[there] !== 1)
      return "multiplies rows with each other";
  }
  return null;
}

function concatenation({ node, axis, shape }: RowContext): string | null {
  const rank = shape(0)?.length ?? 0;
  const along = fromFront(int(node, "axis", 0), rank);
  const axes = node.inputs.map((_, i) => axis(i));
  const at = axes.find((one) => one !== null);
  if (at === along) return "puts something beside the rows of the batch";
  if (axes.some((one) => one !== at)) return "needs a constant for each row of the batch";
  return null;
}

/** Row-major order keeps rows apart where as much lies outside the batch as before. */
function reshape({ axis, shape, output, symbol }: RowContext): string | null {
  const at = axis(0);
  const from = shape(0);
  if (at === null || !from) return "makes a shape out of the batch";
  const to = batchAxis(output, symbol);
  const before = outside(from, at, symbol);
  // [batch, 64] into [1, -1] puts all rows into one.
  if (output && to !== null && to > at && output[at] === 1) return "states a shape for one batch size";
  const kept = output && to !== null && before !== null && outside(output, to, symbol) === before;
  return kept ? null : "states a shape for one batch size";
}

function before(axis: number | null, at: number): string | null {
  return axis === null || axis < at ? null : "joins the rows of the batch";
}

function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** An integer attribute of a node. */
export function int(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === "int" ? Number(attribute.value) : otherwise;
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

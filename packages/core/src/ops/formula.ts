import type { AttributeValue, Builder, Operand } from "../ir/build.ts";
import { ints } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import type { DataType, Tensor } from "../tensor.ts";

type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * Arithmetic on the values of a graph, so that a gradient reads like its formula. Plain numbers become constants of
 * `dtype`. Forms that changed between operator sets (axes as attribute or input) follow `opset`.
 */
export interface Formula {
  readonly dtype: DataType;
  readonly opset: number;
  /** Appends an operator of ai.onnx, or of `domain`, with one output. */
  op(opType: string, inputs: readonly Operand[], attributes?: Attributes, domain?: string): Value;
  /** Appends an operator with several outputs. */
  many(opType: string, inputs: readonly Operand[], attributes: Attributes, count: number): Value[];
  add(a: Operand, b: Operand): Value;
  sub(a: Operand, b: Operand): Value;
  mul(a: Operand, b: Operand): Value;
  div(a: Operand, b: Operand): Value;
  pow(a: Operand, b: Operand): Value;
  neg(a: Operand): Value;
  exp(a: Operand): Value;
  log(a: Operand): Value;
  sqrt(a: Operand): Value;
  sin(a: Operand): Value;
  cos(a: Operand): Value;
  tanh(a: Operand): Value;
  sigmoid(a: Operand): Value;
  sign(a: Operand): Value;
  square(a: Value): Value;
  where(condition: Value, a: Operand, b: Operand): Value;
  /** 1 where a > b, else 0. */
  greater(a: Operand, b: Operand): Value;
  less(a: Operand, b: Operand): Value;
  equal(a: Operand, b: Operand): Value;
  not(a: Value): Value;
  /** A truth value or an integer as a number of `dtype`. */
  number(a: Value): Value;
  cast(a: Value, to: DataType): Value;
  matmul(a: Operand, b: Operand): Value;
  transpose(a: Operand, perm: readonly number[]): Value;
  /** Sum over axes; all where none are given. */
  sum(a: Operand, axes?: readonly number[], keep?: boolean): Value;
  mean(a: Operand, axes: readonly number[], keep?: boolean): Value;
  max(a: Operand, axes: readonly number[], keep?: boolean): Value;
  /** Any of the operators Reduce… over axes. */
  reduce(opType: string, a: Operand, axes: readonly number[], keep: boolean): Value;
  shape(a: Operand): Value;
  /** Reshaped to fixed extents; 0 copies an extent, -1 stands for what remains. */
  reshape(a: Operand, shape: readonly number[] | Value): Value;
  expand(a: Operand, shape: readonly number[] | Value): Value;
  squeeze(a: Operand, axes: readonly number[]): Value;
  unsqueeze(a: Operand, axes: readonly number[]): Value;
  concat(parts: readonly Operand[], axis: number): Value;
  split(a: Operand, sizes: readonly number[], axis: number): Value[];
  slice(
    a: Operand,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ): Value;
  /** Zeros around a value: amounts before every axis, then after. */
  pad(a: Operand, amounts: readonly number[]): Value;
  gather(a: Operand, indices: Operand, axis: number): Value;
  zerosLike(a: Value): Value;
  onesLike(a: Value): Value;
  /** 0, 1, 2 … in the shape of a value, int64: the address of each element. */
  addresses(a: Value): Value;
  constant(tensor: Tensor): Value;
  /** A constant of one number everywhere. */
  fill(value: number, shape: readonly number[]): Value;
}

/** A tensor of one number of a floating type. */
export function scalarOf(dtype: DataType, value: number, shape: readonly number[] = []): Tensor {
  if (dtype === "float64") return { dtype, shape, data: Float64Array.of(value) };
  if (dtype === "int64") return { dtype, shape, data: BigInt64Array.of(BigInt(value)) };
  if (dtype === "int32") return { dtype, shape, data: Int32Array.of(value) };
  return { dtype: "float32", shape, data: Float32Array.of(value) };
}

const CODES: Partial<Record<DataType, number>> = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

/** Constants of up to so many numbers are written out. */
const SMALL = 4096;

/** Formulas that append to the graph of `builder`; `prefix` starts the names of what they append. */
export function formulas(builder: Builder, dtype: DataType, opset: number, prefix: string): Formula {
  const numbers = new Map<number, Value>();
  const number = (value: number): Value => {
    let constant = numbers.get(value);
    if (!constant) {
      constant = builder.constant(scalarOf(dtype, value), `${prefix}constant`);
      numbers.set(value, constant);
      fills.set(constant, value);
    }
    return constant;
  };
  // Axes and shapes that are equal are one constant: a runtime that makes a session has fewer to look at.
  const lists = new Map<string, Value>();
  const list = (tensor: Tensor): Value => {
    const key = `${tensor.shape}:${tensor.data}`;
    let constant = lists.get(key);
    if (!constant) lists.set(key, (constant = builder.constant(tensor, `${prefix}constant`)));
    return constant;
  };
  const operands = (inputs: readonly Operand[]) =>
    inputs.map((input) => {
      if (typeof input === "number") return number(input);
      const isList = input !== null && "data" in input && input.dtype === "int64" && input.data.length <= 16;
      return isList ? list(input) : input;
    });
  const named = (opType: string) => `${prefix}${opType.toLowerCase()}`;
  /** What a constant made here is filled with. */
  const fills = new Map<Value, number>();
  const isFloat = dtype === "float32" || dtype === "float64";
  const fillOf = (a: Operand): number | undefined =>
    isFloat && a !== null && typeof a === "object" ? fills.get(a as Value) : undefined;
  const op: Formula["op"] = (opType, inputs, attributes = {}, domain = "") =>
    builder.apply(opType, operands(inputs), attributes, { domain, name: named(opType) });
  const many: Formula["many"] = (opType, inputs, attributes, count) =>
    builder.applyMany(opType, operands(inputs), attributes, count, { name: named(opType) });
  const withAxes = (opType: string, since: number, a: Operand, axes: readonly number[], more: Attributes) =>
    opset >= since ? op(opType, [a, ints(axes)], more) : op(opType, [a], { ...more, axes });
  const target = (shape: readonly number[] | Value): Operand =>
    Array.isArray(shape) ? ints(shape) : (shape as Value);
  const reduce: Formula["reduce"] = (opType, a, axes, keep) =>
    withAxes(opType, opType === "ReduceSum" ? 13 : 18, a, axes, { keepdims: keep ? 1 : 0 });
  const g: Formula = {
    dtype,
    opset,
    op,
    many,
    add: (a, b) => op("Add", [a, b]),
    sub: (a, b) => op("Sub", [a, b]),
    mul: (a, b) => op("Mul", [a, b]),
    div: (a, b) => op("Div", [a, b]),
    pow: (a, b) => op("Pow", [a, b]),
    neg(a) {
      const fill = fillOf(a);
      const shape = fill === undefined ? null : ((a as Value).shape as readonly number[]);
      return shape === null ? op("Neg", [a]) : g.fill(-fill!, shape);
    },
    exp: (a) => op("Exp", [a]),
    log: (a) => op("Log", [a]),
    sqrt: (a) => op("Sqrt", [a]),
    sin: (a) => op("Sin", [a]),
    cos: (a) => op("Cos", [a]),
    tanh: (a) => op("Tanh", [a]),
    sigmoid: (a) => op("Sigmoid", [a]),
    sign: (a) => op("Sign", [a]),
    square: (a) => op("Mul", [a, a]),
    where: (condition, a, b) => op("Where", [condition, a, b]),
    greater: (a, b) => g.number(op("Greater", [a, b])),
    less: (a, b) => g.number(op("Less", [a, b])),
    equal: (a, b) => g.number(op("Equal", [a, b])),
    not: (a) => op("Not", [a]),
    number: (a) => g.cast(a, dtype),
    cast: (a, to) => op("Cast", [a], { to: CODES[to]! }),
    matmul: (a, b) => op("MatMul", [a, b]),
    transpose: (a, perm) => op("Transpose", [a], { perm }),
    sum: (a, axes, keep = true) =>
      axes ? reduce("ReduceSum", a, axes, keep) : op("ReduceSum", [a], { keepdims: 0 }),
    mean: (a, axes, keep = true) => reduce("ReduceMean", a, axes, keep),
    max: (a, axes, keep = true) => reduce("ReduceMax", a, axes, keep),
    reduce,
    shape: (a) => op("Shape", [a]),
    reshape: (a, shape) => op("Reshape", [a, target(shape)]),
    expand(a, shape) {
      const fill = fillOf(a);
      const isSmall = Array.isArray(shape) && shape.reduce((product, extent) => product * extent, 1) <= SMALL;
      return fill !== undefined && isSmall ? g.fill(fill, shape) : op("Expand", [a, target(shape)]);
    },
    squeeze: (a, axes) => withAxes("Squeeze", 13, a, axes, {}),
    unsqueeze(a, axes) {
      const fill = fillOf(a);
      const isNumber = fill !== undefined && (a as Value).shape?.length === 0;
      return isNumber
        ? g.fill(
            fill,
            axes.map(() => 1),
          )
        : withAxes("Unsqueeze", 13, a, axes, {});
    },
    concat: (parts, axis) => (parts.length === 1 ? (parts[0] as Value) : op("Concat", parts, { axis })),
    split: (a, sizes, axis) =>
      opset >= 13
        ? many("Split", [a, ints(sizes)], { axis }, sizes.length)
        : many("Split", [a], { axis, split: sizes }, sizes.length),
    slice: (a, starts, ends, axes, steps) =>
      op("Slice", [a, ints(starts), ints(ends), ints(axes), ...(steps ? [ints(steps)] : [])]),
    pad: (a, amounts) => (amounts.every((n) => n === 0) ? (a as Value) : op("Pad", [a, ints(amounts), 0])),
    gather: (a, indices, axis) => op("Gather", [a, indices], { axis }),
    zerosLike: (a) => op("ConstantOfShape", [g.shape(a)], { value: scalarOf(dtype, 0, [1]) }),
    onesLike: (a) => op("ConstantOfShape", [g.shape(a)], { value: scalarOf(dtype, 1, [1]) }),
    addresses: (a) =>
      g.reshape(op("Range", [scalarOf("int64", 0), op("Size", [a]), scalarOf("int64", 1)]), g.shape(a)),
    constant: (tensor) => builder.constant(tensor, `${prefix}constant`),
    fill(value, shape) {
      if (shape.length === 0) return number(value);
      const key = `${value} at ${shape}`;
      const known = lists.get(key);
      if (known) return known;
      const size = shape.reduce((product, extent) => product * extent, 1);
      const data = dtype === "float64" ? new Float64Array(size) : new Float32Array(size);
      const constant = g.constant({ dtype, shape, data: data.fill(value) } as Tensor);
      fills.set(constant, value);
      lists.set(key, constant);
      return constant;
    },
  };
  return g;
}

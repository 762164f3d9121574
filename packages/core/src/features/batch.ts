import { InputError } from "../errors.ts";
import { type Builder, build, ints } from "../ir/build.ts";
import { cloneModel, type ValueMap } from "../ir/clone.ts";
import type { Graph, Model, Node, Shape, Value } from "../ir/graph.ts";
import { type Inferred, inferShapes, integersOf } from "../ir/shapes.ts";
import type { Tensor } from "../tensor.ts";
import { batchAxis, int, mixing, outside } from "./batch-rules.ts";

/** Where a value holds the rows of a batch: its axis; or why its rows cannot be told apart. */
export type Rows =
  | { readonly axis: number | null; readonly blocked?: undefined }
  | { readonly axis: null; readonly blocked: string };

/** A copy of a model whose batch is free as far as that is possible. */
export interface Freed {
  readonly model: Model;
  /** The symbolic extent of the batch. */
  readonly symbol: string;
  readonly types: ReadonlyMap<Value, Inferred>;
  /** Absent for values that are the same whatever the batch holds. */
  readonly rows: ReadonlyMap<Value, Rows>;
  /** What each value of the given model has become. */
  readonly values: ValueMap;
}

/**
 * The model with a free batch dimension on all inputs, so that it takes any number of rows at once. Constants
 * that hold the batch size it was exported with (the targets of Reshape, Expand and Resize, a class token to
 * be joined, the first state of an LSTM) are replaced by ones that follow the input. Throws an InputError
 * naming the node where rows would be mixed or its operator is not known to keep them apart.
 */
export function freeBatch(model: Model): Model {
  const freed = free(model);
  for (const output of freed.model.graph.outputs) {
    const rows = freed.rows.get(output);
    if (rows?.blocked) throw new InputError(`the batch dimension cannot be made free: ${rows.blocked}`);
  }
  return freed.model;
}

/** As `freeBatch`, without an error: each value says for itself whether its rows are apart. */
export function free(model: Model): Freed {
  const values: ValueMap = new Map();
  const copy = cloneModel(model, values);
  const { graph } = copy;
  // An input with a default is a constant here: nobody feeds it.
  graph.inputs = graph.inputs.filter((input) => !graph.initializers.has(input));
  const inputs = graph.inputs.filter((input) => (input.shape?.length ?? 0) > 0);
  const axes = new Map(inputs.map((input) => [input, batchAxisOf(input)]));
  const extents = inputs.map((input) => input.shape![axes.get(input)!]!);
  const sizes = new Set(extents.filter((extent) => typeof extent === "number"));
  if (sizes.size > 1)
    throw new InputError(
      `the inputs have the batch sizes ${[...sizes].join(", ")}; a network for features takes one batch`,
    );
  const size = [...sizes][0] ?? 1;
  const symbol = symbolFor(graph, extents);
  const withSize = new Map(inputs.map((input) => [input, input.shape!.with(axes.get(input)!, size)]));
  const fixed = inferShapes(graph, { given: withSize });
  const symbols = new Set(extents.filter((extent) => typeof extent === "string"));
  for (const node of graph.nodes)
    for (const output of node.outputs) {
      if (!output?.shape) continue;
      // What the file says of shapes inside holds for the old batch size alone.
      output.shape = sizes.size > 0 ? null : renamed(output.shape, symbols, symbol);
    }
  for (const input of inputs) input.shape = input.shape!.with(axes.get(input)!, symbol);
  const state: State = {
    graph,
    symbol,
    size,
    fixed,
    strict: sizes.size > 0,
    opset: copy.opsets.get("") ?? 1,
    types: inferShapes(graph),
    rows: new Map(inputs.map((input) => [input, { axis: axes.get(input)! }])),
  };
  // A node may be given others that compute its constants: they come before it.
  for (const node of [...graph.nodes]) trace(node, state);
  for (const output of graph.outputs) {
    const { dtype = null, shape = null } = state.types.get(output) ?? {};
    output.dtype ??= dtype;
    // A shape without an element type is no type at all in a file.
    output.shape = output.dtype ? shape : null;
  }
  return { model: copy, symbol, types: state.types, rows: state.rows, values };
}

/** Whether a value depends on the rows' content, and not on their number alone. */
const COUNTING = new Set(["Shape", "Size"]);

interface State {
  readonly graph: Graph;
  readonly symbol: string;
  /** The batch size that constants may hold. */
  readonly size: number;
  /** Types at that batch size. */
  readonly fixed: ReadonlyMap<Value, Inferred>;
  /** The file fixes the batch, so its nodes never had to keep rows apart. */
  readonly strict: boolean;
  readonly opset: number;
  types: Map<Value, Inferred>;
  readonly rows: Map<Value, Rows>;
}

function trace(node: Node, state: State): void {
  const { rows, symbol } = state;
  const carried = node.inputs.filter((input) => input && rows.has(input)) as Value[];
  const outputs = node.outputs.filter((output) => output !== null);
  if (COUNTING.has(node.opType)) return;
  if (carried.length === 0) {
    for (const output of outputs) {
      const axis = batchAxis(state.types.get(output)?.shape ?? null, symbol);
      if (axis !== null) rows.set(output, { axis });
    }
    return;
  }
  const blocked = carried.map((input) => rows.get(input)!).find((one) => one.blocked);
  const problem = blocked?.blocked ?? problemOf(node, state);
  for (const output of outputs) {
    if (problem) {
      rows.set(output, { axis: null, blocked: problem });
      continue;
    }
    const shape = state.types.get(output)?.shape ?? null;
    const axis = batchAxis(shape, symbol);
    const lost = axis === null && (state.strict || shape?.every((extent) => typeof extent === "number"));
    rows.set(
      output,
      lost ? { axis: null, blocked: `${named(node)} gives no row for each item of the batch` } : { axis },
    );
  }
}

/** What is wrong with a node after its constants have been corrected; null where nothing is. */
function problemOf(node: Node, state: State): string | null {
  const first = mixingIn(node, state);
  if (first === null) return null;
  if (!corrected(node, state)) return state.strict ? first : null;
  state.types = inferShapes(state.graph);
  return state.strict ? mixingIn(node, state) : null;
}

function mixingIn(node: Node, state: State): string | null {
  const { rows, types, symbol, opset } = state;
  const value = (index: number) => node.inputs[index] ?? null;
  const output = node.outputs.find(Boolean);
  const shape = output ? (types.get(output)?.shape ?? null) : null;
  const reason = mixing({
    node,
    opset,
    symbol,
    output: shape,
    axis: (index) => (value(index) ? (rows.get(value(index)!)?.axis ?? null) : null),
    shape: (index) => (value(index) ? (types.get(value(index)!)?.shape ?? null) : null),
  });
  if (reason) return `${named(node)} ${reason}`;
  // What a constant says of the extents may also make the batch vanish.
  if (batchAxis(shape, symbol) === null && (node.opType === "Resize" || hasState(node)))
    return `${named(node)} states a shape for one batch size`;
  return hasState(node) && node.inputs.slice(4).some((input) => input && !rows.has(input))
    ? `${named(node)} has a first state for one batch size`
    : null;
}

/** Replaces the constants of a node that hold the batch size; false where it has none that could be replaced. */
function corrected(node: Node, state: State): boolean {
  switch (node.opType) {
    case "Reshape":
      return correctReshape(node, state);
    case "Resize":
      return correctSizes(node, state);
    case "Concat":
      return expandConstants(node, node.inputs, state, (i) => i);
    case "LSTM":
    case "GRU":
    case "RNN": {
      const layout = int(node, "layout", 0);
      const axis = (i: number) => (i === 4 ? 0 : layout === 1 ? 0 : 1);
      return expandConstants(node, node.inputs.slice(4, 7), state, (i) => i + 4, axis);
    }
    default:
      return false;
  }
}

function correctReshape(node: Node, state: State): boolean {
  const [data, target] = node.inputs;
  const extents = target && constantOf(state.graph, target);
  const wanted = extents && integersOf(extents);
  const from = data && state.types.get(data)?.shape;
  const axis = data ? state.rows.get(data)?.axis : null;
  if (!wanted || !from || axis === null || axis === undefined || int(node, "allowzero", 0) === 1)
    return false;
  const prefix = from.slice(0, axis).every((extent, i) => wanted[i] === 0 || wanted[i] === extent);
  const shape =
    from[axis] === state.symbol && prefix && wanted[axis] === state.size
      ? [...wanted].with(axis, 0)
      : grown(
          state.fixed.get(node.outputs[0]!)?.shape ?? null,
          wanted,
          outside(from, axis, state.symbol),
          state,
        );
  if (!shape) return false;
  node.inputs[1] = build(state.graph).constant(ints(shape), `${target!.name}_free`);
  return true;
}

/**
 * A target with -1 where the batch belongs: behind as many elements as lay outside it before. Where it could
 * be the innermost factor of one axis or the outermost of the next, it is the next, but for the last axis,
 * which holds features.
 */
function grown(
  output: Shape | null,
  wanted: readonly number[],
  before: number | string | null,
  { size }: State,
): number[] | null {
  if (!output || typeof before !== "number") return null;
  let product = 1;
  let at = 0;
  while (at < output.length && product < before) {
    const extent = output[at]!;
    if (
      typeof extent !== "number" ||
      (product * extent > before && (product * extent) % (before * size) !== 0)
    )
      return null;
    if (product * extent > before) break;
    product *= extent;
    at++;
  }
  const isLast = at >= output.length - 1 && output[at] !== size;
  if (product === before && isLast && at > 0) at--;
  else if (product === before && (typeof output[at] !== "number" || (output[at] as number) % size !== 0))
    return null;
  const target = output.map((extent, i) => {
    if (i === at) return -1;
    return typeof extent === "number" ? extent : wanted[i] === 0 ? 0 : null;
  });
  return target.includes(null) ? null : (target as number[]);
}

/** Resize to constant sizes: the batch's size becomes the input's. */
function correctSizes(node: Node, state: State): boolean {
  const [data, , , sizes] = node.inputs;
  const wanted = sizes && constantOf(state.graph, sizes);
  const extents = wanted && integersOf(wanted);
  if (!data || !extents || node.attributes.has("axes") || state.rows.get(data)?.axis !== 0) return false;
  insertBefore(node, state, (g) => {
    node.inputs[3] = g.apply(
      "Concat",
      [countOf(g, data, 0, state.opset), g.constant(ints(extents.slice(1)))],
      {
        axis: 0,
      },
    );
  });
  return true;
}

/** Constants with the extent 1 where others have the batch are repeated for each row. */
function expandConstants(
  node: Node,
  among: readonly (Value | null)[],
  state: State,
  indexOf: (i: number) => number,
  axisOf?: (index: number) => number,
): boolean {
  const source = node.inputs.find((input) => input && typeof state.rows.get(input)?.axis === "number");
  const sourceAxis = source ? state.rows.get(source)!.axis! : null;
  if (!source || sourceAxis === null || state.types.get(source)?.shape?.[sourceAxis] !== state.symbol)
    return false;
  let any = false;
  for (const [i, constant] of among.entries()) {
    if (!constant || state.rows.has(constant)) continue;
    const index = indexOf(i);
    const axis = axisOf?.(index) ?? sourceAxis;
    const shape = state.types.get(constant)?.shape;
    if (shape?.[axis] !== 1) return false;
    insertBefore(node, state, (g) => {
      const count = countOf(g, source, sourceAxis, state.opset);
      const ones = (length: number) => (length > 0 ? [g.constant(ints(Array(length).fill(1)))] : []);
      const target = g.apply("Concat", [...ones(axis), count, ...ones(shape.length - axis - 1)], { axis: 0 });
      const repeated = g.apply("Expand", [constant, target], {}, { name: `${constant.name}_rows` });
      node.inputs[index] = repeated;
      state.rows.set(repeated, { axis });
    });
    any = true;
  }
  return any;
}

/** The number of rows of a value, int64 [1]. */
function countOf(g: Builder, value: Value, axis: number, opset: number): Value {
  const shape = g.apply("Shape", [value]);
  if (opset < 10) return g.apply("Slice", [shape], { axes: [0], starts: [axis], ends: [axis + 1] });
  return g.apply("Slice", [
    shape,
    g.constant(ints([axis])),
    g.constant(ints([axis + 1])),
    g.constant(ints([0])),
  ]);
}

function insertBefore(node: Node, { graph }: State, make: (g: Builder) => void): void {
  const from = graph.nodes.length;
  make(build(graph));
  const made = graph.nodes.splice(from);
  graph.nodes.splice(graph.nodes.indexOf(node), 0, ...made);
}

/** The tensor that a value always is; null where it depends on something. */
export function constantOf(graph: Graph, value: Value): Tensor | null {
  const stored = graph.initializers.get(value);
  if (stored) return stored;
  const maker = graph.nodes.find((node) => node.opType === "Constant" && node.outputs[0] === value);
  const content = maker?.attributes.get("value");
  if (content?.type === "tensor") return content.value;
  const list = maker?.attributes.get("value_ints");
  return list?.type === "ints" ? ints(list.value.map(Number)) : null;
}

/** The axis that a file calls the batch; the first where it names none. */
function batchAxisOf({ shape, extentDenotations }: Value): number {
  const denoted = extentDenotations?.indexOf("DATA_BATCH") ?? -1;
  if (denoted >= 0) return denoted;
  const named = shape!.findIndex(
    (extent) => typeof extent === "string" && /^(n|b|bs|batch.*)$/i.test(extent),
  );
  return Math.max(named, 0);
}

function symbolFor(graph: Graph, extents: readonly Shape[number][]): string {
  const given = extents.find((extent) => typeof extent === "string");
  if (typeof given === "string" && /^[a-zA-Z_]\w*$/.test(given)) return given;
  const taken = new Set(graph.inputs.flatMap((input) => input.shape ?? []));
  let symbol = "batch";
  for (let count = 1; taken.has(symbol); count++) symbol = `batch_${count}`;
  return symbol;
}

function renamed(shape: Shape, symbols: ReadonlySet<string | number | null>, symbol: string): Shape {
  return shape.map((extent) => (symbols.has(extent) ? symbol : extent));
}

function hasState(node: Node): boolean {
  return node.opType === "LSTM" || node.opType === "GRU" || node.opType === "RNN";
}

function named(node: Node): string {
  return `node "${node.name || (node.outputs[0]?.name ?? "")}" (${node.opType})`;
}

import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import type { Attribute, Graph, Model, Node, Value } from "./graph.ts";
import { irVersionFor } from "./opset.ts";

/** Attribute values in JavaScript's own types: integers become ints, see `attribute` where a whole float is meant. */
export type AttributeValue =
  | number
  | bigint
  | string
  | boolean
  | readonly number[]
  | Tensor
  | Graph
  | Attribute;

/** What an operator accepts as an input: a value, a constant, or null for an optional input left out. */
export type Operand = Value | Tensor | number | null;

/** Of an operator that is appended: its domain (ai.onnx by default) and the stem of its name. */
export interface ApplyOptions {
  readonly domain?: string;
  readonly name?: string;
}

/** Appends nodes to one graph, naming every value once. */
export interface Builder {
  readonly graph: Graph;
  /** A new input of the graph. */
  input(name: string, dtype: Value["dtype"], shape: Value["shape"]): Value;
  /** A constant of the graph. */
  constant(tensor: Tensor, name?: string): Value;
  /** Appends an operator with one output and returns that output. */
  apply(
    opType: string,
    inputs: readonly Operand[],
    attributes?: Readonly<Record<string, AttributeValue>>,
    options?: ApplyOptions,
  ): Value;
  /** Appends an operator with `count` outputs. */
  applyMany(
    opType: string,
    inputs: readonly Operand[],
    attributes: Readonly<Record<string, AttributeValue>>,
    count: number,
    options?: ApplyOptions,
  ): Value[];
  /** A value name that the graph does not have yet, starting with `stem`. */
  fresh(stem: string): string;
}

/** An empty graph. */
export function emptyGraph(name = "graph"): Graph {
  return { name, inputs: [], outputs: [], initializers: new Map(), nodes: [] };
}

/** A model around a graph that was built here, in the operator set 17 unless another is named. */
export function modelOf(graph: Graph, opset = 17): Model {
  return {
    graph,
    opsets: new Map([["", opset]]),
    irVersion: irVersionFor(opset),
    producer: { name: "graft", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}

/** A builder that appends to `graph`. */
export function build(graph: Graph): Builder {
  const taken = new Set<string>();
  for (const value of valuesOf(graph)) taken.add(value.name);
  const counters = new Map<string, number>();
  const fresh = (stem: string): string => {
    if (!taken.has(stem)) {
      taken.add(stem);
      return stem;
    }
    let count = counters.get(stem) ?? 1;
    while (taken.has(`${stem}_${count}`)) count++;
    counters.set(stem, count + 1);
    taken.add(`${stem}_${count}`);
    return `${stem}_${count}`;
  };
  const builder: Builder = {
    graph,
    fresh,
    input(name, dtype, shape) {
      const value: Value = { name: fresh(name), dtype, shape };
      graph.inputs.push(value);
      return value;
    },
    constant(tensor, name = "constant") {
      const value: Value = { name: fresh(name), dtype: tensor.dtype, shape: tensor.shape };
      graph.initializers.set(value, tensor);
      return value;
    },
    apply(opType, inputs, attributes = {}, options = {}) {
      return builder.applyMany(opType, inputs, attributes, 1, options)[0]!;
    },
    applyMany(opType, inputs, attributes, count, { domain = "", name = opType.toLowerCase() } = {}) {
      const outputs: Value[] = [];
      for (let i = 0; i < count; i++) outputs.push({ name: fresh(name), dtype: null, shape: null });
      const node: Node = {
        name: outputs[0]?.name ?? name,
        opType,
        domain,
        inputs: inputs.map((input) => operand(builder, input)),
        outputs,
        attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, attribute(value)])),
      };
      graph.nodes.push(node);
      return outputs;
    },
  };
  return builder;
}

/** A float attribute: needed where the value happens to be whole. */
export const float = (value: number): Attribute => ({ type: "float", value });
/** A list of floats. */
export const floats = (value: readonly number[]): Attribute => ({ type: "floats", value });

/** The attribute a JavaScript value stands for. */
export function attribute(value: AttributeValue): Attribute {
  if (typeof value === "bigint") return { type: "int", value };
  if (typeof value === "boolean") return { type: "int", value: value ? 1n : 0n };
  if (typeof value === "number")
    return Number.isInteger(value) ? { type: "int", value: BigInt(value) } : float(value);
  if (typeof value === "string") return { type: "string", value: new TextEncoder().encode(value) };
  if (Array.isArray(value)) {
    return value.every(Number.isInteger) ? { type: "ints", value: value.map(BigInt) } : floats(value);
  }
  if ("type" in value) return value as Attribute;
  if ("nodes" in value) return { type: "graph", value: value as Graph };
  return { type: "tensor", value: value as Tensor };
}

/** Every value a graph names: inputs, initializers and node outputs (subgraphs apart). */
export function* valuesOf(graph: Graph): Iterable<Value> {
  yield* graph.inputs;
  yield* graph.initializers.keys();
  for (const node of graph.nodes) for (const output of node.outputs) if (output) yield output;
}

/** A one-dimensional int64 tensor, as operators want shapes and axes. */
export const ints = (values: readonly number[]): Tensor => int64([values.length], values);

function operand(builder: Builder, input: Operand): Value | null {
  if (input === null) return null;
  if (typeof input === "number") return builder.constant(float32([], [input]));
  return "data" in input ? builder.constant(input) : input;
}

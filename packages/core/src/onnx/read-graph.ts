import { InputError } from "../errors.ts";
import type { Graph, Node, SparseTensor, Value } from "../ir/graph.ts";
import { sortNodes } from "../ir/order.ts";
import type { Tensor } from "../tensor.ts";
import { readAttribute } from "./attribute.ts";
import { readEntries } from "./entries.ts";
import type { ProtoReader } from "./protobuf.ts";
import { ANNOTATION, GRAPH, NODE } from "./schema.ts";
import { lookUp, type Scope } from "./scope.ts";
import { concat, type ReadContext, sparseFrom, tensorFrom } from "./tensor.ts";
import { readValue } from "./value.ts";

/**
 * Reads a GraphProto whose nodes may use the values of the graphs around it. Refuses names made twice, names
 * that nothing makes and cycles; nodes that stand out of order, which some exporters write, are put in order.
 */
export function readGraph(reader: ProtoReader, outer: Scope | null, context: ReadContext): Graph {
  const graph: Graph = { name: "", inputs: [], outputs: [], initializers: new Map(), nodes: [] };
  const scope: Scope = { values: new Map(), outer };
  const nodes: ProtoReader[] = [];
  const initializers: Tensor[] = [];
  const sparse: SparseTensor[] = [];
  const outputs: Value[] = [];
  const described: Value[] = [];
  const annotations: ProtoReader[] = [];
  const metadata = new Map<string, string>();
  const unknown: Uint8Array[] = [];
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === GRAPH.node) nodes.push(reader.message());
    else if (field === GRAPH.name) graph.name = reader.string();
    else if (field === GRAPH.initializer) initializers.push(tensorFrom(reader.message(), context));
    else if (field === GRAPH.sparseInitializer) sparse.push(sparseFrom(reader.message(), context));
    else if (field === GRAPH.doc) graph.doc = reader.string();
    else if (field === GRAPH.input) graph.inputs.push(readValue(reader.message()));
    else if (field === GRAPH.output) outputs.push(readValue(reader.message()));
    else if (field === GRAPH.valueInfo) described.push(readValue(reader.message()));
    else if (field === GRAPH.quantization) annotations.push(reader.message());
    else if (field === GRAPH.metadata) readEntries(reader, metadata);
    else unknown.push(reader.unknown());
  }
  if (metadata.size > 0) graph.metadata = metadata;
  if (unknown.length > 0) graph.unknown = concat(unknown);
  const where = `${context.source}: graph "${graph.name}"`;
  const make = maker(scope, where);
  for (const input of graph.inputs) make(input, "an input");
  addInitializers(graph, initializers, sparse, scope, make, where);
  graph.nodes = readNodes(nodes, scope, context, where);
  addDescriptions(graph, described, scope);
  addOutputs(graph, outputs, scope, where);
  addAnnotations(graph, annotations, scope);
  graph.nodes = sortNodes(graph.nodes, where);
  return graph;
}

/** Reads NodeProtos: first what all of them make, so that order does not matter, then what they use. */
export function readNodes(
  readers: readonly ProtoReader[],
  scope: Scope,
  context: ReadContext,
  where: string,
): Node[] {
  const make = maker(scope, where);
  const parts = readers.map((reader) => readNode(reader, make));
  return parts.map(({ node, inputs, attributes }) => {
    const what = `${where}, node "${node.name}" (${node.opType})`;
    node.inputs = inputs.map((name) => (name === "" ? null : requireValue(scope, name, `${what} uses`)));
    for (const reader of attributes) {
      const [name, attribute] = readAttribute(reader, context, (inner) => readGraph(inner, scope, context));
      if (node.attributes.has(name)) throw new InputError(`${what} has the attribute "${name}" twice`);
      node.attributes.set(name, attribute);
    }
    return node;
  });
}

/** The standard domain has two names in files and one here: "". */
export function domainOf(name: string): string {
  return name === "ai.onnx" ? "" : name;
}

export function requireValue(scope: Scope, name: string, what: string): Value {
  const value = lookUp(scope, name);
  if (!value)
    throw new InputError(`${what} "${name}", which nothing in the model makes; the file is damaged`);
  return value;
}

type Make = (value: Value, by: string) => void;

/** Enters values in the scope, each name once. */
export function maker(scope: Scope, where: string): Make {
  return (value, by) => {
    if (value.name === "") throw new InputError(`${where}: ${by} has no name`);
    if (scope.values.has(value.name))
      throw new InputError(`${where}: the value "${value.name}" is made twice, the second time as ${by}`);
    scope.values.set(value.name, value);
  };
}

interface NodeParts {
  readonly node: Node;
  readonly inputs: string[];
  readonly attributes: ProtoReader[];
}

function readNode(reader: ProtoReader, make: Make): NodeParts {
  const node: Node = { name: "", opType: "", domain: "", inputs: [], outputs: [], attributes: new Map() };
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: ProtoReader[] = [];
  const metadata = new Map<string, string>();
  const unknown: Uint8Array[] = [];
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === NODE.input) inputs.push(reader.string());
    else if (field === NODE.output) outputs.push(reader.string());
    else if (field === NODE.name) node.name = reader.string();
    else if (field === NODE.opType) node.opType = reader.string();
    else if (field === NODE.domain) node.domain = domainOf(reader.string());
    else if (field === NODE.overload) node.overload = reader.string();
    else if (field === NODE.attribute) attributes.push(reader.message());
    else if (field === NODE.doc) node.doc = reader.string();
    else if (field === NODE.metadata) readEntries(reader, metadata);
    else unknown.push(reader.unknown());
  }
  if (metadata.size > 0) node.metadata = metadata;
  if (unknown.length > 0) node.unknown = concat(unknown);
  if (node.opType === "") reader.fail(`node "${node.name}" names no operator`);
  node.outputs = outputs.map((name) => {
    if (name === "") return null;
    const value: Value = { name, dtype: null, shape: null };
    make(value, `an output of node "${node.name}" (${node.opType})`);
    return value;
  });
  return { node, inputs, attributes };
}

/** Initializers are values of their own, or the defaults of inputs of the same name. */
function addInitializers(
  graph: Graph,
  dense: readonly Tensor[],
  sparse: readonly SparseTensor[],
  scope: Scope,
  make: Make,
  where: string,
): void {
  const inputs = new Set(graph.inputs);
  const seen = new Set<string>();
  const valueFor = (name: string, tensor: { dtype: Value["dtype"]; shape: readonly number[] }): Value => {
    if (seen.has(name)) throw new InputError(`${where}: there are two initializers "${name}"`);
    seen.add(name);
    const given = scope.values.get(name);
    if (given && inputs.has(given)) return given;
    const value: Value = { name, dtype: tensor.dtype, shape: tensor.shape };
    make(value, "an initializer");
    return value;
  };
  for (const tensor of dense) {
    // The value has the name; without it the tensor is one that anybody may use.
    const { name = "", ...rest } = tensor as Tensor & { name?: string };
    graph.initializers.set(valueFor(name, tensor), rest);
  }
  if (sparse.length === 0) return;
  graph.sparseInitializers = new Map();
  for (const tensor of sparse) {
    const { name = "", ...values } = tensor.values;
    const value = valueFor(name, { dtype: values.dtype, shape: tensor.shape });
    graph.sparseInitializers.set(value, { ...tensor, values });
  }
}

/** What value_info says goes into the values; what it says of other than nodes' outputs is remembered as declared. */
export function addDescriptions(
  graph: Pick<Graph, "nodes" | "declared">,
  described: readonly Value[],
  scope: Scope,
): void {
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  for (const info of described) {
    const value = scope.values.get(info.name);
    if (value && made.has(value)) {
      Object.assign(value, info);
      continue;
    }
    graph.declared ??= [];
    if (!value) graph.declared.push(info);
    else if (!graph.declared.includes(value)) {
      graph.declared.push(value);
      if (info.doc) value.doc ??= info.doc;
      if (info.metadata) value.metadata ??= info.metadata;
    }
  }
}

function addOutputs(graph: Graph, outputs: readonly Value[], scope: Scope, where: string): void {
  for (const output of outputs) {
    const value = requireValue(scope, output.name, `${where} has the output`);
    // An output that is an input or lies outside keeps the type it has there.
    const own = scope.values.get(output.name) === value && !graph.inputs.includes(value);
    if (own && !graph.initializers.has(value)) Object.assign(value, output);
    else if (value.dtype === null && !value.type) Object.assign(value, output);
    if (graph.outputs.includes(value))
      throw new InputError(`${where}: the output "${output.name}" is listed twice`);
    graph.outputs.push(value);
  }
}

function addAnnotations(graph: Graph, readers: readonly ProtoReader[], scope: Scope): void {
  for (const reader of readers) {
    let name = "";
    const parameters = new Map<string, string>();
    for (let field = reader.next(); field; field = reader.next()) {
      if (field === ANNOTATION.tensor) name = reader.string();
      else if (field === ANNOTATION.parameter) readEntries(reader, parameters);
      else reader.unknown();
    }
    const named = (of: string): Value => lookUp(scope, of) ?? { name: of, dtype: null, shape: null };
    graph.quantization ??= [];
    graph.quantization.push({
      value: named(name),
      parameters: new Map([...parameters].map(([key, of]) => [key, named(of)])),
    });
  }
}

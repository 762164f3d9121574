import type { Attribute, Attributes, Graph, Model, ModelFunction, Node, Value } from "./graph.ts";

/** Which value of the copy stands for a value of the original. */
export type ValueMap = Map<Value, Value>;

/**
 * A copy of a graph: new values and nodes, the same tensors. Values that `values` already maps are replaced
 * by what it says, which is how a graph is attached to another; values of graphs around it that it does not
 * map stay the same objects. `values` afterwards maps everything that was copied.
 */
export function cloneGraph(graph: Graph, values: ValueMap = new Map()): Graph {
  const made = [...graph.inputs, ...graph.initializers.keys(), ...(graph.sparseInitializers?.keys() ?? [])];
  for (const node of graph.nodes) for (const output of node.outputs) if (output) made.push(output);
  for (const value of made) if (!values.has(value)) values.set(value, cloneValue(value));
  const of = (value: Value): Value => values.get(value) ?? value;
  const copy: Graph = {
    ...graph,
    inputs: graph.inputs.map(of),
    outputs: graph.outputs.map(of),
    initializers: new Map([...graph.initializers].map(([value, tensor]) => [of(value), tensor])),
    nodes: graph.nodes.map((node) => cloneNode(node, values)),
  };
  if (graph.sparseInitializers)
    copy.sparseInitializers = new Map(
      [...graph.sparseInitializers].map(([value, tensor]) => [of(value), tensor]),
    );
  if (graph.quantization)
    copy.quantization = graph.quantization.map(({ value, parameters }) => ({
      value: of(value),
      parameters: new Map([...parameters].map(([key, parameter]) => [key, of(parameter)])),
    }));
  if (graph.declared) copy.declared = graph.declared.map((value) => values.get(value) ?? cloneValue(value));
  if (graph.metadata) copy.metadata = new Map(graph.metadata);
  return copy;
}

/** A copy of a model that shares nothing with it but tensors, functions and what is said about training. */
export function cloneModel(model: Model, values: ValueMap = new Map()): Model {
  return {
    ...model,
    graph: cloneGraph(model.graph, values),
    opsets: new Map(model.opsets),
    producer: { ...model.producer },
    metadata: new Map(model.metadata),
    ...(model.functions && { functions: [...model.functions] satisfies ModelFunction[] }),
  };
}

/** A copy of a node over the values that `values` says. */
export function cloneNode(node: Node, values: ValueMap): Node {
  const of = (value: Value | null) => value && (values.get(value) ?? value);
  return {
    ...node,
    inputs: node.inputs.map(of),
    outputs: node.outputs.map(of),
    attributes: cloneAttributes(node.attributes, values),
    ...(node.metadata && { metadata: new Map(node.metadata) }),
  };
}

function cloneAttributes(attributes: Attributes, values: ValueMap): Attributes {
  const copy: Attributes = new Map();
  for (const [name, attribute] of attributes) copy.set(name, cloneAttribute(attribute, values));
  return copy;
}

function cloneAttribute(attribute: Attribute, values: ValueMap): Attribute {
  // What a branch makes is its own: its values are entered in a map that ends with it.
  const inner = (graph: Graph) => cloneGraph(graph, new Map(values));
  if (attribute.type === "graph") return { ...attribute, value: inner(attribute.value) };
  if (attribute.type === "graphs") return { ...attribute, value: attribute.value.map(inner) };
  return attribute;
}

function cloneValue(value: Value): Value {
  return { ...value, ...(value.metadata && { metadata: new Map(value.metadata) }) };
}

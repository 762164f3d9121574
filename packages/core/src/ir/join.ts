import { InputError } from "../errors.ts";
import { cloneGraph, type ValueMap } from "./clone.ts";
import type { Graph, Model, Value } from "./graph.ts";

/**
 * Appends a copy of `other` to `graph`, feeding its inputs from values of `graph` as `bind` says. Inputs that
 * `bind` leaves out become inputs of `graph`; nothing is renamed, for identity tells values apart. Returns
 * what each value of
 * `other` has become, so that its outputs can be made outputs of `graph`.
 */
export function join(graph: Graph, other: Graph, bind: ReadonlyMap<Value, Value>): ValueMap {
  const inputs = new Set(other.inputs);
  for (const value of bind.keys())
    if (!inputs.has(value))
      throw new InputError(`"${value.name}" is not an input of the graph "${other.name}"`);
  const values: ValueMap = new Map(bind);
  const copy = cloneGraph(other, values);
  graph.inputs.push(...copy.inputs.filter((_, i) => !bind.has(other.inputs[i]!)));
  // An input that is fed no longer has its default.
  for (const [value, tensor] of other.initializers)
    if (!bind.has(value)) graph.initializers.set(values.get(value)!, tensor);
  for (const [value, tensor] of copy.sparseInitializers ?? []) {
    graph.sparseInitializers ??= new Map();
    graph.sparseInitializers.set(value, tensor);
  }
  graph.nodes.push(...copy.nodes);
  if (copy.quantization) graph.quantization = [...(graph.quantization ?? []), ...copy.quantization];
  return values;
}

/**
 * Joins two models into a new one: the outputs of `first` feed the inputs of `second` by the names in `bind`
 * (input of
 * `second` → output of `first`). The outputs are those of `first` not bound, then those of `second`. Both must ask for
 * the same operator sets; raise the older one first (`raiseOpset`).
 */
export function joinModels(first: Model, second: Model, bind: Readonly<Record<string, string>>): Model {
  const opsets = new Map(first.opsets);
  for (const [domain, version] of second.opsets) {
    const other = opsets.get(domain);
    if (other !== undefined && other !== version)
      throw new InputError(
        `the models ask for operator set "${domain || "ai.onnx"}" in the versions ${other} and ${version}; raise the older one first`,
      );
    opsets.set(domain, version);
  }
  const graph = cloneGraph(first.graph);
  const bound = new Map<Value, Value>();
  for (const [input, output] of Object.entries(bind))
    bound.set(named(second.graph.inputs, input, "input"), named(graph.outputs, output, "output"));
  const used = new Set(bound.values());
  const values = join(graph, second.graph, bound);
  graph.outputs = [
    ...graph.outputs.filter((value) => !used.has(value)),
    ...second.graph.outputs.map((value) => values.get(value)!),
  ];
  return {
    ...first,
    graph,
    opsets,
    irVersion: Math.max(first.irVersion, second.irVersion),
    functions: [...(first.functions ?? []), ...(second.functions ?? [])],
  };
}

function named(values: readonly Value[], name: string, what: string): Value {
  const value = values.find((one) => one.name === name);
  if (!value)
    throw new InputError(
      `there is no ${what} "${name}" to join; there are ${values.map((one) => one.name).join(", ")}`,
    );
  return value;
}

import type { Graph, Node, Value } from "./graph.ts";
import { valuesUsedBy } from "./order.ts";

/** A use of a value: input `index` of a node, or -1 where a subgraph of the node uses it. */
export interface Use {
  readonly node: Node;
  readonly index: number;
}

/** Every use of every value of a graph by its nodes. Values without use are absent. */
export function consumers(graph: Graph): Map<Value, Use[]> {
  const uses = new Map<Value, Use[]>();
  const add = (value: Value, use: Use) => {
    const list = uses.get(value);
    if (list) list.push(use);
    else uses.set(value, [use]);
  };
  for (const node of graph.nodes) {
    for (const [index, input] of node.inputs.entries()) if (input) add(input, { node, index });
    const direct = new Set(node.inputs);
    const inner = new Set<Value>();
    for (const value of valuesUsedBy(node)) if (!direct.has(value)) inner.add(value);
    for (const value of inner) add(value, { node, index: -1 });
  }
  return uses;
}

/** The node that makes each value. */
export function producers(graph: Graph): Map<Value, Node> {
  const makers = new Map<Value, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output) makers.set(output, node);
  return makers;
}

/** What `prune` drops beside nodes and initializers. */
export interface PruneOptions {
  /** Also drop inputs that the outputs do not depend on. */
  readonly inputs?: boolean;
}

/** The part of a graph that its outputs depend on. Values and nodes are the same objects. */
export function prune(graph: Graph, options: PruneOptions = {}): Graph {
  const makers = producers(graph);
  const needed = new Set<Value>();
  const nodes = new Set<Node>();
  const open = [...graph.outputs];
  while (open.length > 0) {
    const value = open.pop()!;
    if (needed.has(value)) continue;
    needed.add(value);
    const node = makers.get(value);
    if (!node || nodes.has(node)) continue;
    nodes.add(node);
    open.push(...valuesUsedBy(node));
  }
  const kept: Graph = {
    ...graph,
    inputs: options.inputs ? graph.inputs.filter((value) => needed.has(value)) : graph.inputs,
    initializers: new Map([...graph.initializers].filter(([value]) => needed.has(value))),
    nodes: graph.nodes.filter((node) => nodes.has(node)),
  };
  if (graph.sparseInitializers)
    kept.sparseInitializers = new Map([...graph.sparseInitializers].filter(([value]) => needed.has(value)));
  if (graph.quantization) kept.quantization = graph.quantization.filter(({ value }) => needed.has(value));
  if (graph.declared) kept.declared = graph.declared.filter((value) => needed.has(value));
  return kept;
}

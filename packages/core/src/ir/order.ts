import { InputError } from "../errors.ts";
import type { Attributes, Graph, Node, Value } from "./graph.ts";

/** The subgraphs among a node's attributes (the branches of If, the bodies of Loop and Scan). */
export function* subgraphsOf(node: { readonly attributes: Attributes }): Iterable<Graph> {
  for (const attribute of node.attributes.values()) {
    if (attribute.type === "graph") yield attribute.value;
    else if (attribute.type === "graphs") yield* attribute.value;
  }
}

/** Every value a node needs: its inputs, and what its subgraphs use of the graphs around them. */
export function* valuesUsedBy(node: Node): Iterable<Value> {
  for (const input of node.inputs) if (input) yield input;
  for (const graph of subgraphsOf(node)) yield* outerValuesOf(graph);
}

/** The values a graph uses without making them. */
export function* outerValuesOf(graph: Graph): Iterable<Value> {
  const made = new Set<Value | null>([...graph.inputs, ...graph.initializers.keys()]);
  for (const value of graph.sparseInitializers?.keys() ?? []) made.add(value);
  for (const node of graph.nodes) for (const output of node.outputs) made.add(output);
  for (const node of graph.nodes) for (const value of valuesUsedBy(node)) if (!made.has(value)) yield value;
  for (const output of graph.outputs) if (!made.has(output)) yield output;
}

/**
 * Nodes in an order in which each comes after those it depends on. Nodes in order already stay as they are; otherwise
 * each moves no further than it must. Throws InputError naming a cycle.
 */
export function sortNodes(nodes: readonly Node[], where = "graph"): Node[] {
  const maker = new Map<Value, Node>();
  for (const node of nodes) for (const output of node.outputs) if (output) maker.set(output, node);
  const placed = new Set<Node>();
  const open = new Set<Node>();
  const sorted: Node[] = [];
  for (const root of nodes) {
    // Depth first with a stack of our own: a chain may be as long as the graph.
    const stack: { node: Node; needs: Iterator<Value> }[] = [];
    const enter = (node: Node) => {
      if (placed.has(node)) return;
      if (open.has(node)) {
        const cycle = stack
          .slice(stack.findIndex((step) => step.node === node))
          .map((step) => describe(step.node));
        throw new InputError(`${where}: the nodes ${cycle.join(", ")} depend on each other in a circle`);
      }
      open.add(node);
      stack.push({ node, needs: valuesUsedBy(node)[Symbol.iterator]() });
    };
    enter(root);
    while (stack.length > 0) {
      const { node, needs } = stack.at(-1)!;
      const next = needs.next();
      if (!next.done) {
        const source = maker.get(next.value);
        if (source) enter(source);
        continue;
      }
      stack.pop();
      open.delete(node);
      placed.add(node);
      sorted.push(node);
    }
  }
  return sorted;
}

function describe(node: Node): string {
  return `"${node.name || (node.outputs[0]?.name ?? "")}" (${node.opType})`;
}

import { InputError } from "../errors.ts";
import type { Model, Node, Value } from "../ir/graph.ts";
import { valuesUsedBy } from "../ir/order.ts";
import { producers, prune } from "../ir/prune.ts";
import { free } from "./batch.ts";

/** A network in two parts: what stays as it is, and what is trained. */
export interface SplitModel {
  /** Computes, row by row, what the upper part is fed; null where training reaches down to the inputs. */
  readonly lower: Model | null;
  /** The rest, with every trained initializer. Its inputs are outputs of `lower`, or inputs of the network. */
  readonly upper: Model;
  /** Names of the inputs of `upper` that `lower` computes; each has a row an item along axis 0. */
  readonly cuts: readonly string[];
}

/**
 * Splits a network below its lowest trained parameter, so that the lower part can be computed once and kept.
 * Values that have a row for each item become the seam; what only depends on shapes stays with the upper
 * part. Throws an InputError for a name that is no initializer.
 */
export function splitFrozen(model: Model, trained: Iterable<string>): SplitModel {
  const { model: whole, rows, types } = free(model);
  const { graph } = whole;
  const initializers = new Map([...graph.initializers.keys()].map((value) => [value.name, value]));
  const moving = new Set<Value>();
  for (const name of trained) {
    const value = initializers.get(name);
    if (!value) throw new InputError(`the network has no initializer "${name}" to train`);
    moving.add(value);
  }
  for (const node of graph.nodes)
    if ([...valuesUsedBy(node)].some((value) => moving.has(value)))
      for (const output of node.outputs) if (output) moving.add(output);
  const makers = producers(graph);
  const isSeam = (value: Value) =>
    !moving.has(value) && rows.get(value)?.axis === 0 && rows.get(value)?.blocked === undefined;
  const seam = new Set<Value>();
  const upperNodes = new Set<Node>();
  const open = [...graph.outputs];
  const seen = new Set<Value>();
  for (let value = open.pop(); value; value = open.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (graph.initializers.has(value)) continue;
    const maker = makers.get(value);
    // An output that is not trained stays with the upper part: the network keeps its outputs.
    if (!maker || (isSeam(value) && !graph.outputs.includes(value))) {
      seam.add(value);
      continue;
    }
    upperNodes.add(maker);
    open.push(...valuesUsedBy(maker));
  }
  const cuts = [...seam].filter((value) => makers.has(value));
  const inputs = [...graph.inputs.filter((value) => seam.has(value)), ...cuts];
  const typed = (value: Value): Value => {
    const type = types.get(value);
    value.dtype ??= type?.dtype ?? null;
    value.shape ??= type?.shape ?? null;
    return value;
  };
  const upper: Model = {
    ...whole,
    graph: prune({
      ...graph,
      inputs: inputs.map(typed),
      nodes: graph.nodes.filter((node) => upperNodes.has(node)),
    }),
  };
  if (cuts.length === 0) return { lower: null, upper, cuts: [] };
  const lower: Model = { ...whole, graph: prune({ ...graph, outputs: cuts.map(typed) }, { inputs: true }) };
  return { lower, upper, cuts: cuts.map(({ name }) => name) };
}

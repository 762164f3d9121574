import { InputError } from "../errors.ts";
import { cloneModel } from "./clone.ts";
import type { Graph, Model, Node } from "./graph.ts";
import { subgraphsOf } from "./order.ts";

/** The newest ai.onnx operator set whose changes are listed below (ONNX 1.23). */
export const NEWEST_OPSET = 28;

/** The version of an operator set that a model asks for. Throws InputError where it states none. */
export function opsetOf(model: Model, domain = ""): number {
  const version = model.opsets.get(domain);
  if (version === undefined)
    throw new InputError(`the model states no version of the operator set "${domain || "ai.onnx"}"`);
  return version;
}

/**
 * The model with a newer ai.onnx operator set: a copy whose nodes mean what they meant. Where a node would change its
 * meaning or lose an attribute, an InputError names it and nothing is raised.
 */
export function raiseOpset(model: Model, version: number): Model {
  const from = opsetOf(model);
  if (from >= version) return model;
  if (from < 7)
    throw new InputError(
      `the model asks for operator set ${from}; only 7 and newer can be raised, export it anew`,
    );
  if (version > NEWEST_OPSET)
    throw new InputError(`operator set ${version} is newer than ${NEWEST_OPSET}, the newest known here`);
  for (const node of everyNode(model.graph)) {
    if (node.domain !== "") continue;
    for (const [at, changes] of CHANGES[node.opType] ?? [])
      if (from < at && at <= version && changes(node))
        throw new InputError(
          `operator set ${version} would change the meaning of node "${node.name}" (${node.opType} changed in ${at}); the model stays at ${from}`,
        );
  }
  const raised = cloneModel(model);
  raised.opsets.set("", version);
  raised.irVersion = Math.max(model.irVersion, irVersionFor(version));
  return raised;
}

/** The oldest IR version that may carry an ai.onnx operator set (ONNX's docs/Versioning.md). */
export function irVersionFor(opset: number): number {
  const newest: [opset: number, ir: number][] = [
    [28, 14],
    [25, 13],
    [24, 12],
    [23, 11],
    [21, 10],
    [19, 9],
    [15, 8],
    [12, 7],
    [11, 6],
    [10, 5],
    [9, 4],
  ];
  return newest.find(([from]) => opset >= from)?.[1] ?? 3;
}

/** Every node of a graph and of its subgraphs. */
export function* everyNode(graph: Graph): Iterable<Node> {
  for (const node of graph.nodes) {
    yield node;
    for (const inner of subgraphsOf(node)) yield* everyNode(inner);
  }
}

/** Whether a version changes what a given node means. */
type Change = readonly [version: number, changes: (node: Node) => boolean];

const always = () => true;
const has =
  (...names: string[]) =>
  (node: Node) =>
    names.some((name) => node.attributes.has(name));
const manyOutputs = (node: Node) => node.outputs.filter(Boolean).length > 1;
const reduce: readonly Change[] = [[18, has("axes")]];

/**
 * Operators of ai.onnx whose meaning or form changed after version 7, from the schemas' histories in ONNX
 * 1.23 (a change that only adds types, inputs or attributes with a default changes nothing).
 */
const CHANGES: Readonly<Record<string, readonly Change[]>> = {
  BatchNormalization: [
    [9, has("spatial")],
    [14, manyOutputs],
  ],
  Clip: [[11, has("min", "max")]],
  DFT: [[20, always]],
  Dropout: [
    [10, manyOutputs],
    [12, has("ratio")],
  ],
  GridSample: [[20, has("mode")]],
  GroupNormalization: [[21, always]],
  Hardmax: [[13, always]],
  LogSoftmax: [[13, always]],
  Softmax: [[13, always]],
  Pad: [[11, always]],
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: [[13, has("axes")]],
  ReduceSumSquare: reduce,
  Resize: [[11, always]],
  RoiAlign: [[16, always]],
  Scan: [[9, always]],
  Scatter: [[11, always]],
  Slice: [[10, always]],
  Split: [
    [13, has("split")],
    [18, (node) => !node.inputs[1]],
  ],
  Squeeze: [[13, has("axes")]],
  TopK: [[10, always]],
  Unsqueeze: [[13, always]],
  Upsample: [
    [9, always],
    [10, always],
  ],
};

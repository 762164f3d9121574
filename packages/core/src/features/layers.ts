import { InputError } from "../errors.ts";
import type { Graph, Model, Node, Shape, Value } from "../ir/graph.ts";
import { producers } from "../ir/prune.ts";
import type { DataType } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { constantOf, type Freed, free } from "./batch.ts";

/** A place where features can be taken. */
export interface Layer {
  /** The value's name: what `cutAt` and `featureModel` take. */
  readonly name: string;
  readonly operator: string;
  /** With the batch as a symbol; null extents are not known before the network runs. */
  readonly shape: Shape;
  readonly dtype: DataType;
  /** Numbers in the constants of the node that makes it: weights, biases, statistics. */
  readonly parameters: number;
  /** Whether features are taken here where nobody says otherwise. */
  readonly default: boolean;
}

/** The layer features are taken from by default, and by which rule. */
export interface DefaultLayer {
  readonly name: string;
  /** For people: "input of the classifier "logits" (Gemm)". */
  readonly reason: string;
}

const FLOATS: ReadonlySet<DataType | null> = new Set(["float32", "float64", "float16"]);

/**
 * The layers of a network, in order of computation: every value computed from its inputs that has numbers,
 * and a row of them for each item of the batch. Constants, shapes, masks and token ids are left out.
 */
export function listLayers(model: Model): Layer[] {
  const freed = free(model);
  const layers = layersOf(freed);
  const chosen = layers.length > 0 ? choose(freed, layers).name : null;
  return layers.map((layer) => ({ ...layer, default: layer.name === chosen }));
}

/**
 * The penultimate representation. From the main output back through what only dresses it (Softmax, Sigmoid,
 * Reshape, Squeeze, Cast, Dropout, adding or scaling by constants) to the last product with weights (Gemm,
 * MatMul, Conv): that is taken for the classifier and its input is the layer. Where none is met (a trunk that
 * ends in pooling, an encoder whose output is its last hidden state) the output itself is the layer. The main
 * output is one called sentence_embedding, embedding(s) or features, or else the first. Throws an InputError
 * for a network without layers.
 */
export function defaultLayer(model: Model): DefaultLayer {
  const freed = free(model);
  const layers = layersOf(freed);
  if (layers.length === 0) {
    const reason = [...freed.rows.values()].find((rows) => rows.blocked)?.blocked;
    throw new InputError(`the network has no layer to take features from${reason ? `: ${reason}` : ""}`);
  }
  return choose(freed, layers);
}

function layersOf({ model, types, rows, symbol }: Freed): Layer[] {
  const { graph } = model;
  const content = contentOf(graph);
  const makers = producers(graph);
  const layers: Layer[] = [];
  for (const node of graph.nodes) {
    if (isMasked(graph, node, content, rows)) continue;
    for (const output of node.outputs) {
      if (!output || output.name === "" || !content.has(output)) continue;
      const type = types.get(output);
      const at = rows.get(output);
      if (!type?.shape || !type.dtype || !FLOATS.has(type.dtype) || at?.blocked !== undefined) continue;
      if (typeof at?.axis !== "number") continue;
      const extent = type.shape[at.axis];
      if (extent !== symbol) continue;
      // Some axis beside the batch must have a length that is known.
      if (
        type.shape.length > 1 &&
        !type.shape.some((one, axis) => axis !== at.axis && typeof one === "number")
      )
        continue;
      if (type.shape.includes(0)) continue;
      layers.push({
        name: output.name,
        operator: node.domain ? `${node.domain}.${node.opType}` : node.opType,
        shape: type.shape,
        dtype: type.dtype,
        parameters: parametersOf(graph, node, content, makers),
        default: false,
      });
    }
  }
  return layers;
}

/** Values that depend on the content of inputs other than masks. */
function contentOf(graph: Graph): Set<Value> {
  return dependents(
    graph,
    graph.inputs.filter((input) => !/mask/i.test(input.name)),
  );
}

/** Values that depend on the content of `inputs`, and not on their shapes alone. */
function dependents(graph: Graph, inputs: readonly Value[]): Set<Value> {
  const content = new Set(inputs);
  for (const node of graph.nodes) {
    if (node.opType === "Shape" || node.opType === "Size") continue;
    if (node.inputs.some((input) => input && content.has(input)))
      for (const output of node.outputs) if (output) content.add(output);
  }
  return content;
}

/** Scores with a mask laid over them: minus infinity, or nearly, where nothing may be looked at. */
function isMasked(graph: Graph, node: Node, content: ReadonlySet<Value>, rows: Freed["rows"]): boolean {
  if (!/^(Add|Sub|Where)$/.test(node.opType)) return false;
  return node.inputs.some((input) => {
    if (!input || content.has(input)) return false;
    // Depends on the batch but not on its content: on a mask.
    if (rows.has(input)) return true;
    const tensor = constantOf(graph, input);
    return tensor?.dtype === "float32" && (tensor.data as Float32Array).some((one) => Math.abs(one) >= 1e4);
  });
}

/**
 * Numbers in the constants that a node's inputs are made of: also where weights are cast, turned or
 * dequantised first.
 */
function parametersOf(
  graph: Graph,
  node: Node,
  content: ReadonlySet<Value>,
  makers: ReadonlyMap<Value, Node>,
): number {
  const seen = new Set<Value>();
  const open = node.inputs.filter((input) => input !== null && !content.has(input)) as Value[];
  let count = 0;
  for (let value = open.pop(); value; value = open.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    const tensor = constantOf(graph, value);
    // Whole numbers are weights only where a network is quantised: in one byte.
    if (tensor && !/^(u?int(16|32|64)|bool|string)$/.test(tensor.dtype)) count += sizeOf(tensor.shape);
    const maker = makers.get(value);
    if (maker && !maker.inputs.some((input) => input && content.has(input)))
      open.push(...maker.inputs.filter((input) => input !== null));
  }
  return count;
}

const DRESSING = new Set(
  `Softmax LogSoftmax Sigmoid Reshape Flatten Squeeze Unsqueeze Identity Cast Dropout Clip Add Sub Mul Div
  QuantizeLinear DequantizeLinear Transpose`.split(/\s+/),
);
const CLASSIFIERS = new Set(["Gemm", "MatMul", "FusedGemm", "FusedMatMul", "Conv"]);

function choose({ model, types }: Freed, layers: readonly Layer[]): DefaultLayer {
  const { graph } = model;
  const listed = new Set(layers.map((layer) => layer.name));
  const makers = producers(graph);
  const output =
    graph.outputs.find((value) => /^(sentence_embeddings?|embeddings?|features?)$/i.test(value.name)) ??
    graph.outputs.find((value) => listed.has(value.name)) ??
    graph.outputs[0]!;
  const classifier = /embedding|feature/i.test(output.name) ? null : classifierOf(output, graph, makers);
  const input = classifier?.inputs[0];
  if (input && listed.has(input.name))
    return {
      name: input.name,
      reason: `input of the classifier "${classifier.name || classifier.outputs[0]!.name}" (${classifier.opType})`,
    };
  if (!classifier && listed.has(output.name)) {
    const rank = types.get(output)?.shape?.length;
    const what = rank === 3 ? "last hidden state" : rank === 4 ? "last map" : "output";
    return { name: output.name, reason: `${what} of a network without a classifier` };
  }
  return { name: layers.at(-1)!.name, reason: "last layer with a row for each item" };
}

/** The product with weights that an output is made by; null where something else stands between. */
function classifierOf(output: Value, graph: Graph, makers: ReadonlyMap<Value, Node>): Node | null {
  const content = dependents(graph, graph.inputs);
  let value: Value | null = output;
  while (value) {
    const node: Node | undefined = makers.get(value);
    if (!node) return null;
    const computed: Value[] = node.inputs.filter((input) => input && content.has(input)) as Value[];
    if (CLASSIFIERS.has(node.opType))
      return computed.length === 1 && computed[0] === node.inputs[0] ? node : null;
    if (!DRESSING.has(node.opType) || computed.length === 0) return null;
    if (computed.length > 1 && /^(Add|Sub|Mul|Div)$/.test(node.opType)) return null;
    value = node.inputs[0] && computed.includes(node.inputs[0]) ? node.inputs[0] : computed[0]!;
  }
  return null;
}

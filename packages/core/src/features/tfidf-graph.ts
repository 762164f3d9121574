import { type Builder, build, emptyGraph, ints, modelOf } from "../ir/build.ts";
import { cloneModel } from "../ir/clone.ts";
import type { Graph, Model, Node, Value } from "../ir/graph.ts";
import { opsetOf } from "../ir/opset.ts";
import { producers, prune } from "../ir/prune.ts";
import { type Inferred, inferShapes } from "../ir/shapes.ts";
import { float32, type Tensor } from "../tensor.ts";

const IDS = "feature_ids";
const WEIGHTS = "feature_weights";

/**
 * The graph from `feature_ids` int64 and `feature_weights` float32, both [batch, terms], to `features`
 * [batch, size]. Scatters weights into rows of size + 1 zeros, the last column taking the padding, and cuts
 * that column off. Within a row every id but the padding's occurs once, so that nothing is summed and a row's
 * bits do not depend on its batch.
 */
export function tfidfTrunk(size: number): Model {
  const graph = emptyGraph("tfidf");
  const b = build(graph);
  const ids = b.input(IDS, "int64", ["batch", "terms"]);
  const weights = b.input(WEIGHTS, "float32", ["batch", "terms"]);
  const batch = b.apply("Shape", [ids], { start: 0, end: 1 });
  const shape = b.apply("Concat", [batch, ints([size + 1])], { axis: 0 });
  const zeros = b.apply("ConstantOfShape", [shape], { value: float32([1], [0]) });
  const rows = b.apply("ScatterElements", [zeros, ids, weights], { axis: 1 });
  const features = b.apply("Slice", [rows, ints([0]), ints([size]), ints([1])], {}, { name: "features" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", size] }));
  return modelOf(graph);
}

/**
 * The same model without the wide rows of zeros, where what follows the trunk of TF-IDF allows it: scaling
 * rows, their lengths, and products with constant matrices [V, C]. A product then gathers the matrix's rows
 * of the terms that a text has and sums them by weight, in time proportional to these instead of to V. The
 * output `features` is dropped. A model without such a trunk, or with another use of its features, comes back
 * as it is.
 */
export function gatherTerms(model: Model): Model {
  if (opsetOf(model) < 13) return model;
  const copy = cloneModel(model);
  const { graph } = copy;
  const trunk = findTrunk(graph);
  if (trunk === null) return model;
  graph.outputs = graph.outputs.filter((value) => value !== trunk.features);
  const types = inferShapes(graph);
  const b = build(graph);
  const nodes = graph.nodes;
  graph.nodes = [];
  // Values [batch, V] that are rows of zeros but at the ids, and what they have there [batch, terms].
  const sparse = new Map<Value, Value>([[trunk.features, trunk.weights]]);
  for (const node of nodes) {
    const isPlain =
      node.outputs[0] === trunk.features || !node.inputs.some((input) => input && sparse.has(input));
    if (isPlain) graph.nodes.push(node);
    else if (!rewrite(node, b, { ids: trunk.ids, sparse, types })) return model;
  }
  if (graph.outputs.length === 0 || graph.outputs.some((value) => sparse.has(value))) return model;
  copy.graph = prune(graph);
  return copy;
}

interface Trunk {
  readonly ids: Value;
  readonly weights: Value;
  readonly features: Value;
}

function findTrunk(graph: Graph): Trunk | null {
  const input = (name: string) => graph.inputs.find((value) => value.name === name);
  const [ids, weights] = [input(IDS), input(WEIGHTS)];
  const scatter = graph.nodes.find(
    ({ opType, inputs }) => opType === "ScatterElements" && inputs[1] === ids && inputs[2] === weights,
  );
  const rows = scatter?.outputs[0];
  const slice = graph.nodes.find(({ opType, inputs }) => opType === "Slice" && inputs[0] === rows);
  const zeros = scatter && producers(graph).get(scatter.inputs[0]!);
  const features = slice?.outputs[0];
  if (!ids || !weights || !features || zeros?.opType !== "ConstantOfShape") return null;
  return { ids, weights, features };
}

interface Rewriting {
  readonly ids: Value;
  readonly sparse: Map<Value, Value>;
  readonly types: ReadonlyMap<Value, Inferred>;
}

/**
 * Puts in place of a node that uses sparse rows what does the same with their terms; false where that is not
 * known.
 */
function rewrite(node: Node, b: Builder, { ids, sparse, types }: Rewriting): boolean {
  const [first, second] = node.inputs;
  const output = node.outputs[0]!;
  const weights = first && sparse.get(first);
  if (!weights || node.domain !== "") return false;
  switch (node.opType) {
    case "Identity":
      sparse.set(output, weights);
      return true;
    case "Div":
    case "Mul":
      if (!second || sparse.has(second) || !isPerRow(types.get(second))) return false;
      sparse.set(output, b.apply(node.opType, [weights, second]));
      return true;
    case "ReduceL2":
    case "ReduceSum":
    case "ReduceSumSquare":
      if (!isOverColumns(node, b.graph)) return false;
      b.graph.nodes.push({ ...node, inputs: [weights, ...node.inputs.slice(1)] });
      return true;
    case "MatMul": {
      const matrix = second && b.graph.initializers.get(second);
      if (matrix?.dtype !== "float32" || matrix.shape.length !== 2) return false;
      const rows = b.apply("Gather", [b.constant(withoutTerm(matrix), second!.name), ids], { axis: 0 });
      const product = b.apply("MatMul", [b.apply("Unsqueeze", [weights, ints([1])]), rows]);
      const squeezed = b.constant(ints([1]));
      b.graph.nodes.push({ ...node, opType: "Squeeze", inputs: [product, squeezed], attributes: new Map() });
      return true;
    }
    default:
      return false;
  }
}

/** A number, or a column of them: [] or [batch, 1]. */
function isPerRow(type: Inferred | undefined): boolean {
  const shape = type?.shape;
  return (
    shape !== null && shape !== undefined && (shape.length === 0 || (shape.length <= 2 && shape.at(-1) === 1))
  );
}

function isOverColumns({ attributes, inputs }: Node, graph: Graph): boolean {
  const named = attributes.get("axes");
  const given = inputs[1] ? graph.initializers.get(inputs[1])?.data : null;
  const axes = named?.type === "ints" ? named.value : given instanceof BigInt64Array ? [...given] : [];
  return axes.length === 1 && (axes[0] === 1n || axes[0] === -1n);
}

/** A matrix [V, C] with one more row, of zeros: that of the id that is no term. */
function withoutTerm({ shape: [size, columns], data }: Tensor): Tensor {
  const larger = new Float32Array((size! + 1) * columns!);
  larger.set(data as Float32Array);
  return float32([size! + 1, columns!], larger);
}

import type { DataType, Tensor } from "../tensor.ts";
import type { Extent } from "./extents.ts";
import type { Graph, Node, Shape, Value } from "./graph.ts";
import { SHAPE_RULES } from "./shape-rules.ts";

/** What is known of a value without running the graph; null where nothing is. */
export interface Inferred {
  readonly dtype: DataType | null;
  readonly shape: Shape | null;
}

/** What a rule sees of a node. Inputs left out are null. */
export interface RuleContext {
  readonly node: Node;
  readonly inputs: readonly (Inferred | null)[];
  /** The elements of an input that holds integers (a shape, axes), where they are known. */
  contents(index: number): readonly Extent[] | null;
  /** The elements of the initializer or Constant that an input is. */
  tensor(index: number): Tensor | null;
  int(name: string, otherwise: number): number;
  ints(name: string): readonly number[] | null;
  text(name: string, otherwise: string): string;
}

/** The types of a node's outputs; `contents` where it computes integers that later shapes may depend on. */
export interface RuleResult {
  readonly outputs: readonly (Inferred | null)[];
  readonly contents?: readonly Extent[] | null;
}

/** What an operator's outputs are, from its inputs and attributes. */
export type Rule = (context: RuleContext) => RuleResult;

/** What `inferShapes` takes for granted. */
export interface InferOptions {
  /** Shapes of values to be believed instead of what the graph says. */
  readonly given?: ReadonlyMap<Value, Shape>;
}

/**
 * Element types and shapes of a graph's values as far as they follow from its inputs, by rules for the common
 * operators and by what the file declares. Shape arithmetic on constants and symbols (Shape, Gather, Concat,
 * Reshape) is followed. Values of operators without a rule have what is declared of them, or nulls.
 */
export function inferShapes(graph: Graph, options: InferOptions = {}): Map<Value, Inferred> {
  const types = new Map<Value, Inferred>();
  const contents = new Map<Value, readonly Extent[]>();
  const tensors = new Map<Value, Tensor>();
  const given = (value: Value): Inferred => ({
    dtype: value.dtype,
    shape: options.given?.get(value) ?? value.shape,
  });
  for (const input of graph.inputs) types.set(input, given(input));
  for (const [value, tensor] of graph.initializers) {
    if (graph.inputs.includes(value)) continue;
    types.set(value, { dtype: tensor.dtype, shape: tensor.shape });
    tensors.set(value, tensor);
    const integers = integersOf(tensor);
    if (integers) contents.set(value, integers);
  }
  for (const node of graph.nodes) {
    const result = SHAPE_RULES[node.opType]?.(contextOf(node, types, contents, tensors));
    for (const [index, output] of node.outputs.entries()) {
      if (!output) continue;
      const found = result?.outputs[index] ?? null;
      const forced = options.given?.get(output);
      types.set(output, {
        dtype: found?.dtype ?? output.dtype,
        shape: forced ?? merged(found?.shape ?? null, output.shape),
      });
      if (index === 0 && result?.contents) contents.set(output, result.contents);
    }
    const constant = node.opType === "Constant" ? node.attributes.get("value") : null;
    if (constant?.type === "tensor" && node.outputs[0]) tensors.set(node.outputs[0], constant.value);
  }
  return types;
}

/** The elements of a small integer tensor. */
export function integersOf(tensor: Tensor): readonly number[] | null {
  if (tensor.dtype !== "int64" && tensor.dtype !== "int32") return null;
  if (tensor.shape.length > 1 || tensor.data.length > 512) return null;
  return Array.from(tensor.data as ArrayLike<bigint | number>, Number);
}

/** Extents that rules leave open may be declared. */
function merged(found: Shape | null, declared: Shape | null): Shape | null {
  if (!found) return declared;
  if (declared?.length !== found.length) return found;
  return found.map((extent, axis) => extent ?? declared[axis]!);
}

function contextOf(
  node: Node,
  types: ReadonlyMap<Value, Inferred>,
  contents: ReadonlyMap<Value, readonly Extent[]>,
  tensors: ReadonlyMap<Value, Tensor>,
): RuleContext {
  const input = (index: number): Value | null => node.inputs[index] ?? null;
  return {
    node,
    inputs: node.inputs.map(
      (value) => value && (types.get(value) ?? { dtype: value.dtype, shape: value.shape }),
    ),
    contents: (index) => contents.get(input(index)!) ?? null,
    tensor: (index) => tensors.get(input(index)!) ?? null,
    int(name, otherwise) {
      const attribute = node.attributes.get(name);
      return attribute?.type === "int" ? Number(attribute.value) : otherwise;
    },
    ints(name) {
      const attribute = node.attributes.get(name);
      return attribute?.type === "ints" ? attribute.value.map(Number) : null;
    },
    text(name, otherwise) {
      const attribute = node.attributes.get(name);
      return attribute?.type === "string" ? new TextDecoder().decode(attribute.value) : otherwise;
    },
  };
}

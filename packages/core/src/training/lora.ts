import { InputError } from "../errors.ts";
import { type Builder, build } from "../ir/build.ts";
import { cloneModel } from "../ir/clone.ts";
import type { Model, Node, Value } from "../ir/graph.ts";
import { sortNodes } from "../ir/order.ts";
import { consumers } from "../ir/prune.ts";
import type { Random } from "../random.ts";
import { float32, type Tensor } from "../tensor.ts";
import { matchesGlob, type Parameter, parametersOf } from "./parameters.ts";
import { withParameters } from "./plan.ts";
import type { Parameters } from "./state.ts";

/** How adapters are laid beside weights. */
export interface LoraOptions {
  /** r, the width of an adapter; 8 when left out. */
  readonly rank?: number;
  /** α: what an adapter adds is scaled by α/r; 16 when left out. */
  readonly alpha?: number;
  /** Layers or weights by name, `*` and `**` allowed; all dense and ungrouped convolution weights when left out. */
  readonly targets?: readonly string[];
  readonly random: Random;
}

/** How a weight lies in memory: inputs before outputs, outputs before inputs, or a kernel [out, in, …]. */
type Layout = "in-out" | "out-in" | "kernel";

/** One weight with its adapter. Names are those of initializers. */
export interface AdapterLayer {
  readonly layer: string;
  readonly weight: string;
  readonly a: string;
  readonly b: string;
  readonly layout: Layout;
  /** Factor that the operator puts on its product (Gemm's alpha). */
  readonly factor: number;
}

/** Adapters of one model, without their numbers. */
export interface Adapter {
  readonly rank: number;
  readonly alpha: number;
  readonly layers: readonly AdapterLayer[];
}

/**
 * A copy of a model with low-rank adapters beside its weights: W·x + (α/r)·B·(A·x), A drawn as PEFT does
 * (uniform with bound 1/√fan-in), B zero, so that the model computes what it did (Hu et al. 2022,
 * https://arxiv.org/abs/2106.09685). Adapters are initializers named as PEFT names them; train those and
 * nothing else (`adapterParameters`). Throws an InputError where no weight is chosen, or a chosen one cannot
 * carry an adapter (grouped convolution, transposed input).
 */
export function addLora(model: Model, options: LoraOptions): { model: Model; adapter: Adapter } {
  const { rank = 8, alpha = 16, targets, random } = options;
  if (!Number.isInteger(rank) || rank < 1)
    throw new InputError(`the rank of LoRA must be a whole number from 1, got ${rank}`);
  const copy = cloneModel(model);
  const { graph } = copy;
  const b = build(graph);
  const uses = consumers(graph);
  const values = new Map([...graph.initializers.keys()].map((value) => [value.name, value]));
  const layers: AdapterLayer[] = [];
  const taken = new Set<string>();
  for (const parameter of chosen(model, targets)) {
    const weight = values.get(parameter.name)!;
    const sites = (uses.get(weight) ?? []).map(({ node, index }) => ({
      node,
      index,
      problem: problemAt(node, index, parameter.tensor),
    }));
    const problem =
      sites.find((site) => site.problem)?.problem ?? (sites.length === 0 ? "is not used" : null);
    if (problem) {
      if (targets) throw new InputError(`"${parameter.name}" cannot carry a LoRA adapter: it ${problem}`);
      continue;
    }
    const layout = layoutOf(sites[0]!.node);
    if (sites.some(({ node }) => layoutOf(node) !== layout)) continue;
    const name = unique(parameter.layer, taken);
    const { down, up } = draw(parameter.tensor, rank, layout, random.fork(name));
    const stem = `base_model.model.${name}`;
    const [A, B] = [b.constant(down, `${stem}.lora_A.weight`), b.constant(up, `${stem}.lora_B.weight`)];
    for (const { node } of sites) attach(b, node, A, B, alpha / rank);
    const factor = layout === "kernel" ? 1 : floatOf(sites[0]!.node, "alpha", 1);
    layers.push({ layer: name, weight: parameter.name, a: A.name, b: B.name, layout, factor });
  }
  if (layers.length === 0)
    throw new InputError("no weight of the model can carry a LoRA adapter; name other targets");
  graph.nodes = sortNodes(graph.nodes);
  return { model: copy, adapter: { rank, alpha, layers } };
}

/** Names of an adapter's parameters. */
export function adapterParameters(adapter: Adapter): string[] {
  return adapter.layers.flatMap(({ a, b }) => [a, b]);
}

/**
 * The model without adapters and with W + (α/r)·B·A for weights: the same function, at no cost when it runs.
 * `model` is the one adapters were added to, `parameters` holds the adapters' numbers by name.
 */
export function mergeLora(model: Model, adapter: Adapter, parameters: Parameters): Model {
  const tensors = new Map([...model.graph.initializers].map(([value, tensor]) => [value.name, tensor]));
  const merged = new Map<string, Tensor>();
  for (const layer of adapter.layers) {
    const weight = merged.get(layer.weight) ?? tensors.get(layer.weight);
    const [a, b] = [parameters.get(layer.a), parameters.get(layer.b)];
    if (!weight || !a || !b)
      throw new InputError(
        `the adapter of "${layer.layer}" lacks ${weight ? "its numbers" : `the weight "${layer.weight}"`}`,
      );
    merged.set(layer.weight, folded(weight, a, b, adapter, layer));
  }
  return withParameters(model, merged);
}

/** A [r, in…] and B [out, r] of a layer as PEFT stores them, from how they lie here; the same function leads back. */
export function turned(tensor: Tensor, { layout }: Pick<AdapterLayer, "layout">): Tensor {
  if (layout !== "in-out") return tensor;
  const [rows, columns] = tensor.shape as [number, number];
  const data = tensor.data as Float32Array;
  const out = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!;
  return float32([columns, rows], out);
}

function chosen(model: Model, targets: readonly string[] | undefined): Parameter[] {
  const weights = parametersOf(model).filter(({ role }) => role === "weight");
  for (const pattern of targets ?? [])
    if (!weights.some(({ name, layer }) => matchesGlob(pattern, name) || matchesGlob(pattern, layer)))
      throw new InputError(`no weight or layer is called "${pattern}", so LoRA has nothing to adapt there`);
  return weights.filter(
    ({ name, layer }) =>
      !targets || targets.some((pattern) => matchesGlob(pattern, name) || matchesGlob(pattern, layer)),
  );
}

/** Why a use of a weight cannot have an adapter beside it; null where it can. */
function problemAt(node: Node, index: number, tensor: Tensor): string | null {
  if (node.domain !== "" || index !== 1) return `is used by ${node.opType} in a way that has no second path`;
  switch (node.opType) {
    case "MatMul":
      return tensor.shape.length === 2 ? null : "is no matrix";
    case "Gemm":
      return intOf(node, "transA", 0) === 1 ? "multiplies a transposed input" : null;
    case "Conv":
      return intOf(node, "group", 1) === 1 ? null : "belongs to a grouped convolution";
  }
  return `is used by ${node.opType}`;
}

function layoutOf(node: Node): Layout {
  if (node.opType === "Conv") return "kernel";
  return node.opType === "Gemm" && intOf(node, "transB", 0) === 1 ? "out-in" : "in-out";
}

function draw({ shape }: Tensor, rank: number, layout: Layout, random: Random): { down: Tensor; up: Tensor } {
  const outputs = layout === "in-out" ? shape[1]! : shape[0]!;
  const inputs = layout === "in-out" ? shape.slice(0, 1) : shape.slice(1);
  const fanIn = inputs.reduce((product, extent) => product * extent, 1);
  const bound = 1 / Math.sqrt(fanIn); // Kaiming's uniform with a = √5, as torch's Linear and PEFT
  const data = Float32Array.from({ length: rank * fanIn }, () => (2 * random.uniform() - 1) * bound);
  const extents = {
    "in-out": [
      [fanIn, rank],
      [rank, outputs],
    ],
    "out-in": [
      [rank, fanIn],
      [outputs, rank],
    ],
    kernel: [
      [rank, ...inputs],
      [outputs, rank, ...inputs.slice(1).map(() => 1)],
    ],
  }[layout] as [number[], number[]];
  return { down: float32(extents[0], data), up: float32(extents[1], new Float32Array(outputs * rank)) };
}

/** Adds the second path beside a node, whose output becomes the sum of both. */
function attach(b: Builder, node: Node, A: Value, B: Value, scale: number): void {
  const x = node.inputs[0]!;
  const y = node.outputs[0]!;
  const base: Value = { name: b.fresh(`${y.name}/base`), dtype: y.dtype, shape: y.shape };
  node.outputs[0] = base;
  const layout = layoutOf(node);
  const named = (name: string) => ({ name: `${A.name.replace(/\.lora_A\.weight$/, "")}/${name}` });
  // Scaled between the two products, where there are fewest numbers.
  let side: Value;
  if (layout === "kernel") {
    const attributes = Object.fromEntries(node.attributes);
    side = b.apply("Conv", [x, A], attributes, named("down"));
    side = b.apply("Mul", [side, scale], {}, named("scaled"));
    side = b.apply("Conv", [side, B], {}, named("up"));
  } else if (layout === "out-in") {
    side = b.apply("Gemm", [x, A], { transB: 1 }, named("down"));
    side = b.apply("Mul", [side, scale], {}, named("scaled"));
    side = b.apply("Gemm", [side, B], { transB: 1 }, named("up"));
  } else {
    side = b.apply("MatMul", [x, A], {}, named("down"));
    side = b.apply("Mul", [side, scale], {}, named("scaled"));
    side = b.apply("MatMul", [side, B], {}, named("up"));
  }
  b.graph.nodes.push({
    name: named("sum").name,
    opType: "Add",
    domain: "",
    inputs: [base, side],
    outputs: [y],
    attributes: new Map(),
  });
}

/** W + (α/r)/factor·BA in the weight's layout, summed in float64. */
function folded(weight: Tensor, a: Tensor, b: Tensor, { rank, alpha }: Adapter, layer: AdapterLayer): Tensor {
  const [A, B] = [turned(a, layer).data as Float32Array, turned(b, layer).data as Float32Array];
  const fanIn = A.length / rank;
  const outputs = B.length / rank;
  const scale = alpha / rank / layer.factor;
  const data = (weight.data as Float32Array).slice();
  const [stepOut, stepIn] = layer.layout === "in-out" ? [1, outputs] : [fanIn, 1];
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < fanIn; i++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += B[o * rank + k]! * A[k * fanIn + i]!;
      const at = o * stepOut + i * stepIn;
      data[at] = data[at]! + scale * sum;
    }
  return float32(weight.shape, data);
}

function unique(layer: string, taken: Set<string>): string {
  let name = layer;
  for (let i = 1; taken.has(name); i++) name = `${layer}.${i}`;
  taken.add(name);
  return name;
}

function intOf(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === "int" ? Number(attribute.value) : otherwise;
}

function floatOf(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === "float" ? attribute.value : otherwise;
}

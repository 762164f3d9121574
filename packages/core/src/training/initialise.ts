import type { Graph, Model, Node, Value } from "../ir/graph.ts";
import { consumers, producers } from "../ir/prune.ts";
import type { Random } from "../random.ts";
import { float32, sizeOf, type Tensor } from "../tensor.ts";
import { type Parameter, parametersOf } from "./parameters.ts";

const RECTIFIERS = new Set(
  "Relu Clip LeakyRelu PRelu HardSwish Swish Gelu FastGelu Elu Selu Celu Mish Softplus ThresholdedRelu".split(
    " ",
  ),
);
const PASSING = new Set(["Add", "BatchNormalization", "Identity", "Reshape", "Flatten", "Mul", "BiasGelu"]);

/**
 * Every parameter of a network drawn anew by the usual rules, each from its own source, so that a name and a
 * seed say its numbers. Weights: normal with variance g/fan-in, g = 2 before a rectifier, else 1 (He et al.
 * 2015, https://arxiv.org/abs/1502.01852); a convolution that ends a residual branch without a normalization
 * is zero, so that depth does not blow the signal up (Zhang, Dauphin and Ma 2019,
 * https://arxiv.org/abs/1901.09321); recurrent weights uniform in ±1/√units; embeddings normal with deviation
 * 0.02; scales 1, biases 0; stored mean 0 and variance 1.
 */
export function initialise(model: Model, random: Random): Map<string, Tensor> {
  const all = consumers(model.graph);
  const makers = producers(model.graph);
  const sites: Sites = {
    uses: (value) => (all.get(value) ?? []).map(({ node }) => node),
    isConstant: (value) => value === null || model.graph.initializers.has(value),
    makerOf: (value) => makers.get(value!),
  };
  const byName = new Map([...model.graph.initializers.keys()].map((value) => [value.name, value]));
  const statistics = variances(model.graph);
  return new Map(
    parametersOf(model).map((parameter) => {
      const draw = numbersOf(parameter, byName.get(parameter.name)!, sites, random.fork(parameter.name));
      const constant = statistics.has(parameter.name) ? 1 : null;
      const { shape } = parameter.tensor;
      const data = Float32Array.from({ length: sizeOf(shape) }, () => constant ?? draw());
      return [parameter.name, float32(shape, data)];
    }),
  );
}

/** What the rules ask of a graph. */
interface Sites {
  uses(value: Value): readonly Node[];
  isConstant(value: Value | null): boolean;
  makerOf(value: Value | null): Node | undefined;
}

function numbersOf(
  { role, tensor: { shape }, operator }: Parameter,
  value: Value,
  sites: Sites,
  random: Random,
): () => number {
  switch (role) {
    case "bias":
    case "shift":
    case "statistic":
      return () => 0;
    case "scale":
      return operator === "PRelu" ? () => 0.25 : () => 1;
    case "embedding":
      return () => 0.02 * random.normal();
  }
  const node = sites.uses(value).find(({ opType }) => opType === operator) ?? sites.uses(value)[0]!;
  if (/^(LSTM|GRU|RNN)$/.test(operator)) {
    const units = shape[1]! / { LSTM: 4, GRU: 3, RNN: 1 }[operator as "LSTM"];
    return () => (2 * random.uniform() - 1) / Math.sqrt(units);
  }
  if (operator === "Conv" && endsBranch(node, sites)) return () => 0;
  const deviation = Math.sqrt((isRectified(node, sites) ? 2 : 1) / fanIn(node, shape));
  return () => deviation * random.normal();
}

function fanIn(node: Node, shape: readonly number[]): number {
  const attribute = (name: string) => {
    const found = node.attributes.get(name);
    return found?.type === "int" ? Number(found.value) : 0;
  };
  if (node.opType === "Conv") return sizeOf(shape.slice(1));
  // [in, out / groups, …]: each output sees the kernel once for every channel of its group.
  if (node.opType === "ConvTranspose")
    return (shape[0]! / (attribute("group") || 1)) * sizeOf(shape.slice(2));
  if (node.opType === "Gemm" && attribute("transB") === 1) return shape[1]!;
  return shape.at(-2)!;
}

/** Whether what follows a product, past its bias and normalization, rectifies. */
function isRectified(node: Node, { uses }: Sites): boolean {
  for (let at = node, steps = 0; steps < 4; steps++) {
    const next = at.outputs[0] ? uses(at.outputs[0]) : [];
    if (next.some(({ opType }) => RECTIFIERS.has(opType) || opType === "BiasGelu")) return true;
    // x·sigmoid(x) is Swish; x·(1 + erf …) is Gelu.
    if (next.some(({ opType }) => opType === "Sigmoid" || opType === "HardSigmoid" || opType === "Erf"))
      return next.length > 1;
    const passing = next.find(({ opType }) => PASSING.has(opType));
    if (!passing) return false;
    at = passing;
  }
  return false;
}

/**
 * Whether a product does nothing but be added to something else that is computed. Where that is such a
 * product, too, one of them is the shortcut: then neither counts.
 */
function endsBranch(node: Node, { uses, isConstant, makerOf }: Sites): boolean {
  const made = node.outputs[0]!;
  const [sum, ...others] = uses(made);
  if (sum?.opType !== "Add" || others.length > 0 || sum.inputs.some(isConstant)) return false;
  const other = sum.inputs.find((input) => input !== made)!;
  return makerOf(other)?.opType !== node.opType || uses(other).length > 1;
}

/** Names of the initializers that stand as variances. */
function variances(graph: Graph): Set<string> {
  return new Set(
    graph.nodes
      .filter(({ opType }) => opType === "BatchNormalization")
      .map(({ inputs }) => inputs[4]?.name ?? ""),
  );
}

import { InputError } from "../errors.ts";
import type { Model, Node, Value } from "../ir/graph.ts";
import { consumers, type Use } from "../ir/prune.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

/**
 * What a parameter is to the operator that uses it. `statistic`: the stored mean or variance of a batch
 * normalization.
 */
export type Role = "weight" | "bias" | "scale" | "shift" | "embedding" | "statistic";

/** An initializer that a network learns. */
export interface Parameter {
  /** The initializer's name, by which it is trained and replaced. */
  readonly name: string;
  readonly tensor: Tensor;
  readonly role: Role;
  /** The module it belongs to, with dots: "encoder.layer.0.attention.self.query". */
  readonly layer: string;
  /** The block that is frozen and unfrozen as one: "encoder.layer.0". */
  readonly group: string;
  /** The operator that uses it. */
  readonly operator: string;
}

/** A depth group: parameters that are frozen and unfrozen together. */
export interface LayerGroup {
  readonly name: string;
  readonly parameters: readonly Parameter[];
}

/** Numbers beyond this in a constant that is added are a mask, not something learnt. */
const MASKED = 1e4;
const SHAPING = new Set(["Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Cast", "Expand"]);

/**
 * The parameters of a network in forward order: float32 initializers that stand where an operator takes
 * weights, biases, scales or embeddings. Single numbers (bounds of Clip, divisors), masks and other constants
 * are none.
 */
export function parametersOf(model: Model): Parameter[] {
  const { graph } = model;
  const uses = consumers(graph);
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const found: (Omit<Parameter, "group"> & { at: number })[] = [];
  for (const [value, tensor] of graph.initializers) {
    if (tensor.dtype !== "float32" || sizeOf(tensor.shape) < 1) continue;
    const use = roleOf(value, tensor, uses);
    if (!use) continue;
    const { node, role } = use;
    found.push({
      name: value.name,
      tensor,
      role,
      layer: layerOf(value, node, uses),
      operator: node.opType,
      at: position.get(node)!,
    });
  }
  found.sort((a, b) => a.at - b.at);
  return found.map(({ at: _, ...parameter }) => ({ ...parameter, group: groupOf(parameter.layer) }));
}

/**
 * The depth groups of a network in forward order: blocks where names number them ("encoder.layer.3", "features.7",
 * "expanded_conv_12"), else one group a layer. A later group is nearer to the output.
 */
export function layerGroups(model: Model): LayerGroup[] {
  const groups = new Map<string, Parameter[]>();
  for (const parameter of parametersOf(model)) {
    const members = groups.get(parameter.group);
    if (members) members.push(parameter);
    else groups.set(parameter.group, [parameter]);
  }
  return [...groups].map(([name, parameters]) => ({ name, parameters }));
}

/** What is chosen of a network's parameters. */
export interface ParameterSelection {
  /** Layer names or parameter names; `*` stands for anything but a dot or slash, `**` for anything. */
  readonly match?: readonly string[];
  /** This many depth groups from the output down. */
  readonly last?: number;
  readonly roles?: readonly Role[];
}

/**
 * Names of the parameters that every given condition chooses, in forward order; statistics only where asked
 * for by role. Throws an InputError for a pattern that matches nothing, and where nothing is left.
 */
export function selectParameters(model: Model, selection: ParameterSelection): string[] {
  const all = parametersOf(model);
  for (const pattern of selection.match ?? [])
    if (!all.some((parameter) => matches(pattern, parameter)))
      throw new InputError(
        `no parameter or layer is called "${pattern}"; layers are ${[...new Set(all.map(({ layer }) => layer))].slice(0, 5).join(", ")} …`,
      );
  const groups = [...new Set(all.map(({ group }) => group))];
  const last = selection.last === undefined ? null : new Set(groups.slice(-selection.last || groups.length));
  const { match, roles } = selection;
  const chosen = all.filter(
    (parameter) =>
      (roles ? roles.includes(parameter.role) : parameter.role !== "statistic") &&
      (!last || last.has(parameter.group)) &&
      (!match || match.some((pattern) => matches(pattern, parameter))),
  );
  if (chosen.length === 0) throw new InputError("the selection leaves no parameter to train; widen it");
  return chosen.map(({ name }) => name);
}

/** Whether a name matches a pattern in which `*` stands for anything but a dot or slash and `**` for anything. */
export function matchesGlob(pattern: string, name: string): boolean {
  const source = pattern.replace(/\*+|[\\^$.|?+()[\]{}/]/g, (part) =>
    part.startsWith("**") ? ".*" : part.startsWith("*") ? "[^./]*" : `\\${part}`,
  );
  return new RegExp(`^${source}$`, "u").test(name);
}

function matches(pattern: string, { name, layer, group }: Parameter): boolean {
  return [name, layer, group].some((one) => matchesGlob(pattern, one));
}

interface RoleUse {
  readonly node: Node;
  readonly role: Role;
}

/** The first use that makes an initializer a parameter; also behind nodes that only turn or shape it. */
function roleOf(value: Value, tensor: Tensor, uses: ReadonlyMap<Value, readonly Use[]>): RoleUse | null {
  for (const { node, index } of uses.get(value) ?? []) {
    if (index === 0 && SHAPING.has(node.opType)) {
      const made = node.outputs[0];
      const behind = made ? roleOf(made, tensor, uses) : null;
      if (behind) return behind;
      continue;
    }
    const role = roleAt(node, index, tensor);
    if (role) return { node, role };
  }
  return null;
}

function roleAt({ opType, domain }: Node, index: number, tensor: Tensor): Role | null {
  const rank = tensor.shape.filter((extent) => extent > 1).length;
  switch (opType) {
    case "Conv":
    case "ConvTranspose":
    case "Gemm":
    case "FusedConv":
    case "FusedGemm":
      return index === 1 ? "weight" : index === 2 ? "bias" : opType === "Gemm" ? "weight" : null;
    case "MatMul":
    case "FusedMatMul":
      return tensor.shape.length > 1 ? "weight" : null;
    case "LSTM":
    case "GRU":
    case "RNN":
      return index === 1 || index === 2 ? "weight" : index === 3 ? "bias" : null;
    case "BatchNormalization":
      return (["scale", "shift", "statistic", "statistic"] as const)[index - 1] ?? null;
    case "LayerNormalization":
    case "GroupNormalization":
    case "InstanceNormalization":
    case "RMSNormalization":
    case "SimplifiedLayerNormalization":
      return (["scale", "shift"] as const)[index - 1] ?? null;
    case "PRelu":
      return index === 1 ? "scale" : null;
    case "Gather":
      return index === 0 && rank === 2 ? "embedding" : null;
    case "Add":
      if (rank === 0 || (tensor.data as Float32Array).some((one) => Math.abs(one) >= MASKED)) return null;
      return rank === 1 ? "bias" : "embedding";
    case "Mul":
      return rank === 1 ? "scale" : null;
  }
  if (domain !== "com.microsoft" || rank === 0) return null;
  if (/Norm/.test(opType) && rank === 1) return index >= 2 ? (["scale", "shift"] as const)[index - 2]! : null;
  return rank === 1 ? "bias" : /Embed/.test(opType) ? "embedding" : "weight";
}

/**
 * "encoder.layer.0.attention.self.query" of its parameter's name, or of the node's where the export renamed
 * the former.
 */
function layerOf(value: Value, node: Node, uses: ReadonlyMap<Value, readonly Use[]>): string {
  const isOwn = /[./]/.test(value.name) && !/^(onnx::|\/)/.test(value.name);
  if (isOwn) return dotted(value.name.replace(/[./](weight|bias|gamma|beta|running_mean|running_var)$/i, ""));
  // The bias of a product is added by a node of the same scope.
  const scoped = [node, ...(uses.get(value) ?? []).map((use) => use.node)].find(({ name }) =>
    /\//.test(name),
  );
  if (!scoped) return dotted(value.name);
  const path = scoped.name.replace(/^\//, "").split("/");
  return dotted(path.length > 1 ? path.slice(0, -1).join("/") : path[0]!);
}

function dotted(name: string): string {
  return name.replace(/\//g, ".");
}

/** The layer's path up to its first numbered block, or the layer itself. */
function groupOf(layer: string): string {
  const path = layer.split(".");
  const at = path.findIndex(
    (part) => /^\d+$/.test(part) || /^(expanded_conv|block|layer|stage)s?_?\d+$/i.test(part),
  );
  const plain = path.findIndex((part) => /^(expanded_conv|embeddings?)$/i.test(part));
  if (at >= 0) return path.slice(0, at + 1).join(".");
  return plain >= 0 ? path.slice(0, plain + 1).join(".") : layer;
}

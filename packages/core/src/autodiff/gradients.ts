import { InputError } from "../errors.ts";
import { build } from "../ir/build.ts";
import type { Graph, Node, Shape, Value } from "../ir/graph.ts";
import { printShape } from "../ir/print.ts";
import { consumers, prune } from "../ir/prune.ts";
import { inferShapes, integersOf } from "../ir/shapes.ts";
import { unbroadcast } from "../ops/broadcast.ts";
import { formulas } from "../ops/formula.ts";
import * as rules from "../ops/index.ts";
import * as microsoft from "../ops/microsoft/index.ts";
import type { Lowered, Op, Site } from "../ops/op.ts";
import { wholeGelus } from "./gelu.ts";

/** What `gradients` takes for granted. */
export interface GradientOptions {
  /** The ai.onnx operator set of the graph's model; 17 when left out. */
  readonly opset?: number;
  /** Shapes of inputs that the graph leaves open. */
  readonly given?: ReadonlyMap<Value, Shape>;
  /**
   * Factors on the gradients of values on their way down: below a value with −λ a classifier of domains is
   * trained against (gradient reversal; Ganin and Lempitsky 2015, https://arxiv.org/abs/1409.7495), below one
   * with 0 nothing is.
   */
  readonly factors?: ReadonlyMap<Value, number>;
  /** Channels of images will lie in front of images (see `blocked`), so that to put them there costs nothing. */
  readonly isFolded?: boolean;
}

/** A graph that computes a loss and its gradients. */
export interface Differentiated {
  /** The graph's outputs, the loss and the gradients, in this order. Values are the given graph's own objects. */
  readonly graph: Graph;
  /** For each parameter the value that is its gradient, in its shape. */
  readonly gradients: ReadonlyMap<Value, Value>;
}

const OPS: Readonly<Record<string, Op>> = rules;
const MICROSOFT: Readonly<Record<string, Op>> = microsoft;
const PREFIX = "gradient/";

/**
 * The gradient of a scalar loss with respect to parameters (initializers, inputs or any other values of the
 * graph), by reverse accumulation when the graph is built: nodes are appended, nothing is computed. Only what
 * lies between the parameters and the loss is visited. The given graph is not changed. Throws an InputError
 * that names an operator without a gradient, or a parameter on which the loss does not depend.
 */
export function gradients(
  graph: Graph,
  loss: Value,
  parameters: readonly Value[],
  options: GradientOptions = {},
): Differentiated {
  const { opset = 17, given, factors, isFolded = false } = options;
  const work: Graph = {
    ...graph,
    inputs: [...graph.inputs],
    outputs: graph.outputs.includes(loss) ? [...graph.outputs] : [...graph.outputs, loss],
    initializers: new Map(graph.initializers),
    nodes: [...graph.nodes],
  };
  let types = inferShapes(work, given ? { given } : {});
  const lossType = types.get(loss);
  if (!lossType?.dtype || lossType.shape?.length !== 0)
    throw new InputError(
      `the loss "${loss.name}" has the shape ${printShape(lossType?.shape ?? null)}; a gradient is of a single number, of shape []`,
    );
  const depends = new Set<Value>(parameters);
  const builder = build(work);
  const places = new Map<Value, number>();
  const g = formulas(builder, lossType.dtype, opset, PREFIX);
  /** The nodes that operators with a gradient of the whole end in. */
  const wholes = new Map<Node, Lowered & Pick<Node, "inputs">>();
  follow();
  wholeGelus(work, depends);
  while (decompose()) follow();
  const forward = [...work.nodes];
  const found = new Map<Value, Value[]>([[loss, [g.fill(1, [])]]]);
  const scaled = new Set<Value>();
  const uses = consumers(work);
  const total = (value: Value): Value | null => {
    const parts = found.get(value);
    if (!parts) return null;
    const factor = factors?.get(value) ?? 1;
    if (parts.length > 1 || (factor !== 1 && !scaled.has(value))) {
      const sum = parts.length > 1 ? g.op("Sum", parts) : parts[0]!;
      found.set(value, [factor === 1 ? sum : g.mul(factor, sum)]);
      scaled.add(value);
    }
    return found.get(value)![0]!;
  };
  for (const node of forward.reverse()) {
    if (!node.inputs.some((input) => input && depends.has(input))) continue;
    const dys = node.outputs.map((output) => (output ? total(output) : null));
    if (dys.every((dy) => dy === null)) continue;
    const op = opOf(node);
    const whole = wholes.get(node);
    if (op.gradient === null && !whole) continue;
    const at = siteOf(node, dys, forward);
    const made = whole ? whole.gradient(dys[0]!) : op.gradient!(g, at);
    for (const [i, input] of (whole ?? node).inputs.entries()) {
      if (!input || !depends.has(input)) continue;
      const one = made[i] ?? null;
      let gradient = typeof one === "function" ? one() : one;
      if (!gradient) continue;
      if (op.broadcasts && !whole) gradient = at.unbroadcast(gradient, shape(at.y), input);
      const parts = found.get(input);
      if (parts) parts.push(gradient);
      else found.set(input, [gradient]);
    }
  }
  const result = new Map<Value, Value>();
  // What was appended may have the name a gradient is looked for by; what was there, or serves twice, is copied.
  const kept = new Set<Value>([...forward.flatMap(({ outputs }) => outputs), ...parameters] as Value[]);
  for (const value of [...work.inputs, ...work.initializers.keys()]) kept.add(value);
  for (const parameter of parameters) {
    const gradient = total(parameter);
    if (!gradient)
      throw new InputError(
        `the loss "${loss.name}" does not depend on "${parameter.name}" in a way that has a gradient; do not train it`,
      );
    const name = `${PREFIX}of/${parameter.name}`;
    const named = kept.has(gradient)
      ? builder.apply("Identity", [gradient], {}, { name })
      : Object.assign(gradient, { name: builder.fresh(name) });
    kept.add(named);
    named.dtype = lossType.dtype;
    named.shape = types.get(parameter)?.shape ?? parameter.shape;
    result.set(parameter, named);
    work.outputs.push(named);
  }
  return { graph: prune(work), gradients: result };

  function shape(value: Value): Shape {
    const known = types.get(value)?.shape ?? value.shape;
    if (!known)
      throw new InputError(
        `the shape of "${value.name}" does not follow from the inputs; give it in the option "given"`,
      );
    return known;
  }

  /** Marks what depends on the parameters. */
  function follow(): void {
    for (const node of work.nodes) {
      if (!node.inputs.some((input) => input && depends.has(input))) continue;
      const op = known(node);
      if (op && !op.gradient && !op.decompose) continue; // shapes and comparisons end the way
      for (const output of node.outputs) if (output) depends.add(output);
    }
  }

  /** Puts plainer nodes in the place of those that are differentiated so; false where there are none. */
  function decompose(): boolean {
    const before = work.nodes;
    const nodes: Node[] = [];
    work.nodes = nodes;
    let changed = false;
    for (const node of before) {
      const op = node.inputs.some((input) => input && depends.has(input)) ? known(node) : undefined;
      const lowered = op?.lower?.(g, siteOf(node, [], before));
      if (lowered) {
        changed = true;
        const last = nodes.at(-1)!;
        last.outputs = [node.outputs[0]!];
        wholes.set(last, { inputs: node.inputs, gradient: lowered.gradient });
        continue;
      }
      if (!op?.decompose) {
        nodes.push(node);
        continue;
      }
      changed = true;
      const made = op.decompose(g, siteOf(node, [], before));
      for (const [i, output] of node.outputs.entries()) {
        if (!output) continue;
        const from = made[i];
        if (!from) {
          const isUsed =
            work.outputs.includes(output) || before.some(({ inputs }) => inputs.includes(output));
          if (!isUsed) continue;
          throw new InputError(`${describe(node)} has no output ${i} when it is differentiated`);
        }
        nodes.push({
          name: output.name,
          opType: "Identity",
          domain: "",
          inputs: [from],
          outputs: [output],
          attributes: new Map(),
        });
      }
    }
    if (changed) types = inferShapes(work, given ? { given } : {});
    return changed;
  }

  /** Where a node is that may have been given more outputs since. */
  function placeOf(node: Node): number {
    const first = node.outputs[0]!;
    const known = places.get(first);
    if (known !== undefined && work.nodes[known]?.outputs[0] === first) return known;
    for (const [at, { outputs }] of work.nodes.entries()) if (outputs[0]) places.set(outputs[0], at);
    return places.get(first)!;
  }

  function siteOf(node: Node, dys: readonly (Value | null)[], nodes: readonly Node[]): Site {
    const attribute = (name: string) => node.attributes.get(name);
    const refuse = (what: string): never => {
      throw new InputError(`${describe(node)} ${what}`);
    };
    const at: Site = {
      node,
      isFolded,
      x: node.inputs as Value[],
      has: (index) => Boolean(node.inputs[index]),
      y: node.outputs[0]!,
      dy: dys[0]!,
      dys,
      reader() {
        const all = uses.get(node.outputs[0]!) ?? [];
        const [{ node: only, index } = { node, index: -1 }] = all;
        if (all.length !== 1 || index < 0 || work.outputs.includes(node.outputs[0]!)) return null;
        if (factors?.has(node.outputs[0]!)) return null; // what comes down is not what the reader sends
        const y = only.outputs[0];
        const dy = y && total(y);
        return dy ? { node: only, y, dy } : null;
      },
      output(index) {
        const place = placeOf(node);
        const existing = work.nodes[place]!;
        const known = existing.outputs[index];
        if (known) return known;
        const added: Value = {
          name: builder.fresh(`${PREFIX}${node.opType}/${index}`),
          dtype: null,
          shape: null,
        };
        const outputs = Array.from({ length: Math.max(index + 1, existing.outputs.length) }, (_, i) =>
          i === index ? added : (existing.outputs[i] ?? null),
        );
        work.nodes[place] = { ...existing, outputs };
        return added;
      },
      shape,
      rank: (value) => shape(value).length,
      dtype: (value) => types.get(value)?.dtype ?? value.dtype,
      extents(value) {
        const known = shape(value);
        if (!known.every((extent) => typeof extent === "number"))
          refuse(`needs the extents of "${value.name}", which is ${printShape(known)}; give them in "given"`);
        return known as readonly number[];
      },
      contents(index) {
        const input = node.inputs[index];
        if (!input) return null;
        const tensor = work.initializers.get(input) ?? constantOf(nodes, input);
        return tensor ? integersOf(tensor) : null;
      },
      int(name, otherwise) {
        const value = attribute(name);
        return value?.type === "int" ? Number(value.value) : otherwise;
      },
      float(name, otherwise) {
        const value = attribute(name);
        return value?.type === "float"
          ? value.value
          : value?.type === "int"
            ? Number(value.value)
            : otherwise;
      },
      ints(name) {
        const value = attribute(name);
        return value?.type === "ints" ? value.value.map(Number) : null;
      },
      text(name, otherwise) {
        const value = attribute(name);
        return value?.type === "string" ? new TextDecoder().decode(value.value) : otherwise;
      },
      unbroadcast: (gradient, from, to) => unbroadcast(g, gradient, from, to, shape(to)),
      like(gradient, x) {
        const known = shape(x).map((extent) => (typeof extent === "number" ? extent : -1));
        const isFixed = known.filter((extent) => extent === -1).length <= 1 && !known.includes(0);
        return g.reshape(gradient, isFixed ? known : g.shape(x));
      },
      refuse,
    };
    return at;
  }
}

function constantOf(nodes: readonly Node[], value: Value) {
  const attribute = nodes
    .find((node) => node.opType === "Constant" && node.outputs[0] === value)
    ?.attributes.get("value");
  return attribute?.type === "tensor" ? attribute.value : null;
}

function known(node: Node): Op | undefined {
  if (node.domain === "") return OPS[node.opType];
  return node.domain === "com.microsoft" ? MICROSOFT[node.opType] : undefined;
}

function opOf(node: Node): Op {
  const op = known(node);
  if (op) return op;
  const name = node.domain ? `${node.domain}.${node.opType}` : node.opType;
  const remedy = /^(If|Loop|Scan)$/.test(node.opType)
    ? "export the model without control flow, or train only what lies above it"
    : /quantize|Integer|^Q(Linear|Attention|Gemm|Embed|Ordered|MoE)|NBits$|Bnb4$/i.test(node.opType)
      ? "use the float model, or train only what lies above it"
      : "train only what lies above it";
  throw new InputError(`${describe(node)}: ${name} has no gradient; ${remedy}`);
}

function describe(node: Node): string {
  return `node "${node.name || (node.outputs[0]?.name ?? "")}" (${node.opType})`;
}

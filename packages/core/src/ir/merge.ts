import { InputError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { build, emptyGraph } from "./build.ts";
import { cloneNode, type ValueMap } from "./clone.ts";
import type { Attributes, Model, Node, Value } from "./graph.ts";
import { opsetOf } from "./opset.ts";
import { prune } from "./prune.ts";

/** A model to be merged with others, and the names its outputs get, by those they have. */
export interface MergedPart {
  readonly model: Model;
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * One model out of several that have parts in common: inputs of one name are one input, and what computes the
 * same of the same (operator, attributes, inputs, bytes of constants) is there once. So networks with one
 * trunk and different heads become a trunk with heads, and networks whose trunks were trained apart stay side
 * by side. Values keep their names where no other has them. All models must ask for the same operator sets.
 * Throws an InputError where inputs or output names clash.
 */
export function mergeModels(parts: readonly MergedPart[]): Model {
  const [first] = parts;
  if (!first) throw new InputError("there is no model to merge");
  const graph = emptyGraph(first.model.graph.name);
  const b = build(graph);
  const wanted = parts.flatMap(({ outputs }) => Object.values(outputs));
  const twice = wanted.find((name, i) => wanted.indexOf(name) !== i);
  if (twice !== undefined) throw new InputError(`two outputs of the merged model are called "${twice}"`);
  const inputs = new Map<string, Value>();
  for (const { model } of parts)
    for (const input of model.graph.inputs) {
      if (model.graph.initializers.has(input)) continue;
      const known = inputs.get(input.name);
      if (wanted.includes(input.name))
        throw new InputError(`an output cannot be called "${input.name}": that is an input of the network`);
      if (known && typeOf(known) !== typeOf(input))
        throw new InputError(
          `the models take "${input.name}" in different shapes: ${typeOf(known)} and ${typeOf(input)}`,
        );
      if (!known) inputs.set(input.name, b.input(input.name, input.dtype, input.shape));
    }
  for (const name of wanted) b.fresh(name);
  const numbers = new Map<Value, number>();
  const numberOf = (value: Value | null) => {
    if (value === null) return -1;
    if (!numbers.has(value)) numbers.set(value, numbers.size);
    return numbers.get(value)!;
  };
  const constants = new Map<string, { value: Value; tensor: Tensor }[]>();
  const computed = new Map<string, Node>();
  const opset = opsetOf(first.model);
  for (const { model, outputs } of parts) {
    if (opsetOf(model) !== opset)
      throw new InputError(
        `the models ask for operator sets ${opset} and ${opsetOf(model)}; raise the older one first`,
      );
    const values: ValueMap = new Map();
    for (const input of model.graph.inputs)
      if (inputs.has(input.name)) values.set(input, inputs.get(input.name)!);
    for (const [value, tensor] of model.graph.initializers) {
      const same = constants.get(value.name)?.find((one) => isSame(one.tensor, tensor));
      if (same) {
        values.set(value, same.value);
        continue;
      }
      const made = b.constant(tensor, value.name);
      values.set(value, made);
      const list = constants.get(value.name) ?? [];
      list.push({ value: made, tensor });
      constants.set(value.name, list);
    }
    for (const node of model.graph.nodes) {
      const key = keyOf(node, (value) => numberOf(value && (values.get(value) ?? value)));
      const known = key === null ? undefined : computed.get(key);
      if (known) {
        for (const [i, output] of node.outputs.entries()) if (output) values.set(output, known.outputs[i]!);
        continue;
      }
      for (const output of node.outputs)
        if (output) values.set(output, { ...output, name: b.fresh(output.name) });
      const made = cloneNode(node, values);
      if (made.outputs[0]) made.name = made.outputs[0].name;
      graph.nodes.push(made);
      if (key !== null) computed.set(key, made);
    }
    for (const [from, name] of Object.entries(outputs)) {
      const output = model.graph.outputs.find((one) => one.name === from);
      if (!output) throw new InputError(`the model has no output "${from}" to be called "${name}"`);
      const named: Value = { name, dtype: output.dtype, shape: output.shape };
      const source = values.get(output)!;
      graph.nodes.push({
        name,
        opType: "Identity",
        domain: "",
        inputs: [source],
        outputs: [named],
        attributes: new Map(),
      });
      graph.outputs.push(named);
    }
  }
  const opsets = new Map(parts.flatMap(({ model }) => [...model.opsets]));
  const irVersion = Math.max(...parts.map(({ model }) => model.irVersion));
  return { ...first.model, graph: prune(graph), opsets, irVersion };
}

function typeOf({ dtype, shape }: Value): string {
  return `${dtype} [${shape?.join(", ") ?? "?"}]`;
}

function isSame(a: Tensor, b: Tensor): boolean {
  if (a === b || a.data === b.data) return a.shape.join() === b.shape.join();
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join() || a.data.length !== b.data.length)
    return false;
  for (let i = 0; i < a.data.length; i++) if (!Object.is(a.data[i], b.data[i])) return false;
  return true;
}

/**
 * What a node computes of which values; null where it is not looked into (it has graphs inside, or draws at
 * random).
 */
function keyOf(node: Node, numberOf: (value: Value | null) => number): string | null {
  if (/^Random|^Bernoulli$|^Multinomial$|^Dropout$/.test(node.opType)) return null;
  const attributes = attributesKey(node.attributes);
  if (attributes === null) return null;
  const outputs = node.outputs.map((output) => output !== null);
  return JSON.stringify([node.domain, node.opType, attributes, node.inputs.map(numberOf), outputs]);
}

function attributesKey(attributes: Attributes): unknown[] | null {
  const entries: unknown[] = [];
  for (const [name, { type, value }] of [...attributes].sort(([a], [b]) => (a < b ? -1 : 1)))
    switch (type) {
      case "int":
      case "float":
        entries.push([name, type, String(value)]);
        break;
      case "ints":
      case "floats":
      case "string":
        entries.push([name, type, Array.from(value as ArrayLike<unknown>, String)]);
        break;
      case "tensor":
        entries.push([
          name,
          type,
          value.dtype,
          value.shape,
          Array.from(value.data as ArrayLike<unknown>, String),
        ]);
        break;
      default:
        return null;
    }
  return entries;
}

import type { Tensor } from "../tensor.ts";
import type { Attribute, Graph, Model, Shape, Value, ValueType } from "./graph.ts";

/** A model as text for people: versions, inputs, weights and one line a node. */
export function printModel(model: Model): string {
  const opsets = [...model.opsets].map(([domain, version]) => `${domain || "ai.onnx"} ${version}`).join(", ");
  const head = `model  IR ${model.irVersion}, ${opsets}, by ${model.producer.name || "unknown"} ${model.producer.version}`;
  const functions = (model.functions ?? []).map(
    ({ domain, name, inputs, outputs, nodes }) =>
      `function ${domain}.${name}(${names(inputs)}) -> ${names(outputs)}, ${nodes.length} nodes`,
  );
  return [head.trimEnd(), ...functions, printGraph(model.graph)].join("\n");
}

/**
 * A graph as text:
 *
 * graph mlp(x: float32[batch, 2]) -> y
 *   w: float32[2, 3] = 0.5, -1, 2, …
 *   y: float32[batch, 3] = MatMul(x, w)
 */
export function printGraph(graph: Graph, indent = ""): string {
  const lines = [`graph ${graph.name}(${graph.inputs.map(typed).join(", ")}) -> ${names(graph.outputs)}`];
  for (const [value, tensor] of graph.initializers)
    lines.push(`  ${value.name}: ${tensor.dtype}[${tensor.shape.join(", ")}] = ${elements(tensor)}`);
  for (const [value, { shape, values }] of graph.sparseInitializers ?? [])
    lines.push(`  ${value.name}: ${values.dtype}[${shape.join(", ")}] = ${values.shape[0]} of them not zero`);
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((value) => (value ? typed(value) : "_")).join(", ");
    const inputs = node.inputs.map((value) => value?.name ?? "_");
    const attributes: string[] = [];
    const inner: string[] = [];
    for (const [name, attribute] of node.attributes) {
      if (attribute.type === "graph")
        inner.push(`  ${name}: ${printGraph(attribute.value, `${indent}    `)}`);
      else attributes.push(`${name}=${shown(attribute)}`);
    }
    const operator = node.domain ? `${node.domain}.${node.opType}` : node.opType;
    lines.push(
      `  ${outputs} = ${operator}(${[...inputs, ...attributes].join(", ")})`,
      ...inner.map((line) => `  ${line}`),
    );
  }
  return lines.map((line, i) => (i === 0 ? line : indent + line)).join("\n");
}

/** A shape as people write it: [batch, 3, ?]; "?" where nothing is known. */
export function printShape(shape: Shape | null): string {
  return shape ? `[${shape.map((extent) => extent ?? "?").join(", ")}]` : "?";
}

function typed(value: Value): string {
  if (value.type) return `${value.name}: ${printType(value.type)}`;
  if (!value.dtype && !value.shape) return value.name;
  return `${value.name}: ${value.dtype ?? "?"}${value.shape ? printShape(value.shape) : ""}`;
}

function printType(type: ValueType): string {
  switch (type.kind) {
    case "tensor":
    case "sparse":
      return `${type.kind === "sparse" ? "sparse " : ""}${type.dtype ?? "?"}${type.shape ? printShape(type.shape) : ""}`;
    case "sequence":
    case "optional":
      return `${type.kind}(${type.of ? printType(type.of) : "?"})`;
    case "map":
      return `map(${type.key ?? "?"}, ${type.of ? printType(type.of) : "?"})`;
    case "opaque":
      return `${type.domain}.${type.name}`;
    case "unknown":
      return "?";
  }
}

function names(values: readonly Value[]): string {
  return values.map((value) => value.name).join(", ");
}

function shown(attribute: Attribute): string {
  switch (attribute.type) {
    case "float":
    case "int":
      return String(attribute.value);
    case "string":
      return JSON.stringify(new TextDecoder().decode(attribute.value));
    case "floats":
    case "ints":
      return list(attribute.value);
    case "strings":
      return list(attribute.value.map((text) => JSON.stringify(new TextDecoder().decode(text))));
    case "tensor":
      return `${attribute.value.dtype}[${attribute.value.shape.join(", ")}](${elements(attribute.value)})`;
    case "reference":
      return `@${attribute.value}`;
    case "type":
      return printType(attribute.value);
    default:
      return `<${attribute.type}>`;
  }
}

function elements(tensor: Tensor): string {
  const data: ArrayLike<number | bigint | string> = tensor.data;
  const first = Array.from({ length: Math.min(4, data.length) }, (_, i) => {
    const value = data[i]!;
    return String(typeof value === "number" ? Number(value.toPrecision(6)) : value);
  });
  return first.join(", ") + (tensor.data.length > 4 ? ", …" : "");
}

function list(values: readonly unknown[]): string {
  return `[${values.slice(0, 16).join(", ")}${values.length > 16 ? ", …" : ""}]`;
}

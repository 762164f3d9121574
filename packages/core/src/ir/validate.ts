import { InputError } from "../errors.ts";
import { sizeOf } from "../tensor.ts";
import type { Graph, Model, Node, Value } from "./graph.ts";
import { subgraphsOf } from "./order.ts";

/** Types with several elements to a byte. */
const PACKED = new Set(["uint4", "int4", "float4e2m1", "uint2", "int2", "float6e2m3", "float6e3m2"]);

/**
 * Checks what every model must keep: each value is made once and before it is used, outputs are made, tensors
 * fit their shapes, and every domain that a node names is in the model's operator sets. Throws InputError
 * naming the first fault.
 */
export function validate(model: Model): void {
  for (const [domain, version] of model.opsets)
    if (!(Number.isInteger(version) && version > 0))
      throw new InputError(`operator set "${domain}" has the version ${version}; versions count from 1`);
  const domains = new Set(model.opsets.keys());
  for (const { domain } of model.functions ?? []) domains.add(domain);
  validateGraph(model.graph, new Set(), domains);
}

function validateGraph(graph: Graph, outer: ReadonlySet<Value>, domains: ReadonlySet<string>): void {
  const where = `graph "${graph.name}"`;
  const known = new Set(outer);
  const make = (value: Value, by: string) => {
    if (known.has(value))
      throw new InputError(`${where}: the value "${value.name}" is made twice, by ${by} too`);
    known.add(value);
  };
  for (const input of graph.inputs) make(input, "an input");
  for (const [value, tensor] of graph.initializers) {
    if (!graph.inputs.includes(value)) make(value, "an initializer");
    const perElement = tensor.dtype.startsWith("complex") ? 2 : 1;
    if (!PACKED.has(tensor.dtype) && tensor.data.length !== sizeOf(tensor.shape) * perElement)
      throw new InputError(
        `${where}: the initializer "${value.name}" of shape [${tensor.shape.join(", ")}] has ${tensor.data.length} elements`,
      );
  }
  for (const value of graph.sparseInitializers?.keys() ?? []) make(value, "a sparse initializer");
  for (const node of graph.nodes) validateNode(node, known, make, domains, where);
  const outputs = new Set<Value>();
  for (const output of graph.outputs) {
    if (!known.has(output)) throw new InputError(`${where}: nothing makes the output "${output.name}"`);
    if (outputs.has(output)) throw new InputError(`${where}: the output "${output.name}" is listed twice`);
    outputs.add(output);
  }
}

function validateNode(
  node: Node,
  known: ReadonlySet<Value>,
  make: (value: Value, by: string) => void,
  domains: ReadonlySet<string>,
  where: string,
): void {
  const what = `node "${node.name}" (${node.opType})`;
  if (!domains.has(node.domain))
    throw new InputError(
      `${where}: ${what} is of the domain "${node.domain || "ai.onnx"}", for which the model states no operator set`,
    );
  for (const input of node.inputs)
    if (input && !known.has(input))
      throw new InputError(`${where}: ${what} uses "${input.name}", which nothing before it makes`);
  for (const inner of subgraphsOf(node)) validateGraph(inner, known, domains);
  for (const output of node.outputs) if (output) make(output, what);
}

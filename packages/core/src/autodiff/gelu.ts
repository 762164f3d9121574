import type { Graph, Node, Value } from "../ir/graph.ts";
import { producers } from "../ir/prune.ts";

/**
 * Puts one Gelu where a file has its parts, x·½·(1 + erf(x/√2)) with the factors in any order, as exporters
 * write it for operator sets before 20: its gradient as a whole takes 10 passes over memory, that of the
 * parts 14. Only where `depends` has x; the parts become unused.
 */
export function wholeGelus(graph: Graph, depends: ReadonlySet<Value>): void {
  if (!graph.nodes.some(({ opType }) => opType === "Erf")) return;
  const makers = producers(graph);
  const made = (value: Value | null | undefined, opType: string): Node | null => {
    const node = value && makers.get(value);
    return node?.opType === opType && node.domain === "" ? node : null;
  };
  const isNumber = (value: Value | null | undefined, wanted: number): boolean => {
    const attribute = made(value, "Constant")?.attributes.get("value");
    const tensor = attribute?.type === "tensor" ? attribute.value : value && graph.initializers.get(value);
    if (tensor?.data.length !== 1 || (value && depends.has(value))) return false;
    return Math.abs(Number(tensor.data[0]) - wanted) < 1e-5 * wanted;
  };
  /** The other operand of a sum or product with a number. */
  const beside = (node: Node | null, wanted: number): Value | null => {
    const [a, b] = node?.inputs ?? [];
    if (isNumber(b, wanted)) return a!;
    return isNumber(a, wanted) ? b! : null;
  };
  /** x where a value is 1 + erf(x/√2). */
  const within = (value: Value): Value | null => {
    const erf = made(beside(made(value, "Add"), 1), "Erf");
    const scaled = erf?.inputs[0];
    const divided = made(scaled, "Div");
    if (divided && isNumber(divided.inputs[1], Math.SQRT2)) return divided.inputs[0]!;
    return beside(made(scaled, "Mul"), Math.SQRT1_2);
  };
  graph.nodes = graph.nodes.map((node) => {
    if (node.opType !== "Mul" || node.domain !== "") return node;
    const factors = node.inputs.flatMap((input) => made(input, "Mul")?.inputs ?? [input]) as Value[];
    if (factors.length !== 3) return node;
    for (const [i, factor] of factors.entries()) {
      const x = within(factor);
      const [a, b] = factors.filter((_, j) => j !== i);
      const isWhole = x && depends.has(x) && ((a === x && isNumber(b, 0.5)) || (b === x && isNumber(a, 0.5)));
      if (isWhole)
        return {
          name: node.name,
          opType: "Gelu",
          domain: "",
          inputs: [x],
          outputs: node.outputs,
          attributes: new Map(),
        };
    }
    return node;
  });
}

import { float } from "../../ir/build.ts";
import type { Value } from "../../ir/graph.ts";
import type { Formula } from "../formula.ts";
import { swapped } from "../linear.ts";
import { decomposed } from "../op.ts";

// Operators of ONNX Runtime's domain com.microsoft that exports for inference contain, as what they were fused from.

/** x·Φ(x) */
export const Gelu = decomposed((g, at) => [g.op("Gelu", [at.x[0]!])]);
/** Gelu(x + bias) */
export const BiasGelu = decomposed((g, at) => [g.op("Gelu", [g.add(at.x[0]!, at.x[1]!)])]);
/** x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), x with its bias where there is one. */
export const FastGelu = decomposed((g, at) => {
  const x = at.has(1) ? g.add(at.x[0]!, at.x[1]!) : at.x[0]!;
  const inner = g.mul(Math.sqrt(2 / Math.PI), g.mul(x, g.add(1, g.mul(0.044715, g.square(x)))));
  return [g.mul(g.mul(0.5, x), g.add(1, g.tanh(inner)))];
});
/** x·σ(αx) */
export const QuickGelu = decomposed((g, at) => {
  const [x] = at.x as [Value];
  return [g.mul(x, g.sigmoid(g.mul(at.float("alpha", 1.702), x)))];
});
/** α·A′·B′ */
export const FusedMatMul = decomposed((g, at) => {
  const [a, b] = at.x as [Value, Value];
  const turned = (value: Value, name: string) =>
    at.int(name, 0) ? swapped(g, value, at.rank(value)) : value;
  for (const name of ["transBatchA", "transBatchB"])
    if (at.int(name, 0)) at.refuse(`with ${name} has no gradient rule`);
  const product = g.matmul(turned(a, "transA"), turned(b, "transB"));
  const alpha = at.float("alpha", 1);
  return [alpha === 1 ? product : g.mul(alpha, product)];
});
/** A convolution or product with its activation. */
export const FusedConv = decomposed((g, at) => {
  const attributes = Object.fromEntries(
    [...at.node.attributes].filter(([name]) => !name.startsWith("activation")),
  );
  if (at.has(3)) at.refuse("adds a fourth input, which has no gradient rule");
  const y = g.op("Conv", at.node.inputs, attributes);
  return [activated(g, y, at.text("activation", ""), at.refuse)];
});
export const FusedGemm = decomposed((g, at) => {
  const attributes = Object.fromEntries(
    [...at.node.attributes].filter(([name]) => !name.startsWith("activation")),
  );
  const { alpha, beta, ...rest } = attributes;
  const y = g.op("Gemm", at.node.inputs, { ...rest, alpha: alpha ?? float(1), beta: beta ?? float(1) });
  return [activated(g, y, at.text("activation", ""), at.refuse)];
});

function activated(g: Formula, y: Value, name: string, refuse: (what: string) => never): Value {
  if (name === "") return y;
  if (["Relu", "Tanh", "Sigmoid"].includes(name)) return g.op(name, [y]);
  return refuse(`has the activation ${name}, which has no gradient rule`);
}

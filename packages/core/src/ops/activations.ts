import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { decomposed, type Lowered, type Op, rule, type Site, unary, variadic } from "./op.ts";

export const Relu = unary((g, { y, dy }) => g.mul(dy, g.greater(y, 0)));
export const LeakyRelu = unary((g, { x, dy, at }) =>
  g.where(g.op("Greater", [x, 0]), dy, g.mul(dy, at.float("alpha", 0.01))),
);
export const PRelu = variadic((g, { x: [x, slope], dy }) => {
  const positive = g.op("Greater", [x!, 0]);
  return [() => g.where(positive, dy, g.mul(dy, slope!)), () => g.where(positive, 0, g.mul(dy, x!))];
});
export const ThresholdedRelu = unary((g, { x, dy, at }) => g.mul(dy, g.greater(x, at.float("alpha", 1))));
/** y = x ± bias beyond ±λ, 0 between. */
export const Shrink = unary((g, { x, dy, at }) =>
  g.mul(dy, g.greater(g.op("Abs", [x]), at.float("lambd", 0.5))),
);
export const Sigmoid = unary((g, { y, dy }) => g.mul(dy, g.mul(y, g.sub(1, y))));
export const Tanh = unary((g, { y, dy }) => g.mul(dy, g.sub(1, g.square(y))));
export const Softsign = unary((g, { x, dy }) => g.div(dy, g.square(g.add(1, g.op("Abs", [x])))));
export const Softplus = unary((g, { x, dy }) => g.mul(dy, g.sigmoid(x)));
/** y = max(0, min(1, αx + β)) */
export const HardSigmoid = unary((g, { y, dy, at }) =>
  g.mul(g.mul(dy, at.float("alpha", 0.2)), g.mul(g.greater(y, 0), g.less(y, 1))),
);
/** y = x·max(0, min(1, x/6 + 1/2)): 0 below −3, 1 above 3, x/3 + 1/2 between. */
export const HardSwish = unary((g, { x, dy }) => {
  const middle = g.add(g.div(x, 3), 0.5);
  return g.mul(dy, g.where(g.op("Less", [x, -3]), 0, g.where(g.op("Greater", [x, 3]), 1, middle)));
});
/** y = α(eˣ − 1) below 0 */
export const Elu = unary((g, { x, y, dy, at }) =>
  g.where(g.op("Greater", [x, 0]), dy, g.mul(dy, g.add(y, at.float("alpha", 1)))),
);
/** y = γα(eˣ − 1) below 0, γx above. */
export const Selu = unary((g, { x, y, dy, at }) => {
  const alpha = at.float("alpha", 1.6732631921768188);
  const gamma = at.float("gamma", 1.0507010221481323);
  return g.mul(dy, g.where(g.op("Greater", [x, 0]), gamma, g.add(y, alpha * gamma)));
});
/** y = α(exp(x/α) − 1) below 0 */
export const Celu = unary((g, { x, dy, at }) =>
  g.where(g.op("Greater", [x, 0]), dy, g.mul(dy, g.exp(g.div(x, at.float("alpha", 1))))),
);
/** y = x·tanh(s), s = ln(1 + eˣ); y′ = tanh(s) + x·(1 − tanh²(s))·σ(x) */
export const Mish = unary((g, { x, dy }) => {
  const t = g.tanh(g.op("Softplus", [x]));
  return g.mul(dy, g.add(t, g.mul(g.mul(x, g.sigmoid(x)), g.sub(1, g.square(t)))));
});
/** x·σ(αx) of operator set 24, in operators that runtimes before it have as well. */
export const Swish = decomposed((g, at) => {
  const [x] = at.x as [Value];
  const alpha = at.float("alpha", 1);
  return [g.mul(x, g.sigmoid(alpha === 1 ? x : g.mul(alpha, x)))];
});
/**
 * Φ(x) + x·φ(x), or the same of its tanh approximation (Hendrycks and Gimpel 2016,
 * https://arxiv.org/abs/1606.08415).
 */
export const Gelu: Op = {
  ...unary((g, { x, dy, at }) =>
    at.text("approximate", "none") === "tanh" ? geluTanh(g, x, dy) : geluErf(g, x).gradient(dy)[0]!,
  ),
  lower: (g, at) => (at.text("approximate", "none") === "tanh" ? null : geluErf(g, at.x[0]!)),
};

/**
 * y·(dy − Σ dy·y). Where all that reads y is a product z = y·V, the sum is Σ dz·z over fewer numbers (Dao et
 * al. 2022, https://arxiv.org/abs/2205.14135, appendix B).
 */
export const Softmax = rule((g, at) => {
  const { y, dy } = at;
  const axes = classAxes(g, at);
  const rank = at.rank(y);
  const last = axes.length === 1 && [-1, rank - 1].includes(axes[0]!);
  const reader = last ? at.reader() : null;
  const isProduct =
    reader?.node.opType === "MatMul" &&
    reader.node.inputs[0] === y &&
    at.rank(reader.node.inputs[1]!) > 1 &&
    at.shape(reader.y).slice(0, -1).join() === at.shape(y).slice(0, -1).join() &&
    !at.shape(y).includes(null);
  const sum = isProduct ? g.sum(g.mul(reader.dy, reader.y), [-1]) : g.sum(g.mul(dy, y), axes);
  return [g.mul(y, g.sub(dy, sum))];
});
/** dy − eʸ·Σ dy */
export const LogSoftmax = rule((g, at) => {
  const { y, dy } = at;
  return [g.sub(dy, g.mul(g.exp(y), g.sum(dy, classAxes(g, at))))];
});

/** Appends y = x·Φ(x), Φ(x) = (1 + erf(u))/2, u = x/√2; φ(x) = exp(−u²)/√(2π), the factor taken into the exponent. */
function geluErf(g: Formula, x: Value): Lowered {
  const u = g.mul(x, Math.SQRT1_2);
  const erf = g.op("Erf", [u]);
  // In one pass, where the runtime has the kernel.
  const distribution =
    g.dtype === "float32" ? g.op("HardSigmoid", [erf], { alpha: 0.5, beta: 0.5 }) : g.mul(0.5, g.add(1, erf));
  g.mul(x, distribution);
  return {
    gradient(dy) {
      const density = g.exp(g.sub(-Math.log(Math.sqrt(2 * Math.PI)), g.square(u)));
      return [g.mul(dy, g.add(distribution, g.mul(x, density)))];
    },
  };
}

function geluTanh(g: Formula, x: Value, dy: Value) {
  const c = Math.sqrt(2 / Math.PI);
  const squared = g.square(x);
  const t = g.tanh(g.mul(c, g.mul(x, g.add(1, g.mul(0.044715, squared)))));
  const inner = g.mul(c, g.add(1, g.mul(3 * 0.044715, squared)));
  const slope = g.mul(g.mul(0.5, g.mul(x, g.sub(1, g.square(t)))), inner);
  return g.mul(dy, g.add(g.mul(0.5, g.add(1, t)), slope));
}

/** From operator set 13 one axis; before, all axes from it on. */
function classAxes(g: Formula, at: Site): readonly number[] {
  const rank = at.rank(at.y);
  const axis = at.int("axis", g.opset >= 13 ? -1 : 1);
  if (g.opset >= 13) return [axis];
  const from = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - from }, (_, i) => from + i);
}

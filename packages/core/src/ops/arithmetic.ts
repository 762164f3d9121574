import { binary, constantOp, rule, unary, variadic } from "./op.ts";

// Elementwise arithmetic. x, a, b: inputs; y: output; dy: the gradient of the loss with respect to it.

export const Add = binary((_, { dy }) => [dy, dy]);
export const Sub = binary((g, { dy }) => [dy, () => g.neg(dy)]);
export const Mul = binary((g, { a, b, dy }) => [() => g.mul(dy, b), () => g.mul(dy, a)]);
export const Div = binary((g, { b, y, dy }) => [() => g.div(dy, b), () => g.neg(g.div(g.mul(dy, y), b))]);
/** b·a^(b−1) and aᵇ·ln a; the second is taken as 0 where a ≤ 0, as PyTorch does at 0. */
export const Pow = binary((g, { a, b: given, y, dy, at }) => {
  const b = at.dtype(given) === g.dtype ? given : g.number(given); // exponents may be integers
  return [
    () => g.mul(dy, g.mul(b, g.pow(a, g.sub(b, 1)))),
    () => g.mul(dy, g.mul(y, g.log(g.where(g.op("Greater", [a, 0]), a, 1)))),
  ];
});
/** Where several inputs are the least, each has the whole gradient's equal share. */
export const Min = variadic((g, at) => shares(g, at));
export const Max = variadic((g, at) => shares(g, at));
export const Sum = variadic((_, { x, dy }) => x.map(() => dy));
export const Mean = variadic((g, { x, dy }) => x.map(() => () => g.div(dy, x.length)));
/** The remainder's derivative by the dividend is 1; by the divisor it is −⌊a/b⌋ and not given. */
export const Mod = binary((_, { dy, at }) => [dy, () => at.refuse("has no gradient for the divisor")]);
export const Where = variadic((g, { x: [condition], dy }) => [
  null,
  () => g.where(condition!, dy, 0),
  () => g.where(condition!, 0, dy),
]);

export const Identity = unary((_, { dy }) => dy);
export const Neg = unary((g, { dy }) => g.neg(dy));
export const Abs = unary((g, { x, dy }) => g.mul(dy, g.sign(x)));
export const Reciprocal = unary((g, { y, dy }) => g.neg(g.mul(dy, g.square(y))));
export const Sqrt = unary((g, { y, dy }) => g.div(dy, g.mul(2, y)));
export const Exp = unary((g, { y, dy }) => g.mul(dy, y));
export const Log = unary((g, { x, dy }) => g.div(dy, x));
export const Sin = unary((g, { x, dy }) => g.mul(dy, g.cos(x)));
export const Cos = unary((g, { x, dy }) => g.neg(g.mul(dy, g.sin(x))));
export const Tan = unary((g, { y, dy }) => g.mul(dy, g.add(1, g.square(y))));
export const Asin = unary((g, { x, dy }) => g.div(dy, g.sqrt(g.sub(1, g.square(x)))));
export const Acos = unary((g, { x, dy }) => g.neg(g.div(dy, g.sqrt(g.sub(1, g.square(x))))));
export const Atan = unary((g, { x, dy }) => g.div(dy, g.add(1, g.square(x))));
export const Asinh = unary((g, { x, dy }) => g.div(dy, g.sqrt(g.add(1, g.square(x)))));
export const Acosh = unary((g, { x, dy }) => g.div(dy, g.sqrt(g.sub(g.square(x), 1))));
export const Atanh = unary((g, { x, dy }) => g.div(dy, g.sub(1, g.square(x))));
export const Sinh = unary((g, { x, dy }) => g.mul(dy, g.op("Cosh", [x])));
export const Cosh = unary((g, { x, dy }) => g.mul(dy, g.op("Sinh", [x])));
/** 2/√π · exp(−x²), the factor taken into the exponent. */
export const Erf = unary((g, { x, dy }) =>
  g.mul(dy, g.exp(g.sub(Math.log(2 / Math.sqrt(Math.PI)), g.square(x)))),
);
/**
 * The gradient passes strictly inside the bounds; seen on y, so that x need not be kept (Where is slow,
 * products are not).
 */
export const Clip = rule((g, at) => {
  const low = at.has(1) ? at.x[1]! : at.float("min", Number.NEGATIVE_INFINITY);
  const high = at.has(2) ? at.x[2]! : at.float("max", Number.POSITIVE_INFINITY);
  const isAbove = low === Number.NEGATIVE_INFINITY ? null : g.op("Greater", [at.y, low]);
  const isBelow = high === Number.POSITIVE_INFINITY ? null : g.op("Less", [at.y, high]);
  const isInside = isAbove && isBelow ? g.op("And", [isAbove, isBelow]) : (isAbove ?? isBelow);
  const bound = () => at.refuse("has no gradient for its bounds; keep them constant");
  return [isInside ? g.mul(at.dy, g.number(isInside)) : at.dy, bound, bound];
});
export const Cast = rule((g, { x: [x], dy }) => [x!.dtype === dy.dtype ? dy : g.op("CastLike", [dy, x!])]);
export const CastLike = rule((g, { x: [x], dy }) => [g.op("CastLike", [dy, x!]), null]);
/** Off, it passes everything; on, what the mask kept, divided by the share kept. Whether it is on may be fed. */
export const Dropout = rule((g, at) => {
  if (!at.has(2)) return [at.dy, null, null];
  const ratio = at.has(1) ? g.op("CastLike", [at.x[1]!, at.dy]) : 0.5;
  const scale = g.where(at.x[2]!, g.div(1, g.sub(1, ratio)), 1);
  return [g.mul(g.mul(at.dy, g.number(at.output(1))), scale), null, null];
});

export const Sign = constantOp;
export const Floor = constantOp;
export const Ceil = constantOp;
export const Round = constantOp;
export const Equal = constantOp;
export const Greater = constantOp;
export const GreaterOrEqual = constantOp;
export const Less = constantOp;
export const LessOrEqual = constantOp;
export const And = constantOp;
export const Or = constantOp;
export const Xor = constantOp;
export const Not = constantOp;
export const IsNaN = constantOp;
export const IsInf = constantOp;
export const ArgMax = constantOp;
export const ArgMin = constantOp;
export const Shape = constantOp;
export const Size = constantOp;
export const ConstantOfShape = constantOp;
export const NonZero = constantOp;
export const OneHot = constantOp;
export const Hardmax = constantOp;
export const Constant = constantOp;
export const Range = constantOp;

function shares(g: Parameters<Parameters<typeof rule>[0]>[0], at: Parameters<Parameters<typeof rule>[0]>[1]) {
  const { x, y, dy } = at;
  if (x.length === 1) return [dy];
  const winners = x.map((one) => g.equal(one, y));
  const count = winners.reduce((a, b) => g.add(a, b));
  return winners.map((won) => () => g.div(g.mul(dy, won), count));
}

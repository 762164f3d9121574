import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { type Op, rule, type Site } from "./op.ts";

interface Reduced {
  readonly x: Value;
  /** The output and its gradient with the reduced axes kept as 1. */
  readonly y: Value;
  readonly dy: Value;
  /** A value with the reduced axes as 1, repeated along them. */
  spread(value: Value): Value;
  /** How many elements make one of the output, where that is known. */
  readonly count: number | null;
  /** The same elements reduced by another operator, with the axes kept. */
  reduced(opType: string, of: Value): Value;
}

export const ReduceSum = reduction((_, { dy, spread }) => spread(dy));
export const ReduceMean = reduction((g, { x, y, dy, spread, count }) => {
  if (count) return spread(g.mul(1 / count, dy));
  return spread(g.div(dy, g.div(g.number(g.op("Size", [x])), g.number(g.op("Size", [y])))));
});
/** Equal extremes share the gradient. */
export const ReduceMax = reduction(shared);
export const ReduceMin = reduction(shared);
export const ReduceL1 = reduction((g, { x, dy }) => g.mul(dy, g.sign(x)));
export const ReduceL2 = reduction((g, { x, y, dy }) => g.mul(dy, g.div(x, y)));
export const ReduceSumSquare = reduction((g, { x, dy }) => g.mul(dy, g.mul(2, x)));
export const ReduceLogSum = reduction((g, { y, dy, spread }) => spread(g.mul(dy, g.exp(g.neg(y)))));
export const ReduceLogSumExp = reduction((g, { x, y, dy }) => g.mul(dy, g.exp(g.sub(x, y))));
/**
 * The product of the others: y/x; beside a single zero it has the product of the rest, and more zeros leave
 * nothing.
 */
export const ReduceProd = reduction((g, { x, dy, reduced }) => {
  const zero = g.equal(x, 0);
  const zeros = reduced("ReduceSum", zero);
  const filled = g.add(x, zero);
  const rest = reduced("ReduceProd", filled);
  const besideZero = g.mul(g.mul(zero, g.equal(zeros, 1)), rest);
  return g.mul(dy, g.where(g.op("Equal", [zeros, 0]), g.div(rest, filled), besideZero));
});

function shared(g: Formula, { x, y, dy, reduced }: Reduced): Value {
  const isExtreme = g.equal(x, y);
  return g.mul(isExtreme, g.div(dy, reduced("ReduceSum", isExtreme)));
}

function reduction(formula: (g: Formula, terms: Reduced) => Value): Op {
  return rule((g, at) => {
    const axes = axesOf(at);
    const kept = (value: Value) =>
      at.int("keepdims", 1) === 1 || axes.length === 0 ? value : g.unsqueeze(value, axes);
    const reduced = (opType: string, of: Value) =>
      axes.length === 0 ? of : g.reduce(opType, of, axes, true);
    const x = at.x[0]!;
    const shape = at.shape(x);
    const isFixed = shape.every((extent) => typeof extent === "number");
    const spread = (value: Value) => g.expand(value, isFixed ? (shape as number[]) : g.shape(x));
    const lengths = axes.map((axis) => shape[axis]);
    const count = lengths.every((length) => typeof length === "number")
      ? lengths.reduce((product, length) => product * length, 1)
      : null;
    return [formula(g, { x, y: kept(at.y), dy: kept(at.dy), reduced, spread, count }), null];
  });
}

/** The axes that are reduced, in order. */
function axesOf(at: Site): readonly number[] {
  const rank = at.rank(at.x[0]!);
  const axes = at.ints("axes") ?? at.contents(1);
  if (at.has(1) && !axes) at.refuse("reduces over axes that are no constant");
  const isAll = at.int("noop_with_empty_axes", 0) === 0;
  if (!axes?.length) return isAll ? Array.from({ length: rank }, (_, axis) => axis) : [];
  return axes.map((axis) => (axis + rank) % rank).sort((a, b) => a - b);
}

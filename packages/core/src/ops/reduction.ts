import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { type Op, rule, type Site } from "./op.ts";

interface Reduced {
  readonly x: Value;
  /** The output and its gradient with the reduced axes kept as 1. */
  readonly y: Value;
  readonly dy: Value;
  /** The same elements reduced by another operator, with the axes kept. */
  reduced(opType: string, of: Value): Value;
}

export const ReduceSum = reduction((g, { x, dy }) => g.expand(dy, g.shape(x)));
export const ReduceMean = reduction((g, { x, y, dy }) => {
  const count = g.div(g.number(g.op("Size", [x])), g.number(g.op("Size", [y])));
  return g.expand(g.div(dy, count), g.shape(x));
});
/** Equal extremes share the gradient. */
export const ReduceMax = reduction(shared);
export const ReduceMin = reduction(shared);
export const ReduceL1 = reduction((g, { x, dy }) => g.mul(dy, g.sign(x)));
export const ReduceL2 = reduction((g, { x, y, dy }) => g.mul(dy, g.div(x, y)));
export const ReduceSumSquare = reduction((g, { x, dy }) => g.mul(dy, g.mul(2, x)));
export const ReduceLogSum = reduction((g, { x, y, dy }) => g.expand(g.mul(dy, g.exp(g.neg(y))), g.shape(x)));
export const ReduceLogSumExp = reduction((g, { x, y, dy }) => g.mul(dy, g.exp(g.sub(x, y))));
/** The product of the others: y/x; beside a single zero it has the product of the rest, and more zeros leave nothing. */
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
    return [formula(g, { x: at.x[0]!, y: kept(at.y), dy: kept(at.dy), reduced }), null];
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

import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { type Op, rule, type Site } from "./op.ts";

interface Reduced {
  readonly x: Value;
  /** The output and its gradient with the reduced axes kept as 1. */
  readonly y: Value;
  readonly dy: Value;
}

export const ReduceSum = reduction((g, { x, dy }) => g.expand(dy, g.shape(x)));
export const ReduceMean = reduction((g, { x, y, dy }) => {
  const count = g.div(g.number(g.op("Size", [x])), g.number(g.op("Size", [y])));
  return g.expand(g.div(dy, count), g.shape(x));
});
/** Equal extremes have the whole gradient each. */
export const ReduceMax = reduction((g, { x, y, dy }) => g.mul(dy, g.equal(x, y)));
export const ReduceMin = reduction((g, { x, y, dy }) => g.mul(dy, g.equal(x, y)));
export const ReduceL1 = reduction((g, { x, dy }) => g.mul(dy, g.sign(x)));
export const ReduceL2 = reduction((g, { x, y, dy }) => g.mul(dy, g.div(x, y)));
export const ReduceSumSquare = reduction((g, { x, dy }) => g.mul(dy, g.mul(2, x)));
export const ReduceLogSum = reduction((g, { x, y, dy }) => g.expand(g.mul(dy, g.exp(g.neg(y))), g.shape(x)));
export const ReduceLogSumExp = reduction((g, { x, y, dy }) => g.mul(dy, g.exp(g.sub(x, y))));
/** y/x; not for products with a zero in them. */
export const ReduceProd = reduction((g, { x, y, dy }) => g.div(g.mul(dy, y), x));

function reduction(formula: (g: Formula, terms: Reduced) => Value): Op {
  return rule((g, at) => {
    const kept = keep(g, at);
    return [formula(g, { x: at.x[0]!, y: kept(at.y), dy: kept(at.dy) }), null];
  });
}

function keep(g: Formula, at: Site): (value: Value) => Value {
  if (at.int("keepdims", 1) === 1) return (value) => value;
  const rank = at.rank(at.x[0]!);
  const axes = at.ints("axes") ?? at.contents(1);
  if (at.has(1) && !axes) at.refuse("reduces over axes that are no constant");
  const all = Array.from({ length: rank }, (_, axis) => axis);
  const noop = at.int("noop_with_empty_axes", 0) === 1;
  const reduced = axes?.length ? axes.map((axis) => (axis + rank) % rank) : noop ? [] : all;
  return (value) =>
    reduced.length
      ? g.unsqueeze(
          value,
          [...reduced].sort((a, b) => a - b),
        )
      : value;
}

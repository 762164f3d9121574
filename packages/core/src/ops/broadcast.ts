import { InputError } from "../errors.ts";
import type { Shape, Value } from "../ir/graph.ts";
import { printShape } from "../ir/print.ts";
import type { Formula } from "./formula.ts";

/** A gradient in the shape `from`, summed over what broadcasting `to` (of shape `toShape`) to it repeated. */
export function unbroadcast(g: Formula, gradient: Value, from: Shape, to: Value, toShape: Shape): Value {
  const added = from.length - toShape.length;
  const axes: number[] = [];
  for (const [axis, extent] of from.entries()) {
    if (axis < added) axes.push(axis);
    else {
      const own = toShape[axis - added]!;
      if (own === extent && own !== null) continue;
      if (own === 1) axes.push(axis);
      else if (own === null || (extent === null && typeof own !== "number"))
        throw new InputError(
          `"${to.name}" of shape ${printShape(toShape)} is broadcast to ${printShape(from)}: whether it is repeated is not known; give the shapes of the inputs`,
        );
    }
  }
  if (axes.length === 0) return gradient;
  const summed = sumOfRows(g, gradient, from, axes) ?? g.sum(gradient, axes, false);
  const kept = toShape.filter((_, axis) => !axes.includes(axis + added));
  return kept.length === toShape.length
    ? summed
    : g.unsqueeze(
        summed,
        toShape.map((_, axis) => axis).filter((axis) => axes.includes(axis + added)),
      );
}

/**
 * From so many rows on a product with ones beats ReduceSum, whose threads get in each other's way (3 times
 * with two).
 */
const MANY_ROWS = 64;

/**
 * The sum over the first axes as one product with a row of ones; null for other axes, few rows, or an unknown
 * number.
 */
function sumOfRows(g: Formula, value: Value, from: Shape, axes: readonly number[]): Value | null {
  if (!from.every((extent) => typeof extent === "number") || axes.length === from.length) return null;
  if (axes.some((axis, i) => axis !== i) || !/^float(32|64)$/.test(g.dtype)) return null;
  const product = (extents: Shape) => (extents as number[]).reduce((all, extent) => all * extent, 1);
  const [rows, kept] = [product(from.slice(0, axes.length)), from.slice(axes.length) as number[]];
  if (rows < MANY_ROWS || product(kept) === 0) return null;
  const matrix = from.length === 2 ? value : g.reshape(value, [rows, product(kept)]);
  return g.reshape(g.op("Gemm", [g.fill(1, [1, rows]), matrix]), kept);
}

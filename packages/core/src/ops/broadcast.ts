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
  const summed = g.sum(gradient, axes, false);
  const kept = toShape.filter((_, axis) => !axes.includes(axis + added));
  return kept.length === toShape.length
    ? summed
    : g.unsqueeze(
        summed,
        toShape.map((_, axis) => axis).filter((axis) => axes.includes(axis + added)),
      );
}

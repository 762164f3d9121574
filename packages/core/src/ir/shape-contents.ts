import { type Extent, over, times } from "./extents.ts";
import type { RuleContext } from "./shapes.ts";

/** Contents pass through Identity alone. */
export function keptContents(context: RuleContext): readonly Extent[] | null {
  return context.node.opType === "Identity" ? context.contents(0) : null;
}

/** Elementwise arithmetic on shapes. */
export function arithmetic(context: RuleContext): readonly Extent[] | null {
  return paired(context, (left, right) => {
    const numbers = typeof left === "number" && typeof right === "number";
    switch (context.node.opType) {
      case "Mul":
        return times(left, right);
      case "Div":
        return numbers ? Math.trunc(left / right) : over(left, right);
      case "Mod":
        return numbers && left >= 0 && right > 0 ? left % right : null;
      case "Add":
        return numbers ? left + right : null;
      case "Sub":
        return numbers ? left - right : null;
      default:
        return null;
    }
  });
}

/** A function of two inputs' elements, one of which may be a single one. */
export function paired(
  context: RuleContext,
  of: (left: Extent, right: Extent) => Extent,
): readonly Extent[] | null {
  const [a, b] = [context.contents(0), context.contents(1)];
  if (!a || !b || context.inputs.length !== 2) return null;
  const length = Math.max(a.length, b.length);
  if ((a.length !== length && a.length !== 1) || (b.length !== length && b.length !== 1)) return null;
  return Array.from({ length }, (_, i) => of(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!));
}

/** Whether two extents are equal, 1 or 0. A symbol stands for a length, which no negative number is. */
export function sameExtent(left: Extent, right: Extent): Extent {
  if (left === null || right === null) return null;
  if (left === right) return 1;
  if (typeof left === "number" && typeof right === "number") return 0;
  return [left, right].some((one) => typeof one === "number" && one < 0) ? 0 : null;
}

/** Where on extents: as exporters write "-1 keeps the extent" for Expand. */
export function selected(context: RuleContext): readonly Extent[] | null {
  const [condition, a, b] = [context.contents(0), context.contents(1), context.contents(2)];
  if (!condition || a?.length !== condition.length || b?.length !== condition.length) return null;
  return condition.map((one, i) => (one === null ? null : one ? a[i]! : b[i]!));
}

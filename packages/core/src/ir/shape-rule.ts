import type { Extent } from "./extents.ts";
import type { Shape } from "./graph.ts";
import type { Inferred, Rule, RuleContext, RuleResult } from "./shapes.ts";

/** A rule under several names. */
export function forEach(names: string, rule: Rule): Record<string, Rule> {
  return Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, rule]),
  );
}

/** A rule's answer of one output, with its contents where it is a small array of whole numbers. */
export function first(output: Inferred | null, contents: readonly Extent[] | null = null): RuleResult {
  return { outputs: [output], contents };
}

/** A shape of known rank alone. */
export function unknown(rank: number): Shape {
  return Array(rank).fill(null);
}

/** An axis counted from the front. */
export function atAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Axes as attribute or as input; null where all are meant, undefined where they are not known. */
export function axesOf(context: RuleContext, index: number): readonly number[] | null | undefined {
  const attribute = context.ints("axes");
  if (attribute) return attribute;
  if (!context.node.inputs[index]) return null;
  const contents = context.contents(index);
  return contents?.every((axis) => typeof axis === "number") ? (contents as number[]) : undefined;
}

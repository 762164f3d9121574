import type { Value } from "../ir/graph.ts";

/** The values that a name can mean inside a graph: its own, then those of the graphs around it. */
export interface Scope {
  readonly values: Map<string, Value>;
  readonly outer: Scope | null;
}

export function lookUp(scope: Scope, name: string): Value | null {
  for (let at: Scope | null = scope; at; at = at.outer) {
    const value = at.values.get(name);
    if (value) return value;
  }
  return null;
}

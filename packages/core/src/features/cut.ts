import { InputError } from "../errors.ts";
import { cloneModel } from "../ir/clone.ts";
import type { Model, Value } from "../ir/graph.ts";
import { prune } from "../ir/prune.ts";

/**
 * The part of a model that computes one value, which becomes its only output; inputs it does not need are
 * gone. A layer is named by its value, or by the node that makes it. Throws an InputError with the nearest
 * names where there is none.
 */
export function cutAt(model: Model, layer: string): Model {
  const copy = cloneModel(model);
  copy.graph.outputs = [valueNamed(copy, layer)];
  copy.graph = prune(copy.graph, { inputs: true });
  return copy;
}

function valueNamed(model: Model, layer: string): Value {
  const made = model.graph.nodes.flatMap((node) => node.outputs.filter((output) => output !== null));
  const found =
    made.find((value) => value.name === layer) ??
    model.graph.nodes.find((node) => node.name === layer)?.outputs.find((output) => output !== null);
  if (found) return found;
  const near = nearest(
    layer,
    made.map((value) => value.name),
  );
  const hint = near.length > 0 ? `; near it are ${near.map((name) => `"${name}"`).join(", ")}` : "";
  throw new InputError(`the network has no layer "${layer}"${hint}; \`graft layers\` lists them`);
}

/** The names most like `name`, nearest first, at most `count`: by edit distance, letters' case aside. */
export function nearest(name: string, names: readonly string[], count = 3): string[] {
  const wanted = name.toLowerCase().slice(0, 200);
  return [...new Set(names)]
    .map((other) => ({ other, distance: editDistance(wanted, other.toLowerCase().slice(0, 200)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ other }) => other);
}

/** Levenshtein's distance: insertions, deletions and replacements that make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const line = [i];
    for (let j = 1; j <= b.length; j++)
      line.push(Math.min(above[j]! + 1, line[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    above = line;
  }
  return above[b.length]!;
}

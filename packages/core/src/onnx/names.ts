import { InputError } from "../errors.ts";
import type { Graph, Value } from "../ir/graph.ts";

/**
 * Names for a file, where values are told apart by name alone. A value keeps its own unless another value in
 * sight has it: then the inner one is numbered. Inputs and outputs of the model always keep theirs.
 */
export interface Names {
  /** Gives every value that `graph` makes a name; call the result to forget them again. */
  enter(graph: Pick<Graph, "inputs" | "outputs" | "nodes"> & Partial<Graph>): () => void;
  /** The name of a value; an InputError names `user` where nothing makes the value. */
  of(value: Value, user: string): string;
  /** The name of a value, null where nothing in sight makes it. */
  known(value: Value): string | null;
}

export function names(): Names {
  const nameOf = new Map<Value, string>();
  const taken = new Set<string>();
  let depth = 0;
  const assign = (value: Value, added: Value[], fixed: boolean) => {
    if (nameOf.has(value)) return;
    const stem = value.name || "value";
    if (fixed && (value.name === "" || taken.has(value.name)))
      throw new InputError(
        `two inputs or outputs of the graph are called "${value.name}"; rename one of them before writing`,
      );
    let name = stem;
    for (let count = 1; taken.has(name); count++) name = `${stem}_${count}`;
    nameOf.set(value, name);
    taken.add(name);
    added.push(value);
  };
  return {
    enter(graph) {
      const added: Value[] = [];
      const made = new Set<Value>(graph.inputs);
      for (const value of graph.initializers?.keys() ?? []) made.add(value);
      for (const value of graph.sparseInitializers?.keys() ?? []) made.add(value);
      for (const node of graph.nodes)
        for (const output of node.outputs) {
          if (output && made.has(output))
            throw new InputError(
              `the value "${output.name}" is made twice, the second time by ${node.opType}`,
            );
          if (output) made.add(output);
        }
      for (const value of [...graph.inputs, ...graph.outputs])
        if (made.has(value)) assign(value, added, depth === 0);
      for (const value of made) assign(value, added, false);
      depth++;
      return () => {
        depth--;
        for (const value of added) {
          taken.delete(nameOf.get(value)!);
          nameOf.delete(value);
        }
      };
    },
    known: (value) => nameOf.get(value) ?? null,
    of(value, user) {
      const name = nameOf.get(value);
      if (name === undefined)
        throw new InputError(`${user} uses the value "${value.name}", which nothing in the graph makes`);
      return name;
    },
  };
}

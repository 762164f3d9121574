import { cloneModel, type Model } from "@graft-ml/core";

/**
 * A copy in which every constant that the trunk has not is called `heads.TASK.…`, so that no two tasks share
 * a head.
 */
export function withHeadNames(model: Model, trunk: Model, task: string): Model {
  const copy = cloneModel(model);
  const shared = new Set([...trunk.graph.initializers.keys()].map(({ name }) => name));
  for (const value of copy.graph.initializers.keys())
    if (!shared.has(value.name) && !value.name.startsWith(`heads.${task}.`))
      value.name = `heads.${task}.${value.name}`;
  return copy;
}

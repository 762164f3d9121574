import {
  type Model,
  type Parameters,
  type Runtime,
  type Session,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import { takingOwn } from "../runtime/index.ts";

/** A network whose parameters are changed without loading it anew. */
export interface BoundNetwork {
  /** Its inputs are the network's own; more feeds than it takes are left aside. */
  readonly session: Session;
  /** Takes on the parameters that are its. */
  set(parameters: Parameters): Promise<void>;
}

/** Loads a network with the parameters of these names as inputs, which are bound. The model is changed. */
export async function boundNetwork(
  model: Model,
  changing: ReadonlySet<string>,
  runtime: Runtime,
): Promise<BoundNetwork> {
  const { graph } = model;
  const start = new Map<string, Tensor>();
  for (const [value, tensor] of [...graph.initializers]) {
    if (!changing.has(value.name)) continue;
    start.set(value.name, tensor);
    graph.initializers.delete(value);
    Object.assign(value, { dtype: tensor.dtype, shape: tensor.shape });
    if (!graph.inputs.includes(value)) graph.inputs.push(value);
  }
  const session = await runtime.load(writeModel(model));
  await session.bind(Object.fromEntries(start));
  return {
    session: takingOwn(
      session,
      session.inputNames.filter((name) => !start.has(name)),
    ),
    set: (parameters) =>
      session.bind(Object.fromEntries([...parameters].filter(([name]) => start.has(name)))),
  };
}

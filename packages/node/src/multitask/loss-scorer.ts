import {
  batchesOf,
  type Parameters,
  parametersOf,
  type Runtime,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import { lossModel } from "../pretrain/self-supervise.ts";
import type { ReadyTask } from "./joint.ts";

/** Mean loss of a task's held-out rows under other parameters, without loading the network anew. */
export interface LossScorer {
  loss(parameters: Parameters): Promise<number>;
  close(): Promise<void>;
}

/** Opens a scorer over the network as it is used: batch normalizations have their stored statistics. */
export async function openLossScorer(
  { data, open, inputs }: ReadyTask,
  { runtime, batchSize }: { readonly runtime: Runtime; readonly batchSize: number },
): Promise<LossScorer> {
  const model = lossModel(open.model, open);
  const { graph } = model;
  const changing = new Set(parametersOf(open.model).map(({ name }) => name));
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
  const held = Int32Array.from(data.held.keys(), (i) => data.train.length + i);
  const batches = batchesOf(held, { batchSize, ...(inputs.extentOf && { extentOf: inputs.extentOf }) });
  return {
    async loss(parameters) {
      const changed = [...parameters].filter(([name]) => start.has(name));
      await session.bind(Object.fromEntries(changed));
      let sum = 0;
      for (const { rows, count } of batches) {
        const all = await open.feeds(rows, count, null);
        const feeds = Object.fromEntries(
          session.inputNames.filter((name) => !start.has(name)).map((name) => [name, all[name]!]),
        );
        const { loss } = await session.run(feeds);
        sum += count * Number(loss!.data[0]);
      }
      return sum / held.length;
    },
    close: () => session.close(),
  };
}

import { type Batch, batchesOf, type Parameters, parametersOf, type Runtime } from "@graft-ml/core";
import { lossModel } from "../pretrain/self-supervise.ts";
import { boundNetwork } from "./bound-network.ts";
import type { ReadyTask } from "./joint.ts";
import type { TaskInputs } from "./sentence-inputs.ts";

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
  const held = Int32Array.from(data.held.keys(), (i) => data.train.length + i);
  if (open.openScorer) return await open.openScorer(runtime, held);
  const changing = open.learns ?? new Set(parametersOf(open.model).map(({ name }) => name));
  const { session, set } = await boundNetwork(lossModel(open.model, open), changing, runtime);
  const batches = orderedBatches(inputs, held, batchSize);
  return {
    async loss(parameters) {
      await set(parameters);
      let sum = 0;
      for (const { rows, count } of batches) {
        const { loss } = await session.run(await open.feeds(rows, count, null));
        sum += count * Number(loss!.data[0]);
      }
      return sum / held.length;
    },
    close: () => session.close(),
  };
}

/** Batches of rows in their own order. */
export function orderedBatches(inputs: TaskInputs, rows: Int32Array, batchSize: number): Batch[] {
  if (inputs.batches) return inputs.batches(rows, null);
  return batchesOf(rows, { batchSize, ...(inputs.extentOf && { extentOf: inputs.extentOf }) });
}

import {
  batchesOf,
  cloneModel,
  type Parameters,
  prune,
  type Session,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import { type CooledLoss, cooledLoss } from "./cooled-loss.ts";
import type { FitOptions } from "./fit.ts";

/** The log loss of held-out rows under other parameters, without loading the network anew. */
export interface Scorer {
  loss(parameters: Parameters): Promise<CooledLoss>;
  close(): Promise<void>;
}

/** Opens a scorer; `names` are the parameters that change. */
export async function openScorer(
  options: Pick<
    FitOptions,
    "upper" | "logits" | "inputs" | "heldOut" | "labels" | "weights" | "runtime" | "settings"
  >,
  names: readonly string[],
  statistics: ReadonlyMap<string, Tensor> = new Map(),
): Promise<Scorer> {
  const { upper, logits, inputs, labels, weights, runtime, settings } = options;
  const heldOut = options.heldOut!;
  const copy = cloneModel(upper);
  const changing = new Set([...names, ...statistics.keys()]);
  const start = new Map<string, Tensor>();
  for (const [value, tensor] of [...copy.graph.initializers]) {
    if (!changing.has(value.name)) continue;
    start.set(value.name, tensor);
    copy.graph.initializers.delete(value);
    value.dtype = tensor.dtype;
    value.shape = tensor.shape;
    if (!copy.graph.inputs.includes(value)) copy.graph.inputs.push(value);
  }
  const made = copy.graph.nodes.flatMap(({ outputs }) => outputs).find((one) => one?.name === logits)!;
  made.dtype ??= "float32";
  copy.graph.outputs = [made];
  const graph = prune(copy.graph, { inputs: true });
  const session: Session = await runtime.load(writeModel({ ...copy, graph }));
  const batches = batchesOf(heldOut, {
    batchSize: settings.batchSize,
    ...(inputs.extentOf && { extentOf: inputs.extentOf }),
  });
  return {
    async loss(parameters) {
      const bound: Record<string, Tensor> = {};
      for (const name of session.inputNames) {
        const tensor = parameters.get(name) ?? start.get(name);
        if (tensor) bound[name] = tensor;
      }
      await session.bind(bound);
      const members: number[] = [];
      const scores: Float32Array[] = [];
      let columns = 0;
      for (const { rows, count } of batches) {
        const all = await inputs.feeds(rows, null);
        const feeds = Object.fromEntries(
          session.inputNames.filter((input) => !(input in bound)).map((input) => [input, all[input]!]),
        );
        const { data, shape } = (await session.run(feeds))[logits]!;
        columns = shape[1]!;
        members.push(...rows.subarray(0, count));
        scores.push((data as Float32Array).slice(0, count * columns));
      }
      return cooledLoss(
        { rows: members.length, columns, data: joined(scores) },
        members.map((row) => labels[row]!),
        weights && members.map((row) => weights[row]!),
      );
    },
    close: () => session.close(),
  };
}

function joined(parts: readonly Float32Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

import {
  batchesOf,
  cloneModel,
  type Parameters,
  prune,
  type Session,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import type { FitOptions } from "./fit.ts";

/** Mean negative log-likelihood of held-out rows under other parameters, without loading the network anew. */
export interface Scorer {
  loss(parameters: Parameters): Promise<number>;
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
      let sum = 0;
      let mass = 0;
      for (const { rows, count } of batches) {
        const all = await inputs.feeds(rows, null);
        const feeds = Object.fromEntries(
          session.inputNames.filter((input) => !(input in bound)).map((input) => [input, all[input]!]),
        );
        const { data, shape } = (await session.run(feeds))[logits]!;
        for (let n = 0; n < count; n++) {
          const scores = (data as Float32Array).subarray(n * shape[1]!, (n + 1) * shape[1]!);
          const most = Math.max(...scores);
          const log = Math.log(scores.reduce((total, one) => total + Math.exp(one - most), 0)) + most;
          const weight = weights?.[rows[n]!] ?? 1;
          sum += weight * (log - scores[labels[rows[n]!]!]!);
          mass += weight;
        }
      }
      return sum / mass;
    },
    close: () => session.close(),
  };
}

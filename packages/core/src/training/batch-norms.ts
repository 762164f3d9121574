import { InputError } from "../errors.ts";
import { attribute, build, float } from "../ir/build.ts";
import { cloneModel } from "../ir/clone.ts";
import type { Model, Value } from "../ir/graph.ts";
import { opsetOf, raiseOpset } from "../ir/opset.ts";
import type { Results } from "../runtime/runtime.ts";
import { float32, type Tensor } from "../tensor.ts";

/** One batch normalization that learns its statistics: names of its initializers, and of what a step gives. */
export interface BatchNorm {
  readonly mean: string;
  readonly variance: string;
  readonly batchMean: string;
  readonly batchVariance: string;
  /** Numbers a channel's statistics are taken over. */
  readonly count: string;
}

/** A model whose batch normalizations use the batch. */
export interface TrainedBatchNorms {
  readonly model: Model;
  readonly norms: readonly BatchNorm[];
  /** What `planTraining` is to give beside the loss. */
  readonly outputs: readonly string[];
  /** The statistics training starts from, by the initializers' names. */
  readonly statistics: ReadonlyMap<string, Tensor>;
}

/**
 * A copy of a model in which batch normalizations normalise with the batch's own mean and variance, and give
 * both to the training loop, which keeps the running ones (`updateStatistics`). `which` tells by the name of
 * the stored mean whose statistics are trained; the others stay as they are, which is right under a frozen
 * trunk and for small data.
 */
export function trainBatchNorms(
  model: Model,
  which: (mean: string) => boolean = () => true,
): TrainedBatchNorms {
  const copy = opsetOf(model) < 17 ? raiseOpset(model, 17) : cloneModel(model);
  const { graph } = copy;
  const b = build(graph);
  const norms: BatchNorm[] = [];
  const statistics = new Map<string, Tensor>();
  for (const node of [...graph.nodes]) {
    if (node.opType !== "BatchNormalization" || node.domain !== "") continue;
    const [x, , , mean, variance] = node.inputs as Value[];
    const [means, variances] = [graph.initializers.get(mean!), graph.initializers.get(variance!)];
    if (!means || !variances || !which(mean!.name)) continue;
    if (means.dtype !== "float32")
      throw new InputError(
        `the statistics "${mean!.name}" are ${means.dtype}; only float32 ones are trained`,
      );
    statistics.set(mean!.name, means);
    statistics.set(variance!.name, variances);
    // With momentum 0 the "running" outputs are the batch's own. ONNX Runtime writes into these inputs, so
    // each has its own.
    const own = (name: string) => b.constant(float32(means.shape, new Float32Array(means.data.length)), name);
    const value = (name: string): Value => ({ name: b.fresh(name), dtype: "float32", shape: means.shape });
    const [batchMean, batchVariance] = [value(`${mean!.name}/batch`), value(`${variance!.name}/batch`)];
    node.inputs = [...node.inputs.slice(0, 3), own(`${mean!.name}/unused`), own(`${variance!.name}/unused`)];
    node.outputs = [node.outputs[0]!, batchMean, batchVariance];
    node.attributes.set("training_mode", attribute(1));
    node.attributes.set("momentum", float(0));
    const count = b.apply("Size", [x!], {}, { name: `${mean!.name}/size` });
    Object.assign(count, { dtype: "int64", shape: [] });
    norms.push({
      mean: mean!.name,
      variance: variance!.name,
      batchMean: batchMean.name,
      batchVariance: batchVariance.name,
      count: count.name,
    });
  }
  const outputs = norms.flatMap((norm) => [norm.batchMean, norm.batchVariance, norm.count]);
  return { model: copy, norms, outputs, statistics };
}

/** Running statistics by initializer name. */
export type Statistics = Record<string, Float32Array>;

/**
 * r ← (1 − momentum)·r + momentum·(the batch's), in place, as PyTorch has it: the variance of the batch with
 * n − 1 below, where ONNX Runtime's own running variance has n.
 */
export function updateStatistics(
  statistics: Statistics,
  norms: readonly BatchNorm[],
  results: Results,
  momentum: number,
): void {
  for (const { mean, variance, batchMean, batchVariance, count } of norms) {
    const means = statistics[mean]!;
    const variances = statistics[variance]!;
    const [m, v] = [results[batchMean]!.data as Float32Array, results[batchVariance]!.data as Float32Array];
    const n = Number(results[count]!.data[0]) / means.length;
    const unbiased = n > 1 ? n / (n - 1) : 1;
    for (let c = 0; c < means.length; c++) {
      means[c] = (1 - momentum) * means[c]! + momentum * m[c]!;
      variances[c] = (1 - momentum) * variances[c]! + momentum * unbiased * v[c]!;
    }
  }
}

import { type Classifier, type Parameters, splitFrozen, type Tensor, withParameters } from "@graft-ml/core";
import { fit, sweep } from "./fit.ts";
import type { TrainedNetwork } from "./network.ts";
import { openScorer } from "./scorer.ts";
import type { Work } from "./work.ts";

/** One run of a method from its start. */
export interface RunOptions {
  /** Names its checkpoints and its lines in the log. */
  readonly name: string;
  readonly head: Classifier;
  readonly depth: number | null;
  readonly rate: number;
  readonly rows: Int32Array;
  /** Rows scored after each epoch; null for none. */
  readonly heldOut: Int32Array | null;
  /** Epochs the schedule is for, over all stages, and after how many to stop. */
  readonly epochs: number;
  readonly stopAfter?: number;
  readonly keep: "best" | "last";
  readonly patience?: number | null;
}

/** What a run ends with. */
export interface Run {
  readonly network: TrainedNetwork;
  /** All trained parameters by name. */
  readonly parameters: Parameters;
  /** Log loss of the held-out rows, and the temperature it is at: before the first epoch, and after each. */
  readonly losses: readonly number[];
  readonly temperatures: readonly number[];
}

/** Trains stage after stage; each goes on from where the one before ended. */
export async function run(work: Work, options: RunOptions): Promise<Run> {
  const { name, rate, rows, heldOut, epochs, stopAfter = epochs, keep, patience = null } = options;
  const network = work.networkFor(options.head, options.depth);
  const each = Math.ceil(epochs / network.stages.length);
  const parameters = new Map<string, Tensor>();
  const losses: number[] = [];
  const temperatures: number[] = [];
  const common = await shared(work, network, heldOut);
  if (heldOut) {
    const scorer = await openScorer(common, []);
    const start = await scorer.loss(new Map());
    losses.push(start.loss);
    temperatures.push(start.temperature);
    await scorer.close();
  }
  let left = stopAfter;
  for (const [stage, trained] of network.stages.entries()) {
    if (left <= 0) break;
    const done = stopAfter - left;
    const count = Math.min(each, left);
    const label = network.stages.length > 1 ? `${name}-stage${stage}` : name;
    const result = await fit({
      ...common,
      upper: withParameters(common.upper, parameters),
      trained,
      rows,
      rate,
      epochs: each,
      stopAfter: count,
      last: keep === "last" || stage < network.stages.length - 1,
      patience,
      random: work.random.fork(label),
      checkpoints: work.checkpoints,
      name: label,
      every: work.options.checkpointEvery ?? 25,
      onStep: work.progress(name),
      onEpoch: ({ epoch, loss, score }) =>
        work.log({
          step: "epoch",
          run: label,
          epoch: done + epoch + 1,
          loss,
          heldOut: score === null ? null : -score,
        }),
    });
    for (const [parameter, tensor] of result.parameters) parameters.set(parameter, tensor);
    losses.push(...result.scores.map((score) => -score));
    temperatures.push(...result.temperatures);
    left -= count;
  }
  return { network, parameters, losses, temperatures };
}

/** The learning rate that a sweep over training rows finds for a network of one stage; null where it finds none. */
export async function sweptRate(
  work: Work,
  options: Pick<RunOptions, "head" | "depth" | "rows" | "epochs">,
): Promise<number | null> {
  const { head, depth, rows, epochs } = options;
  const network = work.networkFor(head, depth);
  const { heldOut: _, ...common } = await shared(work, network, null);
  const [trained] = network.stages as [readonly string[]];
  const rate = await sweep({ ...common, trained, rows, epochs, random: work.random.fork("sweep") });
  work.log({ step: "sweep", rate });
  return rate;
}

/** What every stage of a network is trained with. */
async function shared(work: Work, network: TrainedNetwork, heldOut: Int32Array | null) {
  const { inputs, isWhole } = await work.inputsFor(network);
  const { batchNorm } = work.settings;
  const { method, runtime, classes, signal } = work.options;
  return {
    upper: isWhole ? network.model : splitFrozen(network.model, network.stages.flat()).upper,
    logits: network.logits,
    training: network.training,
    inputs,
    heldOut,
    labels: work.labels,
    weights: work.weights,
    classes: classes.length,
    classWeights: work.classWeights,
    trainBatchNorm: batchNorm === "train" || (batchNorm === "auto" && method === "scratch"),
    runtime,
    settings: work.settings,
    signal,
  };
}

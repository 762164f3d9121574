import {
  batchesOf,
  build,
  cloneModel,
  type Feeds,
  formulas,
  type Model,
  opsetOf,
  optimizers,
  type Parameters,
  parametersOf,
  planTraining,
  prune,
  type Random,
  type Runtime,
  schedules,
  type TrainingPlan,
  train,
  trainBatchNorms,
  withParameters,
  writeModel,
} from "@graft-ml/core";
import type { Checkpoints, RowInputs } from "../training/index.ts";
import type { PretrainSettings } from "./settings.ts";
import type { AddInput, PretrainingTask } from "./task.ts";

/** What is trained on what. */
export interface SelfSupervision {
  readonly task: PretrainingTask;
  readonly extentOf: RowInputs["extentOf"];
  /** Row numbers trained on, and those scored after each epoch; nothing is chosen on the latter. */
  readonly train: Int32Array;
  readonly heldOut: Int32Array;
  readonly settings: PretrainSettings;
  readonly runtime: Runtime;
  readonly random: Random;
  readonly checkpoints: Checkpoints | null;
  /** Steps between two states on the disk. */
  readonly every: number;
  onStep?(done: number, total: number): void;
  onEpoch?(event: { readonly epoch: number; readonly loss: number; readonly heldOut: number | null }): void;
  readonly signal?: AbortSignal | undefined;
}

/** What training ends with: all parameters, and the losses of each epoch. */
export interface SelfSupervised {
  readonly parameters: Parameters;
  readonly losses: readonly number[];
  /** Loss of the held-out rows: of the start, then after each epoch; empty where none are held out. */
  readonly heldOut: readonly number[];
}

const NAME = "pretraining";

/**
 * Trains every parameter of a task with AdamW, warm-up and a linear descent. Equal options give equal bytes,
 * also when killed and started again with the same checkpoints. Throws an InputError where the loss is no
 * longer a number.
 */
export async function selfSupervise(options: SelfSupervision): Promise<SelfSupervised> {
  const { task, settings, random, runtime, checkpoints, heldOut, signal } = options;
  const { batchSize } = settings;
  const norms = trainBatchNorms(task.model);
  const hasNorms = norms.norms.length > 0;
  const names = new Set(
    parametersOf(task.model)
      .filter(({ role }) => role !== "statistic")
      .map(({ name }) => name),
  );
  const plans = new Map<string, TrainingPlan>();
  const inputs = task.model.graph.inputs.map(({ name }) => name);
  const planFor = (batch: Feeds): TrainingPlan => {
    const shapes = Object.fromEntries(inputs.map((name) => [name, batch[name]!.shape]));
    const key = JSON.stringify(shapes);
    let plan = plans.get(key);
    if (!plan) {
      plan = planTraining(norms.model, {
        train: (name) => names.has(name),
        shapes,
        outputs: norms.outputs,
        loss: task.loss,
      });
      plans.set(key, plan);
    }
    return plan;
  };
  const order = (epoch: number) =>
    batchesOf(options.train, {
      batchSize,
      random: random.fork(`order ${epoch}`),
      last: hasNorms ? "fill" : "pad",
      ...(options.extentOf && { extentOf: options.extentOf }),
    });
  const batches = async function* (epoch: number, from: number): AsyncGenerator<Feeds> {
    for (const { rows, count } of order(epoch).slice(from)) yield await task.feeds(rows, count, epoch);
  };
  const [first] = order(0);
  const plan = planFor(await task.feeds(first!.rows, first!.count, 0));
  const total = order(0).length * settings.epochs;
  const warm = Math.round(settings.warmup * total);
  const score = (parameters: Parameters) => heldOutLoss(withParameters(task.model, parameters), options);
  const start = heldOut.length > 0 ? await score(new Map()) : null;
  const saved = await checkpoints?.load(NAME);
  const result = await train(plan, {
    runtime,
    optimizer: optimizers.adamw,
    settings: { weightDecay: settings.weightDecay },
    rate: settings.learningRate,
    schedule: schedules.warmup(warm, schedules.linear(total - warm), 1 / (warm + 1)),
    epochs: settings.epochs,
    batches,
    planFor,
    ...(settings.clip > 0 && { clip: settings.clip }),
    ...(settings.ema > 0 && { ema: settings.ema }),
    ...(hasNorms && { batchNorms: norms }),
    ...(heldOut.length > 0 && { evaluate: async (parameters: Parameters) => -(await score(parameters)) }),
    keep: "last",
    onStep: ({ step }) => options.onStep?.(step, total),
    onEpoch: ({ epoch, loss, score: one }) =>
      options.onEpoch?.({ epoch, loss, heldOut: one === null ? null : -one }),
    ...(checkpoints && {
      checkpoint: { every: options.every, save: (state) => checkpoints.save(NAME, state, false) },
    }),
    ...(saved && { resume: saved.state }),
    ...(signal && { signal }),
  });
  await checkpoints?.save(NAME, result.state, result.reason !== "aborted");
  signal?.throwIfAborted();
  return {
    parameters: result.parameters,
    losses: result.losses,
    heldOut: start === null ? [] : [start, ...result.scores.map((one) => -one)],
  };
}

/** Mean loss of the held-out rows, the network as it is used and not as it is trained. */
async function heldOutLoss(
  model: Model,
  { task, heldOut, settings, runtime, extentOf }: SelfSupervision,
): Promise<number> {
  const session = await runtime.load(writeModel(lossModel(model, task)));
  let sum = 0;
  try {
    for (const { rows, count } of batchesOf(heldOut, {
      batchSize: settings.batchSize,
      ...(extentOf && { extentOf }),
    })) {
      const { loss } = await session.run(await task.feeds(rows, count, null));
      sum += count * Number(loss!.data[0]);
    }
  } finally {
    await session.close();
  }
  return sum / heldOut.length;
}

/** The model with the loss as its one output, `loss`; all extents of a batch are free. */
export function lossModel(model: Model, task: Pick<PretrainingTask, "loss">): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const builder = build(graph);
  const input: AddInput = (name, dtype, shape) =>
    builder.input(
      name,
      dtype,
      shape.map((_, axis) => `${name} ${axis}`),
    );
  const loss = task.loss(formulas(builder, "float32", opsetOf(copy), "loss/"), graph, input);
  const output = builder.apply("Identity", [loss], {}, { name: "loss" });
  graph.outputs = [Object.assign(output, { dtype: "float32", shape: [] })];
  return { ...copy, graph: prune(graph, { inputs: true }) };
}

import {
  batchesOf,
  blockOf,
  classTargets,
  cloneModel,
  crossEntropy,
  type Feeds,
  InputError,
  type Model,
  mixup,
  optimizers,
  type Parameters,
  planTraining,
  prune,
  type Random,
  type Runtime,
  type Session,
  type Shape,
  schedules,
  type Tensor,
  type Trained,
  type TrainingPlan,
  train,
  trainBatchNorms,
  writeModel,
} from "@graft-ml/core";
import type { Checkpoints } from "./checkpoints.ts";
import type { FineTuneSettings } from "./methods.ts";
import type { RowInputs } from "./row-inputs.ts";

/** One training of one part of a network. */
export interface FitOptions {
  /** The part that is trained, with its parameters as they are at the start. */
  readonly upper: Model;
  readonly trained: readonly string[];
  readonly logits: string;
  readonly training: (name: string) => { readonly rate?: number; readonly decay?: number };
  readonly inputs: RowInputs;
  /** Row numbers trained on, and those scored after each epoch. */
  readonly rows: Int32Array;
  readonly heldOut: Int32Array | null;
  /** Class numbers of all rows. */
  readonly labels: Int32Array;
  readonly weights: ArrayLike<number> | null;
  readonly classes: number;
  readonly classWeights: readonly number[] | null;
  readonly settings: FineTuneSettings;
  readonly rate: number;
  /** The schedule is for this many epochs; `stopAfter` of them are trained. */
  readonly epochs: number;
  readonly stopAfter?: number;
  /** Gives the weights of the last epoch, not of the best. */
  readonly last?: boolean;
  readonly patience?: number | null;
  readonly trainBatchNorm: boolean;
  readonly runtime: Runtime;
  readonly random: Random;
  /** Where states are kept, under which name. */
  readonly checkpoints: Checkpoints | null;
  readonly name: string;
  readonly every: number;
  onStep?(done: number, total: number): void;
  onEpoch?(event: { epoch: number; loss: number; score: number | null }): void;
  readonly signal?: AbortSignal | undefined;
}

/** Trains the upper part of a network by cross-entropy with AdamW; the same options give the same bytes. */
export async function fit(options: FitOptions): Promise<Trained> {
  const { upper, settings, rows, inputs, labels, classes, random, checkpoints, name, heldOut } = options;
  const { batchSize, accumulate } = settings;
  const norms = options.trainBatchNorm ? trainBatchNorms(upper) : null;
  const hasNorms = norms !== null && norms.norms.length > 0;
  const order = (epoch: number) =>
    batchesOf(rows, {
      batchSize,
      random: random.fork(`order ${epoch}`),
      last: hasNorms ? "fill" : "pad",
      ...(inputs.extentOf && { extentOf: inputs.extentOf }),
    });
  const batches = async function* (epoch: number, from: number): AsyncGenerator<Feeds> {
    for (const [i, { rows: members, count }] of order(epoch).entries()) {
      if (i < from) continue;
      const feeds = await inputs.feeds(members, epoch);
      const targets = classTargets(
        Array.from(members.subarray(0, count), (row) => labels[row]!),
        classes,
        {
          rows: batchSize,
          smoothing: settings.smoothing,
          ...(options.weights && { weights: Array.from(members, (row) => options.weights![row]!) }),
          ...(options.classWeights && { classWeights: options.classWeights }),
        },
      );
      if (settings.mixup === 0) yield { ...only(feeds), targets };
      else {
        const source = random.fork(`mixup ${epoch} ${i}`);
        const mixed = mixup(feeds, targets, { alpha: settings.mixup, random: source, count });
        yield { ...only(mixed.inputs), targets: mixed.targets };
      }
    }
  };
  const model = norms?.model ?? upper;
  const trainedNames = new Set(options.trained);
  const block = await blockOf(options.runtime);
  const planOf = (shapes: Readonly<Record<string, Shape>>) =>
    planTraining(model, {
      train: (parameter) => trainedNames.has(parameter),
      shapes,
      block,
      outputs: norms?.outputs ?? [],
      loss: (g, graph, input) => {
        const logits = graph.nodes
          .flatMap(({ outputs }) => outputs)
          .find((one) => one?.name === options.logits);
        if (!logits) throw new InputError(`the network has no value "${options.logits}"`);
        return crossEntropy(g, logits, input("targets", "float32", [batchSize, classes]));
      },
    });
  // What the loss does not depend on (features that are an output, behind a frozen trunk) is not fed.
  const first = await inputs.feeds(new Int32Array(batchSize).fill(rows[0]!), null);
  const plan = planOf(shapesIn(first));
  const needed = new Set(plan.model.graph.inputs.map((input) => input.name));
  const only = (feeds: Feeds): Feeds =>
    Object.fromEntries(Object.entries(feeds).filter(([input]) => needed.has(input)));
  // One plan a length of texts: static shapes throughout.
  const keyOf = (batch: Feeds) => JSON.stringify(shapesIn(only(batch), "targets"));
  const plans = new Map([[keyOf(first), plan]]);
  const planFor = (batch: Feeds): TrainingPlan => {
    const key = keyOf(batch);
    let one = plans.get(key);
    if (!one) plans.set(key, (one = planOf(shapesIn(batch, "targets"))));
    return one;
  };
  const steps = Math.ceil(order(0).length / accumulate);
  const total = steps * options.epochs;
  const warm = Math.round(settings.warmup * total);
  const end = options.stopAfter ?? options.epochs;
  const scorer = heldOut ? await openScorer(options, [...plan.parameters.keys()], norms?.statistics) : null;
  const saved = await checkpoints?.load(name);
  try {
    const result = await train(plan, {
      runtime: options.runtime,
      optimizer: optimizers.adamw,
      settings: { weightDecay: settings.weightDecay },
      rate: options.rate,
      schedule: schedules.warmup(warm, schedules.linear(total - warm), 1 / (warm + 1)),
      epochs: saved?.done ? saved.state.epoch : end,
      batches,
      planFor,
      training: options.training,
      accumulate,
      ...(settings.clip > 0 && { clip: settings.clip }),
      ...(settings.ema > 0 && { ema: settings.ema }),
      ...(settings.l2sp > 0 && { anchor: { strength: settings.l2sp, parameters: plan.parameters } }),
      ...(hasNorms && { batchNorms: norms }),
      ...(scorer && { evaluate: async (parameters) => -(await scorer.loss(parameters)) }),
      keep: options.last ? "last" : "best",
      ...(options.patience && { patience: options.patience }),
      onStep: ({ step }) => options.onStep?.(step, steps * end),
      ...(options.onEpoch && { onEpoch: options.onEpoch }),
      ...(checkpoints && {
        checkpoint: { every: options.every, save: (state) => checkpoints.save(name, state, false) },
      }),
      ...(saved && { resume: saved.state }),
      ...(options.signal && { signal: options.signal }),
    });
    const isDone = result.reason !== "aborted";
    if (checkpoints && !saved?.done) await checkpoints.save(name, result.state, isDone);
    options.signal?.throwIfAborted();
    return result;
  } finally {
    await scorer?.close();
  }
}

/** The shapes of tensors by name, but for one. */
function shapesIn(feeds: Feeds, without?: string): Record<string, Shape> {
  const entries = Object.entries(feeds).filter(([name]) => name !== without);
  return Object.fromEntries(entries.map(([name, { shape }]) => [name, shape]));
}

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

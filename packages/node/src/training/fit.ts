import {
  type Batch,
  batchesOf,
  blockOf,
  classTargets,
  crossEntropy,
  type Feeds,
  findRate,
  InputError,
  type Model,
  mixup,
  optimizers,
  planTraining,
  type Random,
  type Runtime,
  type Shape,
  schedules,
  type Trained,
  type TrainedBatchNorms,
  type TrainingPlan,
  type TrainingState,
  train,
  trainBatchNorms,
} from "@graft-ml/core";
import type { Checkpoints } from "./checkpoints.ts";
import type { FineTuneSettings } from "./methods.ts";
import type { RowInputs } from "./row-inputs.ts";
import { openScorer } from "./scorer.ts";

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

/** A training, and the temperature that suited the held-out rows after each epoch. */
export interface Fitted extends Trained {
  readonly temperatures: readonly number[];
}

/** Trains the upper part of a network by cross-entropy with AdamW; the same options give the same bytes. */
export async function fit(options: FitOptions): Promise<Fitted> {
  const { settings, checkpoints, name, heldOut } = options;
  const { accumulate } = settings;
  const { plan, planFor, batches, order, norms } = await fittingOf(options);
  const steps = Math.ceil(order(0).length / accumulate);
  const total = steps * options.epochs;
  const warm = Math.round(settings.warmup * total);
  const end = options.stopAfter ?? options.epochs;
  const scorer = heldOut ? await openScorer(options, [...plan.parameters.keys()], norms?.statistics) : null;
  const saved = await checkpoints?.load(name);
  const temperatures = [...(saved?.state.extra?.temperatures ?? [])];
  const noted = (state: TrainingState): TrainingState =>
    scorer ? { ...state, extra: { ...state.extra, temperatures: Float64Array.from(temperatures) } } : state;
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
      ...(norms && { batchNorms: norms }),
      ...(scorer && {
        async evaluate(parameters, epoch) {
          const { loss, temperature } = await scorer.loss(parameters);
          temperatures[epoch] = temperature;
          return -loss;
        },
      }),
      keep: options.last ? "last" : "best",
      ...(options.patience && { patience: options.patience }),
      onStep: ({ step }) => options.onStep?.(step, steps * end),
      ...(options.onEpoch && { onEpoch: options.onEpoch }),
      ...(checkpoints && {
        checkpoint: { every: options.every, save: (state) => checkpoints.save(name, noted(state), false) },
      }),
      ...(saved && { resume: saved.state }),
      ...(options.signal && { signal: options.signal }),
    });
    const isDone = result.reason !== "aborted";
    if (checkpoints && !saved?.done) await checkpoints.save(name, noted(result.state), isDone);
    options.signal?.throwIfAborted();
    return { ...result, temperatures };
  } finally {
    await scorer?.close();
  }
}

/** Steps of a sweep at most, and the share of a training's steps that it may take. */
const SWEEP = { steps: 100, least: 30, share: 0.1 };

/**
 * A learning rate found by a sweep over training rows (`findRate`): a tenth of the one with the least loss,
 * in two digits; null where the loss falls at none. Much shorter than the training it is for; parameters stay
 * as they are.
 */
export async function sweep(
  options: Omit<FitOptions, "rate" | "heldOut" | "checkpoints" | "name" | "every">,
): Promise<number | null> {
  const { settings, epochs, runtime, training } = options;
  const { plan, planFor, batches, order } = await fittingOf(options);
  const steps = Math.round(order(0).length * epochs * SWEEP.share);
  try {
    const { tenth } = await findRate(plan, {
      runtime,
      optimizer: optimizers.adamw,
      settings: { weightDecay: settings.weightDecay },
      batches,
      planFor,
      training,
      ...(settings.clip > 0 && { clip: settings.clip }),
      from: 1e-6,
      to: 1,
      steps: Math.min(SWEEP.steps, Math.max(SWEEP.least, steps)),
    });
    return Number(tenth.toPrecision(2));
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

/** What fitting and a sweep share: graphs of loss and gradients, and the batches they are fed. */
interface Fitting {
  readonly plan: TrainingPlan;
  planFor(batch: Feeds): TrainingPlan;
  batches(epoch: number, from: number): AsyncGenerator<Feeds>;
  order(epoch: number): readonly Batch[];
  /** Normalizations that learn their statistics; null for none. */
  readonly norms: TrainedBatchNorms | null;
}

async function fittingOf(
  options: Omit<FitOptions, "rate" | "heldOut" | "checkpoints" | "name" | "every">,
): Promise<Fitting> {
  const { upper, settings, rows, inputs, labels, classes, random } = options;
  const { batchSize } = settings;
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
  return { plan, planFor, batches, order, norms: hasNorms ? norms : null };
}

/** The shapes of tensors by name, but for one. */
function shapesIn(feeds: Feeds, without?: string): Record<string, Shape> {
  const entries = Object.entries(feeds).filter(([name]) => name !== without);
  return Object.fromEntries(entries.map(([name, { shape }]) => [name, shape]));
}

import type { Model } from "../ir/graph.ts";
import type { Training } from "../optim/arena.ts";
import * as optimizers from "../optim/index.ts";
import { warmup } from "../optim/schedules.ts";
import type { Random } from "../random.ts";
import type { Feeds, Runtime } from "../runtime/runtime.ts";
import { planTraining, type TrainingPlan } from "../training/plan.ts";
import type { Parameters } from "../training/state.ts";
import { type TrainOptions, train } from "../training/train.ts";
import { batchesAtOnce, type TagBatch, tagBatches } from "./tag-batches.ts";
import { headLoss, headTargets, type TagHead } from "./tag-head.ts";

/** A network that is trained on tags, whatever makes its states. */
export interface TagNetwork {
  readonly head: TagHead;
  /** Outputs as `headOutputs` names them, inputs those of `feeds`. */
  readonly model: Model;
  /** Whether a parameter is trained. */
  trains(name: string): boolean;
  /** How single parameters differ from the rest. */
  readonly training?: (name: string) => Training;
  /** Of the pieces of sentences that are trained on: the length each needs at least, and its tags. */
  readonly lengths: ArrayLike<number>;
  readonly tags: readonly Int32Array[];
  /** Inputs of a batch, masks among them. */
  feeds(batch: TagBatch, random: Random): Feeds | Promise<Feeds>;
  /** How good the parameters are on held-out sentences, higher being better. */
  score(parameters: Parameters): Promise<number>;
}

/** How long and how fast. */
export interface TagTrainingOptions
  extends Pick<TrainOptions, "patience" | "onStep" | "onEpoch" | "checkpoint" | "resume" | "signal"> {
  readonly runtime: Runtime;
  readonly random: Random;
  readonly epochs: number;
  readonly learningRate: number;
  /** Tokens a batch, at most 64 sentences. */
  readonly batchTokens: number;
}

/** What was learnt, and how training went. */
export interface TrainedTagNetwork {
  /** Of the epoch that scored best. */
  readonly parameters: Parameters;
  /** Mean loss a token of each epoch, and its score. */
  readonly losses: readonly number[];
  readonly scores: readonly number[];
  /** The epoch whose weights these are, from 0. */
  readonly best: number;
  readonly reason: "epochs" | "patience" | "aborted";
}

const MOST_ROWS = 64;
/** The running average of weights reaches back over this share of all steps. */
const AVERAGED = 0.05;

/**
 * Trains a network with AdamW on batches of like lengths, each length in a session of its own, at a rate that
 * rises for an epoch at most and then falls to a fiftieth. Where the runtime has lanes and there is much to
 * learn from, a step is as many smaller batches, which run at once. The weights are running averages, those of the
 * epoch that scores best.
 */
export async function trainTagNetwork(
  network: TagNetwork,
  options: TagTrainingOptions,
): Promise<TrainedTagNetwork> {
  const { head, model, lengths, tags } = network;
  const { random } = options;
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const plans = new Map<string, TrainingPlan>();
  const shapes = new WeakMap<Feeds, TagBatch>();
  const planOf = (feeds: Feeds): TrainingPlan => {
    const { rows, length } = shapes.get(feeds)!;
    const key = `${rows} ${length}`;
    let plan = plans.get(key);
    if (plan === undefined) {
      plan = planTraining(model, {
        train: (name) => network.trains(name),
        shapes: Object.fromEntries(
          Object.entries(feeds)
            .filter(([name]) => inputs.has(name))
            .map(([name, { shape }]) => [name, shape]),
        ),
        loss: (g, graph, input) => headLoss(g, graph, input, head, { rows, length }),
      });
      plans.set(key, plan);
    }
    return plan;
  };
  const tokens = Array.from(lengths).reduce((sum, length) => sum + length, 0);
  const lanes = batchesAtOnce(tokens, options.batchTokens, options.runtime);
  const epochBatches = (epoch: number) =>
    tagBatches(lengths, options.batchTokens, MOST_ROWS, random.fork(`order ${epoch}`), lanes);
  const feedsOf = async (batch: TagBatch, source: Random): Promise<Feeds> => {
    const feeds = {
      ...(await network.feeds(batch, source)),
      ...headTargets(
        head,
        Array.from(batch.sentences, (i) => tags[i]!),
        batch,
      ),
    };
    shapes.set(feeds, batch);
    return feeds;
  };
  const first = epochBatches(0);
  const perEpoch = Math.ceil(first.length / lanes);
  const total = perEpoch * options.epochs;
  const done = await train(planOf(await feedsOf(first[0]!, random.fork("probe"))), {
    runtime: options.runtime,
    optimizer: optimizers.adamw,
    settings: { weightDecay: 0.01 },
    rate: options.learningRate,
    schedule: warmup(Math.min(200, perEpoch), (step) => Math.max(0.02, 1 - step / total)),
    epochs: options.epochs,
    accumulate: lanes,
    clip: 2,
    ema: 1 - 1 / Math.max(2, AVERAGED * total),
    emaEvery: Math.max(1, Math.min(4, Math.floor((AVERAGED * total) / 8))),
    async *batches(epoch, from) {
      const all = epochBatches(epoch);
      for (let i = from; i < all.length; i++)
        yield await feedsOf(all[i]!, random.fork(`batch ${epoch} ${i}`));
    },
    planFor: planOf,
    evaluate: (parameters) => network.score(parameters),
    ...(network.training === undefined ? {} : { training: network.training }),
    ...(options.patience === undefined ? {} : { patience: options.patience }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
    ...(options.onEpoch === undefined ? {} : { onEpoch: options.onEpoch }),
    ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
    ...(options.resume === undefined ? {} : { resume: options.resume }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return {
    parameters: done.parameters,
    losses: done.losses,
    scores: done.scores,
    best: done.scores.indexOf(Math.max(...done.scores)),
    reason: done.reason,
  };
}

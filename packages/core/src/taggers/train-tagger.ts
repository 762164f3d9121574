import { InputError } from "../errors.ts";
import { writeModel } from "../onnx/write.ts";
import * as optimizers from "../optim/index.ts";
import { warmup } from "../optim/schedules.ts";
import type { Random } from "../random.ts";
import type { Feeds, Runtime } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor.ts";
import { planTraining, type TrainingPlan, withParameters } from "../training/plan.ts";
import type { Parameters, TrainingState } from "../training/state.ts";
import { type StepEvent, train } from "../training/train.ts";
import type { TaggedIds } from "./perceptron.ts";
import { LONGEST, type TagBatch, tagBatches } from "./tag-batches.ts";
import { headLoss, headTargets } from "./tag-head.ts";
import { type Tagged, type TaggerSpec, taggerNetwork, taggerOf } from "./tagger.ts";
import { tokenEncoder } from "./token-encoder.ts";
import { keepMasks } from "./trunk.ts";

/** How a tagger's network is trained. */
export interface TrainTaggerOptions {
  readonly spec: TaggerSpec;
  readonly runtime: Runtime;
  readonly random: Random;
  readonly train: readonly TaggedIds[];
  /** Sentences to choose the best epoch on. */
  readonly held: readonly TaggedIds[];
  /** How good tags of `held` are, higher being better. */
  score(tagged: readonly Tagged[]): number;
  /** Pretrained vectors [vectorWords + 1, width], and whether they are trained, too. */
  readonly vectors?: Tensor | null;
  readonly tunesVectors?: boolean;
  /** Weights to start from, by name: those of the same shape are taken. */
  readonly start?: ReadonlyMap<string, Tensor> | null;
  readonly epochs: number;
  readonly learningRate: number;
  readonly dropout: number;
  /** Tokens a batch, at most 64 sentences. */
  readonly batchTokens: number;
  /** Epochs without a better score after which training stops. */
  readonly patience?: number;
  onStep?(event: StepEvent): void;
  onEpoch?(event: { epoch: number; loss: number; score: number | null }): void;
  readonly checkpoint?: { readonly every: number; save(state: TrainingState): Promise<void> };
  readonly resume?: TrainingState;
  readonly signal?: { readonly aborted: boolean };
}

/** A trained network as a model file, and how training went. */
export interface TrainedTagger {
  readonly model: Uint8Array<ArrayBuffer>;
  /** Mean loss a token of each epoch, and its score. */
  readonly losses: readonly number[];
  readonly scores: readonly number[];
  /** The epoch whose weights these are, from 0. */
  readonly best: number;
  /** Names of the weights that came from `start`. */
  readonly taken: readonly string[];
  readonly reason: "epochs" | "patience" | "aborted";
}

const MOST_ROWS = 64;
/** The running average of weights reaches back over this share of all steps. */
const AVERAGED = 0.05;

/**
 * Trains a tagger's network with AdamW on batches of like lengths, each length in a session of its own; words are hidden as
 * rare ones are met, representations and states masked. The weights are running averages, those of the epoch that scores best
 * on held-out sentences. Sentences beyond 128 tokens are trained on in pieces.
 */
export async function trainTagger(options: TrainTaggerOptions): Promise<TrainedTagger> {
  const { spec, runtime, random, held, vectors = null, tunesVectors = false } = options;
  const { trunk, head } = spec;
  if (trunk.kind !== "network") throw new InputError("a linear tagger is trained by trainPerceptron");
  if (options.train.length === 0 || held.length === 0)
    throw new InputError("a tagger needs sentences to train on and held-out ones to choose by");
  const pieces = options.train.flatMap(inPieces);
  const encoder = tokenEncoder(trunk.encoding);
  const drawing = { random: random.fork("weights"), vectors, tunesVectors };
  const whole = taggerNetwork(trunk, head, drawing);
  const { model, keeps } = taggerNetwork(trunk, head, { ...drawing, training: true });
  const taken: string[] = [];
  const own = new Map([...model.graph.initializers].map(([value, tensor]) => [value.name, tensor]));
  const given = [...(options.start ?? [])].filter(([name, { shape }]) => {
    const to = own.get(name)?.shape;
    return to !== undefined && to.length === shape.length && to.every((extent, i) => extent === shape[i]);
  });
  for (const [name] of given) taken.push(name);
  const started = withParameters(model, new Map(given));
  const plans = new Map<string, TrainingPlan>();
  const planOf = (rows: number, length: number, feeds: Feeds): TrainingPlan => {
    const key = `${rows} ${length}`;
    let plan = plans.get(key);
    if (plan === undefined) {
      const inputs = new Set(started.graph.inputs.map(({ name }) => name));
      const shapes = Object.fromEntries(
        Object.entries(feeds)
          .filter(([name]) => inputs.has(name))
          .map(([name, { shape }]) => [name, shape]),
      );
      plan = planTraining(started, {
        train: (name) =>
          name.startsWith("tokens.") || name.startsWith("encoder.") || name.startsWith(`${head.name}.`),
        shapes,
        loss: (g, graph, input) => headLoss(g, graph, input, head, { rows, length }),
      });
      plans.set(key, plan);
    }
    return plan;
  };
  const lengths = pieces.map(({ tokens }) => tokens.length);
  const epochBatches = (epoch: number) =>
    tagBatches(lengths, options.batchTokens, MOST_ROWS, random.fork(`order ${epoch}`));
  const feedsOf = (batch: TagBatch, source: Random): Feeds => {
    const { rows, length } = batch;
    const members = Array.from(batch.sentences, (i) => pieces[i]!);
    const feeds = encoder.feeds(
      members.map(({ tokens }) => tokens),
      { rows, length, random: source },
    );
    const { vector_ids: ids, ...rest } = feeds;
    return {
      ...(ids !== undefined && !tunesVectors ? { ...rest, vector_rows: gathered(vectors!, ids) } : feeds),
      ...keepMasks(keeps, rows, options.dropout, source),
      ...headTargets(
        head,
        members.map(({ tags }) => tags),
        { rows, length },
      ),
    };
  };
  const probe = epochBatches(0)[0]!;
  const first = feedsOf(probe, random.fork("probe"));
  const perEpoch = epochBatches(0).length;
  const total = perEpoch * options.epochs;
  const inference = (parameters: Parameters) => writeModel(withParameters(whole.model, parameters));
  const done = await train(planOf(probe.rows, probe.length, first), {
    runtime,
    optimizer: optimizers.adamw,
    settings: { weightDecay: 0.01 },
    rate: options.learningRate,
    schedule: warmup(Math.min(200, perEpoch), (step) => Math.max(0.02, 1 - step / total)),
    epochs: options.epochs,
    clip: 2,
    ema: 1 - 1 / Math.max(2, AVERAGED * total),
    *batches(epoch, from) {
      const all = epochBatches(epoch);
      for (let i = from; i < all.length; i++) yield feedsOf(all[i]!, random.fork(`batch ${epoch} ${i}`));
    },
    planFor: (batch) => {
      const [rows, length] = batch.word_ids!.shape as [number, number];
      return planOf(rows, length, batch);
    },
    async evaluate(parameters) {
      const tagger = taggerOf(spec, await runtime.load(inference(parameters)));
      try {
        return options.score(await tagger.tag(held.map(({ tokens }) => tokens)));
      } finally {
        await tagger.close();
      }
    },
    ...(options.patience === undefined ? {} : { patience: options.patience }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
    ...(options.onEpoch === undefined ? {} : { onEpoch: options.onEpoch }),
    ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
    ...(options.resume === undefined ? {} : { resume: options.resume }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return {
    model: inference(done.parameters),
    losses: done.losses,
    scores: done.scores,
    best: done.scores.indexOf(Math.max(...done.scores)),
    taken,
    reason: done.reason,
  };
}

/** A sentence in pieces that are short enough to be trained on. */
function inPieces({ tokens, tags }: TaggedIds): TaggedIds[] {
  const pieces: TaggedIds[] = [];
  const count = Math.ceil(tokens.length / LONGEST);
  for (let k = 0; k < count; k++) {
    const [from, to] = [
      Math.round((k * tokens.length) / count),
      Math.round(((k + 1) * tokens.length) / count),
    ];
    pieces.push({ tokens: tokens.slice(from, to), tags: tags.slice(from, to) });
  }
  return pieces;
}

/** Rows of a table [N, D] at places [rows, length], as [rows, length, D]. */
function gathered(table: Tensor, ids: Tensor): Tensor {
  const width = table.shape[1]!;
  const from = table.data as Float32Array;
  const places = ids.data as BigInt64Array;
  const data = new Float32Array(places.length * width);
  for (let i = 0; i < places.length; i++) {
    const at = Number(places[i]!) * width;
    if (at > 0) data.set(from.subarray(at, at + width), i * width);
  }
  return { dtype: "float32", shape: [...ids.shape, width], data };
}

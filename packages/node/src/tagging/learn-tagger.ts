import {
  calibratedTagger,
  convertTags,
  InputError,
  linearFeatures,
  linearModel,
  type Random,
  type Runtime,
  type Scheme,
  type TaggedIds,
  type TaggerSpec,
  type TagHead,
  trainPerceptron,
  trainTagger,
  type WordVectors,
  writeModel,
} from "@graft-ml/core";
import type { Checkpoints } from "../training/checkpoints.ts";
import { heldScore } from "./held-score.ts";
import { type EncoderMethod, learnPretrained, type PretrainedTask } from "./learn-pretrained.ts";
import { newTrunk, tensorsOf, vectorTable, widened } from "./network-trunk.ts";
import type { EncoderTrunk } from "./pretrained-trunk.ts";
import type { Sentence } from "./sentences.ts";
import type { TaggerSettings } from "./settings.ts";
import { withLinear } from "./with-linear.ts";

/** What a tagger learns from. */
export interface TaggerTask {
  readonly train: readonly Sentence[];
  readonly held: readonly Sentence[];
  /** Scheme the tags are written in; null where they write no spans. */
  readonly scheme: Scheme | null;
}

/** How a tagger is learnt. */
export interface LearnTaggerOptions {
  /** An encoder's name, or linear. */
  readonly arch: string;
  readonly head: TagHead["kind"];
  readonly settings: TaggerSettings;
  readonly vectors: WordVectors | null;
  /** A pretrained encoder below the head, and how it is trained; null for a network of the tagger's own. */
  readonly encoder?: {
    readonly trunk: EncoderTrunk;
    readonly method: EncoderMethod;
    readonly tuning: PretrainedTask["settings"];
  } | null;
  /** A tagger whose token representation and encoder are started from. */
  readonly source: { readonly spec: TaggerSpec; readonly model: Uint8Array } | null;
  readonly runtime: Runtime;
  readonly random: Random;
  log(entry: object): Promise<void>;
  /** States of a training that was stopped, to go on from, by the name of what is trained. */
  readonly checkpoints: Checkpoints;
  readonly name: string;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onStates?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** A learnt tagger. */
export interface LearntTagger {
  readonly spec: TaggerSpec;
  readonly model: Uint8Array;
  readonly chosen: Readonly<Record<string, number | string>>;
  readonly reason: string;
  /** Score on the held-out sentences after each epoch, and the loss of each. */
  readonly scores: readonly number[];
  readonly losses: readonly number[];
}

/** Epochs of a perceptron, its margin and share of hidden features: chosen on the validation part of English EWT. */
const PERCEPTRON = { epochs: 8, margin: 3, dropout: 0.1 } as const;

/**
 * Learns a tagger on the training sentences, the best epoch chosen on held-out ones: by F1 of spans, else by
 * accuracy.
 */
export async function learnTagger(task: TaggerTask, options: LearnTaggerOptions): Promise<LearntTagger> {
  const { train, held, scheme } = task;
  const { arch, settings, random, runtime, log, onProgress, signal } = options;
  // Ends and single tokens have tags of their own inside the model, whatever the data write.
  const inner: Scheme | null = scheme === null ? null : "BIOES";
  const named = (sentence: Sentence) =>
    inner === null ? sentence.tokens.tags! : convertTags(sentence.tokens.tags!, inner);
  const trainTags = train.map(named);
  const tags = tagList(trainTags);
  const numbers = new Map(tags.map((tag, i) => [tag, i]));
  const head: TagHead = { name: "head", kind: arch === "linear" ? "crf" : options.head, tags: tags.length };
  const idsOf = (sentences: readonly Sentence[], all: readonly (readonly string[])[]): TaggedIds[] =>
    sentences.map(({ tokens }, i) => ({
      tokens: tokens.texts,
      tags: Int32Array.from(all[i]!, (tag) => numbers.get(tag) ?? 0),
    }));
  const trainIds = idsOf(train, trainTags);
  if (arch === "linear") {
    const { tagger, epochs, temperature, wrong } = await perceptron(settings.epochs, onProgress);
    const spec: TaggerSpec = {
      version: 1,
      tags,
      scheme: inner,
      head,
      trunk: { kind: "linear", rows: settings.rows },
    };
    return {
      spec,
      model: writeModel(linearModel(tagger, head)),
      chosen: { epochs, rows: settings.rows, temperature: Number(temperature.toPrecision(3)) },
      reason:
        "an averaged perceptron over whole sentences; its temperature alone was chosen on held-out ones",
      scores: [],
      losses: wrong,
    };
  }
  const learnt = options.encoder ? await learnOverEncoder(options.encoder) : await learnNetwork();
  if (!settings.beside) return learnt;
  const { tagger } = await perceptron(null);
  const feeds = options.encoder?.trunk.feeder.feeds;
  const mixing = { held, scheme, rows: settings.rows, runtime, log, ...(feeds ? { feeds } : {}) };
  return await withLinear(learnt, tagger, { ...mixing, ...(signal ? { signal } : {}) });

  async function perceptron(most: number | null, report?: (done: number, total: number) => void) {
    const features = linearFeatures(settings.rows);
    const epochs = most ?? PERCEPTRON.epochs;
    const wrong: number[] = [];
    const trained = trainPerceptron(trainIds, {
      tags: tags.length,
      features,
      random: random.fork("perceptron"),
      ...PERCEPTRON,
      epochs,
      onEpoch(epoch, share) {
        wrong.push(share);
        report?.(epoch + 1, epochs);
        signal?.throwIfAborted();
        return true;
      },
    });
    for (const [epoch, loss] of wrong.entries()) await log({ step: "epoch", epoch, trainingError: loss });
    const heldIds = held.map((sentence) => ({
      tokens: sentence.tokens.texts,
      tags: Int32Array.from(named(sentence), (tag) => numbers.get(tag) ?? -1),
    }));
    return { ...calibratedTagger(trained, heldIds, features), epochs, wrong };
  }

  async function learnNetwork(): Promise<LearntTagger> {
    const { source } = options;
    const begun = source === null ? null : widened(source, train, random.fork("new words"));
    const trunk = begun?.trunk ?? newTrunk(train, options);
    const vectors =
      source === null ? vectorTable(options.vectors) : tensorsOf(source.model).get("tokens.vectors");
    const spec: TaggerSpec = { version: 1, tags, scheme: inner, head, trunk };
    const tokens = train.reduce((sum, one) => sum + one.tokens.texts.length, 0);
    const epochs = settings.epochs ?? Math.max(8, Math.min(60, Math.round(1_600_000 / tokens)));
    const learningRate = settings.learningRate ?? 0.003;
    const dropout = settings.dropout ?? 0.33;
    const stopped = await options.checkpoints.load(options.name);
    const done = await trainTagger({
      spec,
      runtime,
      random: random.fork("network"),
      train: trainIds,
      held: idsOf(held, held.map(named)),
      score: (tagged) => heldScore(held, tagged, spec, scheme),
      vectors: vectors ?? null,
      tunesVectors: settings.tuneVectors,
      start: begun?.start ?? null,
      epochs,
      learningRate,
      dropout,
      batchTokens: settings.batchTokens,
      checkpoint: {
        every: CHECKPOINT,
        save: (state) => options.checkpoints.save(options.name, state, false),
      },
      ...(stopped === null ? {} : { resume: stopped.state }),
      patience: Math.max(4, Math.round(epochs / 3)),
      onEpoch({ epoch, loss, score }) {
        onProgress?.(epoch + 1, epochs);
        void log({ step: "epoch", epoch, loss, score });
      },
      ...(signal === undefined ? {} : { signal }),
    });
    signal?.throwIfAborted();
    const origin =
      source === null
        ? "every weight was drawn anew"
        : `${done.taken.length} weights were started from the source's, the head is new`;
    return {
      spec,
      model: done.model,
      chosen: { epochs: done.best + 1, learningRate, dropout, batchTokens: settings.batchTokens },
      reason: `${origin}; ${bestOf(done)}`,
      scores: done.scores,
      losses: done.losses,
    };
  }

  function bestOf({ best, scores }: { readonly best: number; readonly scores: readonly number[] }): string {
    const score = `${(100 * Math.max(...scores)).toFixed(1)} % ${scheme === null ? "accuracy" : "F1"}`;
    return `epoch ${best + 1} of ${scores.length} was best on the held-out sentences (${score})`;
  }

  async function learnOverEncoder({
    trunk: encoder,
    method,
    tuning,
  }: NonNullable<LearnTaggerOptions["encoder"]>): Promise<LearntTagger> {
    const spec: TaggerSpec = { version: 1, tags, scheme: inner, head, trunk: encoder.spec };
    const learnt = await learnPretrained({
      encoder,
      method,
      spec,
      train: trainIds,
      held: idsOf(held, held.map(named)),
      score: (tagged) => heldScore(held, tagged, spec, scheme),
      settings: tuning,
      runtime,
      random: random.fork("network"),
      onProgress: (_, count, all) => options.onStates?.(count, all),
      async training(part, epochs) {
        const name = part === "head" && method !== "probe" ? `${options.name}-head` : options.name;
        const stopped = await options.checkpoints.load(name);
        return {
          checkpoint: { every: CHECKPOINT, save: (state) => options.checkpoints.save(name, state, false) },
          ...(stopped === null ? {} : { resume: stopped.state }),
          patience: Math.max(4, Math.round(epochs / 3)),
          onEpoch({ epoch, loss, score }) {
            if (name === options.name) onProgress?.(epoch + 1, epochs);
            void log({ step: "epoch", part, epoch, loss, score });
          },
        };
      },
      signal,
    });
    signal?.throwIfAborted();
    const { model, chosen, trained, scores, losses } = learnt;
    return { spec, model, chosen, reason: `${trained}; ${bestOf(learnt)}`, scores, losses };
  }
}

/** Steps between two states on the disk. */
const CHECKPOINT = 200;

/** Tags in order, "O" first. */
export function tagList(sentences: readonly (readonly string[])[]): string[] {
  const found = [...new Set(sentences.flat())].sort();
  if (found.length < 2)
    throw new InputError(
      `the training sentences have ${found.length === 1 ? `one tag, ${JSON.stringify(found[0])}` : "no tag"}; a tagger needs two`,
    );
  return found.includes("O") ? ["O", ...found.filter((tag) => tag !== "O")] : found;
}

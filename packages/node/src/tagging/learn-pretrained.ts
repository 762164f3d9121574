import {
  appendTagHead,
  build,
  emptyGraph,
  type Feeds,
  float32,
  headOutputs,
  InputError,
  inPieces,
  keepMasks,
  type Model,
  modelOf,
  type Parameters,
  type Random,
  type Runtime,
  type Tagged,
  type TaggedIds,
  type TaggerSpec,
  type TagHead,
  type TagNetwork,
  type TagTrainingOptions,
  type Tensor,
  type TrainedTagNetwork,
  tagBatches,
  taggerOf,
  trainTagNetwork,
  withParameters,
  writeModel,
} from "@graft-ml/core";
import { type FineTuneSettings, isSmall, type Method, trainedParts } from "../training/index.ts";
import { type EncoderTrunk, withTagHead } from "./pretrained-trunk.ts";
import type { SubWords } from "./sub-words.ts";

/** Ways to train a tagger over a pretrained encoder. */
export const ENCODER_METHODS = [
  "probe",
  "lp-ft",
  "lora",
  "bitfit",
  "full",
] as const satisfies readonly Method[];
/** The name of one of them. */
export type EncoderMethod = (typeof ENCODER_METHODS)[number];

/** What a tagger over a pretrained encoder is learnt with. */
export interface PretrainedTask {
  readonly encoder: EncoderTrunk;
  readonly method: EncoderMethod;
  readonly spec: TaggerSpec;
  readonly train: readonly TaggedIds[];
  readonly held: readonly TaggedIds[];
  /** How good tags of `held` are, higher being better. */
  score(tagged: readonly Tagged[]): number;
  readonly settings: Pick<FineTuneSettings, "decay" | "rank" | "alpha" | "depth"> & {
    readonly epochs: number | null;
    readonly learningRate: number | null;
    readonly batchTokens: number;
    readonly dropout: number | null;
  };
  readonly runtime: Runtime;
  readonly random: Random;
  /** Progress of frozen states. */
  readonly onProgress?: (task: string, done: number, total: number) => void;
  /** How the training of a name goes: its head alone, or the encoder. */
  training(name: "head" | "encoder", epochs: number): Promise<Partial<TagTrainingOptions>>;
  readonly signal?: AbortSignal | undefined;
}

/** A learnt tagger over a pretrained encoder. */
export interface LearntPretrained extends Omit<TrainedTagNetwork, "parameters"> {
  readonly model: Uint8Array;
  readonly chosen: Readonly<Record<string, number | string>>;
  readonly trained: string;
}

/**
 * A head sees so many tokens, in epochs from least to most; the encoder is trained for few epochs. Learning
 * rates of each way, and of networks of a million parameters at most.
 */
const HEAD = { tokens: 2_500_000, least: 10, most: 100, rate: 0.01 } as const;
const TUNED: Readonly<
  Record<Exclude<EncoderMethod, "probe">, { epochs: number; rate: number; small: number }>
> = {
  "lp-ft": { epochs: 4, rate: 1e-4, small: 1e-3 },
  lora: { epochs: 4, rate: 5e-4, small: 3e-3 },
  bitfit: { epochs: 4, rate: 1e-3, small: 3e-3 },
  full: { epochs: 4, rate: 1e-4, small: 1e-3 },
};

/** Longest piece, in sub-words, that an encoder is trained on at once. */
const LONGEST = 128;
/** Bytes of frozen states that are kept at most. */
const MOST_BYTES = 3 * 2 ** 30;

/**
 * Learns a head on a pretrained encoder: on its frozen states, each computed once (`probe`), or by training
 * the encoder, too, as the method says; all but `full` then start from the probe's head.
 */
export async function learnPretrained(task: PretrainedTask): Promise<LearntPretrained> {
  const { encoder, method, spec, settings, random } = task;
  const { head } = spec;
  const composed = withTagHead(encoder, head, random.fork("head"));
  const finished = (model: Model, of: Parameters) => withParameters(model, headOf(of, head));
  if (method === "probe") {
    const { parameters, ...done } = await probe(task, composed);
    return {
      ...done,
      model: writeModel(finished(composed, parameters)),
      chosen: { epochs: done.best + 1, learningRate: rateOf(task, HEAD.rate) },
      trained: "the encoder stayed frozen under a new head",
    };
  }
  const start = method === "full" ? composed : finished(composed, (await probe(task, composed)).parameters);
  const { epochs: usual, rate, small } = TUNED[method];
  const epochs = settings.epochs ?? usual;
  const learningRate = rateOf(task, isSmall(encoder.model) ? small : rate);
  const parts = trainedParts({
    method,
    trunk: encoder.model,
    composed: start,
    settings,
    depth: settings.depth,
    random: random.fork("parts"),
  });
  const [stage] = parts.stages as [readonly string[]];
  const names = new Set(stage);
  const pieces = task.train.flatMap((sentence) => shortPieces(sentence, encoder.feeder));
  const network: TagNetwork = {
    head,
    model: parts.model,
    trains: (name) => names.has(name) || name.startsWith(`${head.name}.`),
    training: parts.training,
    lengths: pieces.map(({ tokens }) => encoder.feeder.countOf(tokens)),
    tags: pieces.map(({ tags }) => tags),
    feeds: ({ sentences, rows, length }) =>
      encoder.feeder.feeds(
        Array.from(sentences, (i) => pieces[i]!.tokens),
        length,
        { rows, extent: length },
      ),
    async score(parameters) {
      return await scored(task, finish(parameters));
    },
  };
  const finish = (parameters: Parameters) => finished(parts.finish(parameters), parameters);
  const { parameters, ...done } = await trainTagNetwork(network, {
    ...common(task, epochs, learningRate),
    ...(await task.training("encoder", epochs)),
  });
  return {
    ...done,
    model: writeModel(finish(parameters)),
    chosen: { epochs: done.best + 1, learningRate, depth: parts.depth },
    trained: `${method} trained the upper ${parts.depth} blocks and the head`,
  };
}

/** A head on frozen states, which are computed once for every sentence. */
async function probe(task: PretrainedTask, composed: Model): Promise<TrainedTagNetwork> {
  const { encoder, method, spec, settings, random } = task;
  const { head } = spec;
  const { width } = encoder.spec;
  const pieces = task.train.flatMap((sentence) => inPieces(sentence));
  const states = await frozenStates(task, [...pieces, ...task.held]);
  const own = headOf(
    new Map([...composed.graph.initializers].map(([value, tensor]) => [value.name, tensor])),
    head,
  );
  const graphOf = (training: boolean): Model => {
    const b = build(emptyGraph("head"));
    const input = b.input("states", "float32", ["batch", "length", width]);
    const shown = training ? b.apply("Mul", [input, b.input(KEEP, "float32", ["batch", 1, width])]) : input;
    appendTagHead(b, shown, width, head, random.fork("head"));
    return withParameters(modelOf(b.graph), own);
  };
  const whole = graphOf(false);
  const stacked = (members: readonly (readonly string[])[], rows: number, length: number): Feeds => {
    const data = new Float32Array(rows * length * width);
    for (const [s, tokens] of members.entries()) data.set(states.get(tokens)!, s * length * width);
    return { states: float32([rows, length, width], data) };
  };
  const dropout = settings.dropout ?? 0.1;
  // Where the encoder is trained next, settings of epochs and rate are its, not the head's.
  const isLast = method === "probe";
  const count = pieces.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const usual = Math.max(HEAD.least, Math.min(HEAD.most, Math.round(HEAD.tokens / count)));
  const epochs = (isLast ? settings.epochs : null) ?? usual;
  return await trainTagNetwork(
    {
      head,
      model: graphOf(true),
      trains: () => true,
      lengths: pieces.map(({ tokens }) => tokens.length),
      tags: pieces.map(({ tags }) => tags),
      feeds: ({ sentences, rows, length }, source) => ({
        ...stacked(
          Array.from(sentences, (i) => pieces[i]!.tokens),
          rows,
          length,
        ),
        ...keepMasks([{ name: KEEP, width }], rows, dropout, source),
      }),
      async score(parameters) {
        const session = await task.runtime.load(writeModel(withParameters(whole, parameters)));
        const tagger = taggerOf(spec, session, (members, length) => stacked(members, members.length, length));
        try {
          return task.score(await tagger.tag(task.held.map(({ tokens }) => tokens)));
        } finally {
          await tagger.close();
        }
      },
    },
    {
      ...common(task, epochs, isLast ? rateOf(task, HEAD.rate) : HEAD.rate),
      ...(await task.training("head", epochs)),
    },
  );
}

const KEEP = "keep.0";

/** States [tokens, D] of sentences by their tokens. */
async function frozenStates(
  { encoder, runtime, onProgress, signal }: PretrainedTask,
  sentences: readonly TaggedIds[],
): Promise<Map<readonly string[], Float32Array>> {
  const { width } = encoder.spec;
  const tokens = sentences.reduce((sum, one) => sum + one.tokens.length, 0);
  if (tokens * width * 4 > MOST_BYTES)
    throw new InputError(
      `states of ${tokens} tokens with ${width} numbers each would take ${Math.round((tokens * width * 4) / 2 ** 30)} GB; train the encoder with --method full, or give fewer sentences`,
    );
  const states = new Map<readonly string[], Float32Array>();
  const session = await runtime.load(writeModel(encoder.model));
  const name = encoder.model.graph.outputs[0]!.name;
  try {
    const lengths = sentences.map((one) => encoder.feeder.countOf(one.tokens));
    for (const { sentences: members } of tagBatches(lengths, BATCH, BATCH, null)) {
      signal?.throwIfAborted();
      const own = Array.from(members, (i) => sentences[i]!.tokens);
      const length = Math.max(1, ...own.map((one) => one.length));
      const made = (await session.run(encoder.feeder.feeds(own, length)))[name]!.data as Float32Array;
      for (const [s, one] of own.entries())
        states.set(one, made.slice(s * length * width, (s * length + one.length) * width));
      onProgress?.("states", states.size, sentences.length);
    }
  } finally {
    await session.close();
  }
  return states;
}

/** Sub-words of a run of the frozen encoder. */
const BATCH = 1024;

async function scored(task: PretrainedTask, model: Model): Promise<number> {
  const { spec, encoder, runtime, held } = task;
  const session = await runtime.load(writeModel(model));
  const tagger = taggerOf(spec, session, encoder.feeder.feeds);
  try {
    return task.score(await tagger.tag(held.map(({ tokens }) => tokens)));
  } finally {
    await tagger.close();
  }
}

/** A sentence in pieces whose sub-words fit into one window. */
function shortPieces(sentence: TaggedIds, feeder: SubWords): TaggedIds[] {
  const most = Math.min(LONGEST, feeder.window);
  if (sentence.tokens.length < 2 || feeder.countOf(sentence.tokens) <= most) return [sentence];
  const half = Math.ceil(sentence.tokens.length / 2);
  return inPieces(sentence, half).flatMap((piece) => shortPieces(piece, feeder));
}

function common({ runtime, random, settings, signal }: PretrainedTask, epochs: number, learningRate: number) {
  return {
    runtime,
    random: random.fork("training"),
    epochs,
    learningRate,
    batchTokens: settings.batchTokens,
    ...(signal === undefined ? {} : { signal }),
  };
}

const rateOf = ({ settings }: PretrainedTask, usual: number) => settings.learningRate ?? usual;

/** What belongs to a head. */
function headOf(parameters: ReadonlyMap<string, Tensor>, head: TagHead): Map<string, Tensor> {
  const isOutput = new Set(Object.values(headOutputs(head)));
  return new Map([...parameters].filter(([name]) => name.startsWith(`${head.name}.`) && !isOutput.has(name)));
}

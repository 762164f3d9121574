import { InputError } from "../errors.ts";
import { writeModel } from "../onnx/write.ts";
import type { Tensor } from "../tensor.ts";
import { withParameters } from "../training/plan.ts";
import type { Parameters } from "../training/state.ts";
import type { TaggedIds } from "./perceptron.ts";
import { LONGEST } from "./tag-batches.ts";
import { type Tagged, type TaggerSpec, taggerNetwork, taggerOf } from "./tagger.ts";
import { tokenEncoder } from "./token-encoder.ts";
import { type TagTrainingOptions, type TrainedTagNetwork, trainTagNetwork } from "./train-tag-network.ts";
import { keepMasks } from "./trunk.ts";

/** How a tagger's network is trained. */
export interface TrainTaggerOptions extends TagTrainingOptions {
  readonly spec: TaggerSpec;
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
  readonly dropout: number;
}

/** A trained network as a model file, and how training went. */
export interface TrainedTagger extends Omit<TrainedTagNetwork, "parameters"> {
  readonly model: Uint8Array<ArrayBuffer>;
  /** Names of the weights that came from `start`. */
  readonly taken: readonly string[];
}

/**
 * Trains a tagger's network, see `trainTagNetwork`; words are hidden as rare ones are met, representations
 * and states masked. Sentences beyond 128 tokens are trained on in pieces.
 */
export async function trainTagger(options: TrainTaggerOptions): Promise<TrainedTagger> {
  const { spec, runtime, random, held, vectors = null, tunesVectors = false } = options;
  const { trunk, head } = spec;
  if (trunk.kind !== "network")
    throw new InputError(`trainTagger trains networks, not a ${trunk.kind} trunk`);
  if (options.train.length === 0 || held.length === 0)
    throw new InputError("a tagger needs sentences to train on and held-out ones to choose by");
  const pieces = options.train.flatMap((sentence) => inPieces(sentence));
  const encoder = tokenEncoder(trunk.encoding);
  const drawing = { random: random.fork("weights"), vectors, tunesVectors };
  const whole = taggerNetwork(trunk, head, drawing);
  const { model, keeps } = taggerNetwork(trunk, head, { ...drawing, training: true });
  const own = new Map([...model.graph.initializers].map(([value, tensor]) => [value.name, tensor]));
  const given = [...(options.start ?? [])].filter(([name, { shape }]) => {
    const to = own.get(name)?.shape;
    return to !== undefined && to.length === shape.length && to.every((extent, i) => extent === shape[i]);
  });
  const inference = (parameters: Parameters) => writeModel(withParameters(whole.model, parameters));
  const { parameters, ...done } = await trainTagNetwork(
    {
      head,
      model: withParameters(model, new Map(given)),
      trains: (name) => ["tokens.", "encoder.", `${head.name}.`].some((start) => name.startsWith(start)),
      lengths: pieces.map(({ tokens }) => tokens.length),
      tags: pieces.map(({ tags }) => tags),
      feeds({ sentences, rows, length }, source) {
        const members = Array.from(sentences, (i) => pieces[i]!.tokens);
        const feeds = encoder.feeds(members, { rows, length, random: source });
        const { vector_ids: ids, ...rest } = feeds;
        return {
          ...(ids !== undefined && !tunesVectors
            ? { ...rest, vector_rows: vectorRows(vectors!, ids) }
            : feeds),
          ...keepMasks(keeps, rows, options.dropout, source),
        };
      },
      async score(now) {
        const tagger = taggerOf(spec, await runtime.load(inference(now)));
        try {
          return options.score(await tagger.tag(held.map(({ tokens }) => tokens)));
        } finally {
          await tagger.close();
        }
      },
    },
    options,
  );
  return { ...done, model: inference(parameters), taken: given.map(([name]) => name) };
}

/** A sentence in pieces of at most so many tokens, as alike in length as can be. */
export function inPieces({ tokens, tags }: TaggedIds, most = LONGEST): TaggedIds[] {
  const pieces: TaggedIds[] = [];
  const count = Math.ceil(tokens.length / most);
  for (let k = 0; k < count; k++) {
    const [from, to] = [
      Math.round((k * tokens.length) / count),
      Math.round(((k + 1) * tokens.length) / count),
    ];
    pieces.push({ tokens: tokens.slice(from, to), tags: tags.slice(from, to) });
  }
  return pieces;
}

/**
 * Rows of a table [N, D] at places [rows, length], as [rows, length, D]: what `vector_rows` of a trunk in
 * training is fed.
 */
export function vectorRows(table: Tensor, ids: Tensor): Tensor {
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

import { InputError } from "../errors.ts";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";
import type { Random } from "../random.ts";
import type { Feeds, Results, Runtime, Session } from "../runtime/runtime.ts";
import type { Scheme } from "../spans.ts";
import { float32, int64, type Tensor } from "../tensor.ts";
import { constrained, marginals, noTransitions, type Transitions, viterbi } from "./decode.ts";
import { linearFeatures } from "./linear-features.ts";
import type { LinearTagger } from "./perceptron.ts";
import { tagBatches } from "./tag-batches.ts";
import { appendTagHead, headOutputs, type TagHead, transitionsOf } from "./tag-head.ts";
import { type TokenEncoding, tokenEncoder } from "./token-encoder.ts";
import { appendTrunk, type Trunk, type TrunkSettings } from "./trunk.ts";

/** Everything beside the weights that tagging needs, as plain data: tagger.json of a RUN. */
export interface TaggerSpec {
  readonly version: 1;
  /** Tags in the order of the scores. */
  readonly tags: readonly string[];
  /** Scheme that these tags are written in; null where they write no spans. */
  readonly scheme: Scheme | null;
  readonly head: TagHead;
  /** How tokens are looked at: by a network, or by hashed features alone. */
  readonly trunk:
    | { readonly kind: "network"; readonly encoding: TokenEncoding; readonly settings: TrunkSettings }
    | { readonly kind: "linear"; readonly rows: number }
    | PretrainedTrunk;
  /** Rows of the table of a linear tagger beside the network; see `besideLinear`. */
  readonly beside?: { readonly rows: number };
}

/** A pretrained encoder of sub-words below the head: what it is fed comes from its own tokenizer, see `TagFeeder`. */
export interface PretrainedTrunk {
  readonly kind: "pretrained";
  /** The value of the encoder's graph that a token's state is taken from. */
  readonly layer: string;
  /** Numbers of a state. */
  readonly width: number;
  /** Sub-words a window has at most, special ones included; what is longer is looked at in windows that overlap. */
  readonly window: number;
}

/** Makes a network's inputs of sentences padded to `length` tokens. */
export type TagFeeder = (sentences: readonly (readonly string[])[], length: number) => Feeds;

/** A tagger's network: inputs of `TokenEncoder.feeds`, outputs as `headOutputs` names them. */
export interface TaggerNetwork {
  readonly model: Model;
  readonly keeps: Trunk["keeps"];
}

/** What a network is built with beside its spec. */
export interface NetworkOptions {
  readonly random: Random;
  /** Pretrained vectors [vectorWords + 1, width]. */
  readonly vectors?: Tensor | null;
  readonly training?: boolean;
  /** Whether the vectors are trained, too. */
  readonly tunesVectors?: boolean;
}

/** The network of a spec with freshly drawn weights; one head, called as the spec says. */
export function taggerNetwork(
  trunk: Extract<TaggerSpec["trunk"], { kind: "network" }>,
  head: TagHead,
  options: NetworkOptions,
): TaggerNetwork {
  const builder = build(emptyGraph("tagger"));
  const { states, width, keeps } = appendTrunk(builder, { ...trunk, ...options });
  appendTagHead(builder, states, width, head, options.random);
  return { model: modelOf(builder.graph), keeps };
}

/** A linear tagger as a model: rows of `feature_ids` [batch, length, features] of a table, added up. */
export function linearModel(tagger: LinearTagger, head: TagHead): Model {
  const builder = build(emptyGraph("linear-tagger"));
  const { tags } = head;
  const names = headOutputs(head);
  const width = linearFeatures(1).count;
  const ids = builder.input("feature_ids", "int64", ["batch", "length", width]);
  const table = builder.constant(float32([tagger.weights.length / tags, tags], tagger.weights), "weights");
  const rows = builder.apply("Gather", [table, ids], { axis: 0 });
  const axes = int64([1], [2]);
  const logits = builder.apply("ReduceSum", [rows, axes], { keepdims: 0 }, { name: names.logits });
  builder.graph.outputs.push(Object.assign(logits, { dtype: "float32", shape: ["batch", "length", tags] }));
  const { start, between, end } = tagger.transitions;
  const moves = float32([tags + 2, tags], Float32Array.from([...between, ...start, ...end]));
  const shown = builder.apply(
    "Identity",
    [builder.constant(moves, `${head.name}.transitions`)],
    {},
    {
      name: names.transitions,
    },
  );
  builder.graph.outputs.push(Object.assign(shown, { dtype: "float32", shape: [tags + 2, tags] }));
  return modelOf(builder.graph);
}

/** What a tagger says of a sentence. */
export interface Tagged {
  /** Numbers of the tags [length]. */
  readonly tags: Int32Array;
  /** Probability of each tag [length, C] over all sequences, where asked for. */
  readonly probabilities: Float32Array | null;
}

/** A tagger ready to tag. */
export interface Tagger {
  readonly spec: TaggerSpec;
  /**
   * Tags of sentences of tokens, in their order: the best sequence of those that the scheme allows. With
   * `probabilities`, those of each tag, too.
   */
  tag(
    sentences: readonly (readonly string[])[],
    options?: {
      readonly probabilities?: boolean;
      readonly onProgress?: ((done: number, total: number) => void) | undefined;
      readonly signal?: { readonly aborted: boolean } | undefined;
    },
  ): Promise<Tagged[]>;
  close(): Promise<void>;
}

/** Tokens that run together. */
const TOKENS = 2048;
const ROWS = 128;

/** Opens a tagger by its spec and the bytes of its model; one over a pretrained encoder needs `feedsOf`. */
export async function openTagger(
  spec: TaggerSpec,
  model: Uint8Array,
  runtime: Runtime,
  feedsOf?: TagFeeder,
): Promise<Tagger> {
  return taggerOf(spec, await runtime.load(model), feedsOf);
}

/** A tagger over a session of its model; one over a pretrained encoder needs `feedsOf`. */
export function taggerOf(spec: TaggerSpec, session: Session, feeds: TagFeeder = feeder(spec)): Tagger {
  const names = headOutputs(spec.head);
  const beside = spec.beside && linearFeeder(spec.beside.rows);
  const feedsOf: TagFeeder = beside
    ? (sentences, length) => ({ ...feeds(sentences, length), ...beside(sentences, length) })
    : feeds;
  const count = spec.tags.length;
  return {
    spec,
    async tag(sentences, { probabilities = false, onProgress, signal } = {}) {
      const results = new Array<Tagged>(sentences.length);
      let transitions: Transitions | null = null;
      let allowed: Transitions | null = null;
      let done = 0;
      const lengths = sentences.map((tokens) => tokens.length);
      for (const batch of tagBatches(lengths, TOKENS, ROWS, null)) {
        if (signal?.aborted) break;
        const members = Array.from(batch.sentences, (i) => sentences[i]!);
        const longest = Math.max(1, ...members.map((tokens) => tokens.length));
        const made: Results = await session.run(feedsOf(members, longest));
        transitions ??=
          spec.head.kind === "crf" ? transitionsOf(made[names.transitions]!) : noTransitions(count);
        allowed ??= constrained(transitions, spec.tags, spec.scheme);
        const scores = made[names.logits]!.data as Float32Array;
        for (const [k, i] of batch.sentences.entries()) {
          const { length } = sentences[i]!;
          const own = scores.subarray(k * longest * count, (k * longest + length) * count);
          results[i] = {
            tags: viterbi(own, length, allowed).tags,
            probabilities:
              probabilities && length > 0 ? marginals(own, length, transitions).probabilities : null,
          };
        }
        done += batch.sentences.length;
        onProgress?.(done, sentences.length);
      }
      return results;
    },
    close: () => session.close(),
  };
}

/** What makes the inputs of a batch. */
function feeder({ trunk }: TaggerSpec): TagFeeder {
  if (trunk.kind === "pretrained")
    throw new InputError(
      "a tagger over a pretrained encoder is fed by its tokenizer; give what makes its inputs",
    );
  if (trunk.kind === "network") {
    const encoder = tokenEncoder(trunk.encoding);
    return (sentences: readonly (readonly string[])[], length: number) =>
      encoder.feeds(sentences, { length, rows: sentences.length });
  }
  return linearFeeder(trunk.rows);
}

function linearFeeder(rows: number): TagFeeder {
  const features = linearFeatures(rows);
  return (sentences, length) => {
    const ids = new BigInt64Array(sentences.length * length * features.count);
    for (const [s, tokens] of sentences.entries()) {
      const own = features.of(tokens);
      for (let i = 0; i < own.length; i++) ids[s * length * features.count + i] = BigInt(own[i]!);
    }
    const shape = [sentences.length, length, features.count];
    return { feature_ids: { dtype: "int64", shape, data: ids } as Tensor };
  };
}

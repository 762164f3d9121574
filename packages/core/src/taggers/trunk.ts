import { InputError } from "../errors.ts";
import { type Builder, ints } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import type { Random } from "../random.ts";
import { float32, type Tensor } from "../tensor.ts";
import type { TokenLayer, TokenMixer } from "./encoders/encoder.ts";
import * as encoders from "./encoders/index.ts";
import { AFFIXES, type TokenEncoding } from "./token-encoder.ts";
import { type Weights, weightsOf } from "./weights.ts";

/** A trunk's shape, as plain data. */
export interface TrunkSettings {
  /** Numbers of a word's own embedding, of each affix's, of a character's; and filters over characters. */
  readonly wordWidth: number;
  readonly affixWidth: number;
  readonly characterWidth: number;
  readonly characterFilters: number;
  /** Numbers of a pretrained vector; 0 where there are none. */
  readonly vectorWidth: number;
  /** Name of an encoder, and its own settings. */
  readonly encoder: string;
  readonly encoderSettings: Readonly<Record<string, unknown>>;
}

/** What a trunk is appended with. */
export interface TrunkOptions {
  readonly encoding: TokenEncoding;
  readonly settings: TrunkSettings;
  readonly random: Random;
  /** Pretrained vectors [vectorWords + 1, vectorWidth], row 0 for words without one. */
  readonly vectors?: Tensor | null;
  /**
   * Whether the graph is for training: then `keep.N` [batch, 1, width] are inputs that representations and states are
   * multiplied by, see `keepMasks`.
   */
  readonly training?: boolean;
  /**
   * Whether the vectors are trained: else, in training, their rows come as an input `vector_rows` [batch,
   * length, width].
   */
  readonly tunesVectors?: boolean;
}

/** States of tokens in their sentence. */
export interface Trunk {
  /** [batch, length, width] */
  readonly states: Value;
  readonly width: number;
  /** 1 for tokens, 0 for padding [batch, length, 1]. */
  readonly mask: Value;
  /**
   * Where heads can stand, lowest first: `tokens` (each by itself), layers of the encoder, `encoder` (these
   * states).
   */
  readonly layers: readonly TokenLayer[];
  /** Names and widths of the inputs that mask in training. */
  readonly keeps: readonly { readonly name: string; readonly width: number }[];
}

/**
 * Appends a trunk to a graph: what a token is by itself (its word's embedding, pretrained vector, hashed
 * affixes, a convolution over its characters), then an encoder over the sentence. Heads are appended to its
 * states, one or several. Inputs are those of `TokenEncoder.feeds`. Parameters are named `tokens.…` and
 * `encoder.…`.
 */
export function appendTrunk(builder: Builder, options: TrunkOptions): Trunk {
  const { encoding, settings, random, vectors = null, training = false, tunesVectors = false } = options;
  const weights = weightsOf(builder, random);
  const wordIds = builder.input("word_ids", "int64", ["batch", "length"]);
  const lengths = builder.input("lengths", "int32", ["batch"]);
  const keeps: { name: string; width: number }[] = [];
  const keep = (x: Value, width: number): Value => {
    if (!training) return x;
    const name = `keep.${keeps.length}`;
    keeps.push({ name, width });
    return builder.apply("Mul", [x, builder.input(name, "float32", ["batch", 1, width])]);
  };
  const mask = realTokens(builder, wordIds, lengths);
  const parts: { value: Value; width: number }[] = [];
  if (settings.wordWidth > 0) {
    const table = weights.normal("tokens.words", [encoding.words.length + 2, settings.wordWidth], 0.1);
    parts.push({ value: builder.apply("Gather", [table, wordIds], { axis: 0 }), width: settings.wordWidth });
  }
  if (vectors !== null) {
    const width = vectors.shape[1]!;
    if (training && !tunesVectors) {
      parts.push({ value: builder.input("vector_rows", "float32", ["batch", "length", width]), width });
    } else {
      const ids = builder.input("vector_ids", "int64", ["batch", "length"]);
      const table = builder.constant(vectors, "tokens.vectors");
      parts.push({ value: builder.apply("Gather", [table, ids], { axis: 0 }), width });
    }
  }
  if (encoding.affixRows > 0) {
    const ids = builder.input("affix_ids", "int64", ["batch", "length", AFFIXES]);
    const table = weights.normal("tokens.affixes", [encoding.affixRows, settings.affixWidth], 0.1);
    const each = builder.apply("Gather", [table, ids], { axis: 0 }); // [batch, length, AFFIXES, width]
    const width = AFFIXES * settings.affixWidth;
    parts.push({ value: builder.apply("Reshape", [each, ints([0, 0, width])]), width });
  }
  if (encoding.characters.length > 0) parts.push(characterParts(weights, encoding, settings));
  if (parts.length === 0)
    throw new InputError("a tagger's trunk sees nothing of a token; give words, affixes or characters");
  const joined =
    parts.length === 1
      ? parts[0]!.value
      : builder.apply(
          "Concat",
          parts.map(({ value }) => value),
          { axis: 2 },
          { name: "tokens.joined" },
        );
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const mixer = (encoders as Readonly<Record<string, TokenMixer>>)[settings.encoder];
  if (mixer === undefined)
    throw new InputError(
      `there is no encoder ${JSON.stringify(settings.encoder)}; choose one of ${Object.keys(encoders).join(", ")}`,
    );
  const tokens = keep(joined, width);
  const made = mixer.append(weights, { tokens, width, lengths, mask }, settings.encoderSettings, keep);
  const { lower, states, width: top } = made;
  const layers = [
    { name: "tokens", states: tokens, width },
    ...lower,
    { name: "encoder", states, width: top },
  ];
  return { states, width: top, mask, layers, keeps };
}

/** 1 for tokens, 0 for padding [batch, length, 1]. */
function realTokens(builder: Builder, wordIds: Value, lengths: Value): Value {
  const shape = builder.apply("Shape", [wordIds], { start: 1, end: 2 });
  const length = builder.apply("Squeeze", [shape, ints([0])]);
  const places = builder.apply("Range", [
    { dtype: "int64", shape: [], data: BigInt64Array.of(0n) },
    length,
    { dtype: "int64", shape: [], data: BigInt64Array.of(1n) },
  ]);
  const ends = builder.apply("Unsqueeze", [builder.apply("Cast", [lengths], { to: 7 }), ints([1])]);
  const real = builder.apply("Cast", [builder.apply("Less", [places, ends])], { to: 1 });
  return builder.apply("Unsqueeze", [real, ints([2])], {}, { name: "mask" });
}

/**
 * The strongest responses of filters over three characters (Ma and Hovy 2016,
 * https://aclanthology.org/P16-1101): each character's embedding beside its neighbours', times one matrix.
 */
function characterParts(weights: Weights, encoding: TokenEncoding, settings: TrunkSettings) {
  const { builder } = weights;
  const { wordLength, characters } = encoding;
  const { characterWidth: width, characterFilters: filters } = settings;
  const ids = builder.input("char_ids", "int64", ["batch", "length", wordLength]);
  const rows = builder.apply("Reshape", [ids, ints([-1, wordLength])]);
  const table = weights.normal("tokens.characters", [characters.length + 2, width], 0.2);
  const letters = builder.apply("Gather", [table, rows], { axis: 0 }); // [words, wordLength, width]
  const padded = builder.apply("Pad", [letters, ints([0, 1, 0, 0, 1, 0]), 0]);
  const at = (from: number) =>
    builder.apply("Slice", [padded, ints([from]), ints([from + wordLength]), ints([1])]);
  const windows = builder.apply("Concat", [at(0), at(1), at(2)], { axis: 2 });
  const flat = builder.apply("Reshape", [windows, ints([-1, 3 * width])]);
  const made = builder.apply("Gemm", [
    flat,
    weights.normal("tokens.filters.weight", [3 * width, filters], Math.sqrt(2 / (3 * width))),
    weights.constant("tokens.filters.bias", [filters], 0),
  ]);
  const responses = builder.apply("Reshape", [
    builder.apply("Relu", [made]),
    ints([-1, wordLength, filters]),
  ]);
  const strongest = builder.apply("ReduceMax", [responses], { axes: [1], keepdims: 0 });
  // [batch, length, filters]: the first two extents are those of the words.
  const shape = builder.apply(
    "Concat",
    [builder.apply("Shape", [ids], { start: 0, end: 2 }), ints([filters])],
    {
      axis: 0,
    },
  );
  return { value: builder.apply("Reshape", [strongest, shape]), width: filters };
}

/**
 * Masks for the `keep` inputs of a trunk, one of a sentence and a number for all its tokens (Gal and Ghahramani 2016,
 * https://arxiv.org/abs/1512.05287): 0 with probability `dropout`, else 1/(1 − dropout).
 */
export function keepMasks(
  keeps: Trunk["keeps"],
  rows: number,
  dropout: number,
  random: Random,
): Record<string, Tensor> {
  const kept = 1 / (1 - dropout);
  const bound = Math.round(dropout * 2 ** 16);
  return Object.fromEntries(
    keeps.map(({ name, width }) => {
      const data = new Float32Array(rows * width);
      // One draw serves two numbers: sixteen bits of it each.
      for (let i = 0; i < data.length; i += 2) {
        const bits = random.integer(2 ** 32);
        data[i] = (bits & 65535) < bound ? 0 : kept;
        if (i + 1 < data.length) data[i + 1] = bits >>> 16 < bound ? 0 : kept;
      }
      return [name, float32([rows, 1, width], data)];
    }),
  );
}

import type { Value } from "../../ir/graph.ts";
import type { Options } from "../../options.ts";
import type { Weights } from "../weights.ts";

/** What an encoder is given: the representations of tokens and which of them are there. */
export interface EncoderInput {
  /** [batch, length, width] */
  readonly tokens: Value;
  readonly width: number;
  /** Tokens of each sentence [batch], int32. */
  readonly lengths: Value;
  /** 1 for tokens, 0 for padding [batch, length, 1]. */
  readonly mask: Value;
}

/** States of tokens at one depth. */
export interface TokenLayer {
  readonly name: string;
  /** [batch, length, width] */
  readonly states: Value;
  readonly width: number;
}

/** States of tokens in their sentence. */
export interface EncoderOutput {
  /** [batch, length, width] */
  readonly states: Value;
  readonly width: number;
  /** The states below those, lowest first: where heads of easier tasks may stand. */
  readonly lower: readonly TokenLayer[];
}

/** What mixes the tokens of a sentence. A new one is a file here and a line in the folder's index. */
export interface TokenMixer {
  readonly about: string;
  readonly options: Options;
  /** Appends the encoder to the graph that `weights` draws for. `keep` masks states in training, see `trunkGraph`. */
  append(
    weights: Weights,
    input: EncoderInput,
    settings: Readonly<Record<string, unknown>>,
    keep: (states: Value, width: number) => Value,
  ): EncoderOutput;
}

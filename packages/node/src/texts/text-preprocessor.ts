import { createHash } from "node:crypto";
import { type DataType, type Input, InputError, type Preprocessor, type Tensor } from "@graft-ml/core";
import type { JsonObject, TokenizerFiles } from "../backbones/index.ts";
import { type Encoder, encoder, type Tokens } from "./tokens.ts";

/** An input of the network's graph. */
export interface TextInput {
  readonly name: string;
  /** int64 where left out. */
  readonly dtype?: DataType | null;
}

/** What `textPreprocessor` needs of a backbone. */
export interface TextPreprocessorOptions {
  /** Null is refused with a message that says what is missing. */
  readonly tokenizer: TokenizerFiles | null;
  /** The inputs of the graph: input_ids and, where it has them, attention_mask, token_type_ids, position_ids. */
  readonly inputs: readonly TextInput[];
  /** Tokens a text is cut to, special tokens included; by default what the network takes, 512 at most. */
  readonly maxLength?: number;
  /** Pads every text to this many tokens: for graphs whose sequence extent is fixed. */
  readonly fixedLength?: number;
  /** The network's config.json. */
  readonly config?: JsonObject | null;
}

/** Cut here where nobody says how long texts may be. */
const DEFAULT_LENGTH = 512;

/** What can be computed for a network, by the name of its input. `real` tells tokens from padding. */
const makers: Readonly<Record<string, (tokens: Tokens, at: number, padId: number) => number>> = {
  input_ids: ({ ids }, at, padId) => ids[at] ?? padId,
  attention_mask: ({ ids }, at) => (at >= 0 && at < ids.length ? 1 : 0),
  token_type_ids: ({ types }, at) => types[at] ?? 0,
  position_ids: ({ ids }, at) => (at >= 0 && at < ids.length ? at : 0),
};

/**
 * Texts as token ids after tokenizer.json: cut, padded, with the masks the graph asks for. A text is padded
 * to the next of a few lengths (`extentOf`), which depends on this text alone. Throws InputError where there
 * is no tokenizer, where the graph wants an input that texts do not have, or where the lengths contradict
 * each other.
 */
export function textPreprocessor(options: TextPreprocessorOptions): Preprocessor {
  const { fingerprint, encode, maxLength, fixedLength, feeds, files } = tokenFeeds(options);
  // A row is asked for its extent and then prepared: its tokens are kept as long as the row is.
  const known = new WeakMap<Input, Tokens>();
  const tokensOf = (input: Input): Tokens => {
    let tokens = known.get(input);
    if (tokens === undefined) known.set(input, (tokens = encode.encode(textOf(input))));
    return tokens;
  };
  const extentOf = (input: Input) => fixedLength ?? paddedLength(tokensOf(input).ids.length, maxLength);
  return {
    kind: "text",
    fingerprint,
    extentOf: (input) => (input.kind === "text" && input.text.trim() === "" ? 0 : extentOf(input)),
    async prepare(batch, change) {
      if (change) throw new InputError("texts are not changed at random; train without augmentation");
      return feeds(batch.map(tokensOf), Math.max(0, ...batch.map(extentOf)));
    },
    files,
  };
}

/** What puts token ids into a network's inputs. */
export interface TokenFeeds {
  /** Of everything that the feeds depend on. */
  readonly fingerprint: string;
  readonly encode: Encoder;
  /** Tokens a text is cut to, special ones included. */
  readonly maxLength: number;
  readonly fixedLength: number | null;
  /** Inputs [rows, extent] of texts in tokens, padded to `extent`. */
  feeds(rows: readonly Tokens[], extent: number): Record<string, Tensor>;
  /** The tokenizer's files by name, with the limits that were used. */
  files(): Readonly<Record<string, string>>;
}

/** The inputs of a network by its tokenizer's files. Throws as `textPreprocessor` does. */
export function tokenFeeds(options: TextPreprocessorOptions): TokenFeeds {
  const { tokenizer, inputs } = options;
  if (tokenizer === null)
    throw new InputError(
      "the backbone has no tokenizer.json, so its texts cannot be split as in its training; add that file beside the model",
    );
  requireInputs(inputs);
  const { maxLength, fixedLength } = lengths(options, tokenizer);
  const encode = encoder(tokenizer, maxLength);
  const masked = inputs.some(({ name }) => name === "attention_mask");
  const padId = paddingId(tokenizer, options.config ?? null, encode, masked);
  const padLeft = tokenizer.config?.padding_side === "left";
  const graft = { maxLength, padId, fixedLength };
  const config = { ...tokenizer.config, model_max_length: maxLength, graft };
  return {
    fingerprint: `text-1-${createHash("sha256")
      .update(
        JSON.stringify([tokenizer.json, config, inputs.map(({ name, dtype }) => [name, dtype ?? "int64"])]),
      )
      .digest("hex")}`,
    encode,
    maxLength,
    fixedLength,
    feeds(rows, extent) {
      const feeds: Record<string, Tensor> = {};
      for (const { name, dtype } of inputs) {
        const make = makers[name]!;
        const data = new Int32Array(rows.length * extent);
        for (const [i, tokens] of rows.entries()) {
          const shift = padLeft ? extent - tokens.ids.length : 0;
          for (let j = 0; j < extent; j++) data[i * extent + j] = make(tokens, j - shift, padId);
        }
        const shape = [rows.length, extent];
        feeds[name] =
          dtype === "int32"
            ? { dtype, shape, data }
            : { dtype: "int64", shape, data: BigInt64Array.from(data, BigInt) };
      }
      return feeds;
    },
    files: () => ({
      "tokenizer.json": JSON.stringify(tokenizer.json),
      "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
    }),
  };
}

/** The text of an input; throws InputError where it is empty or no text. */
export function textOf(input: Input): string {
  if (input.kind !== "text")
    throw new InputError(
      `the model takes texts, but this input is an ${input.kind === "raw" ? "image" : input.kind}`,
    );
  if (input.text.trim() === "") throw new InputError("the text is empty; write one or leave the row out");
  return input.text;
}

/** The next of 16, 32, 48, 64, 96, 128, 192, 256, 384, 512 …, or `maxLength` if that is less. */
export function paddedLength(length: number, maxLength: number): number {
  let extent = 16;
  while (extent < length) extent += extent < 64 ? 16 : 2 ** Math.floor(Math.log2(extent)) / 2;
  return Math.min(extent, maxLength);
}

function requireInputs(inputs: readonly TextInput[]): void {
  for (const { name, dtype } of inputs) {
    if (!(name in makers))
      throw new InputError(
        `the network wants an input "${name}"; texts give ${Object.keys(makers).join(", ")}. Export it without that input`,
      );
    if (dtype !== undefined && dtype !== null && dtype !== "int64" && dtype !== "int32")
      throw new InputError(`the network's input "${name}" is ${dtype}; int64 or int32 was expected`);
  }
  if (!inputs.some(({ name }) => name === "input_ids"))
    throw new InputError(
      `the network has no input "input_ids" (${inputs.map(({ name }) => name).join(", ")})`,
    );
}

function lengths(
  { maxLength, fixedLength, config }: TextPreprocessorOptions,
  tokenizer: TokenizerFiles,
): { maxLength: number; fixedLength: number | null } {
  const stored = tokenizer.config?.graft as { maxLength?: number; fixedLength?: number | null } | undefined;
  const fixed = fixedLength ?? stored?.fixedLength ?? null;
  const limit = Math.min(
    wholeNumber(tokenizer.config?.model_max_length),
    positions(config ?? null),
    fixed ?? Number.POSITIVE_INFINITY,
  );
  const wanted = maxLength ?? stored?.maxLength ?? Math.min(limit, fixed ?? DEFAULT_LENGTH);
  if (!Number.isInteger(wanted) || wanted < 1)
    throw new InputError(`maximal length must be a whole number from 1, got ${wanted}`);
  if (wanted > limit)
    throw new InputError(
      `maximal length ${wanted} is more than the network takes, ${limit}; give at most that`,
    );
  return { maxLength: wanted, fixedLength: fixed };
}

/** Tokens the position table of a network has room for. RoBERTa's family counts from the padding id + 1. */
function positions(config: JsonObject | null): number {
  const all = wholeNumber(config?.max_position_embeddings ?? config?.n_positions);
  const offset = /roberta|camembert|mpnet|longformer/.test(String(config?.model_type))
    ? wholeNumber(config?.pad_token_id ?? 1, 1) + 1
    : 0;
  return all - offset;
}

/** Files say "no limit" with huge numbers. */
function wholeNumber(value: unknown, otherwise = Number.POSITIVE_INFINITY): number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 1e6
    ? (value as number)
    : otherwise;
}

function paddingId(
  { json, config }: TokenizerFiles,
  networkConfig: JsonObject | null,
  { idOf }: Encoder,
  masked: boolean,
): number {
  const stored = (config?.graft as { padId?: number } | undefined)?.padId;
  if (stored !== undefined) return stored;
  const named = config?.pad_token as string | { content?: string } | null | undefined;
  const token = typeof named === "object" ? named?.content : named;
  const candidates = [
    token === undefined ? undefined : idOf(token),
    (json.padding as JsonObject | null | undefined)?.pad_id,
    networkConfig?.pad_token_id,
    idOf("[PAD]"),
    idOf("<pad>"),
  ];
  const found = candidates.find((id) => Number.isInteger(id) && (id as number) >= 0);
  if (found !== undefined) return found as number;
  // A masked place is never looked at, so any id will do.
  if (masked) return 0;
  throw new InputError(
    "the tokenizer has no padding token and the network no attention_mask, so texts of differing lengths cannot be told apart; name a pad_token in tokenizer_config.json",
  );
}

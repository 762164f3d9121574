import { InputError } from "@graft-ml/core";
import { Tokenizer } from "@huggingface/tokenizers";
import type { JsonObject, TokenizerFiles } from "../backbones/index.ts";

/** Ids of a text as a network wants them, special tokens included. */
export interface Tokens {
  readonly ids: Int32Array;
  /** Which segment each token belongs to: 0 but for special tokens of some networks. */
  readonly types: Int32Array;
}

/** Splits texts into tokens of at most `maxLength`, special tokens included, in time linear in the text. */
export interface Encoder {
  encode(text: string): Tokens;
  /** Ids of a text as it is, without special tokens, uncut. */
  pieces(text: string): readonly number[];
  /** Pieces, at most `maxLength` less the special tokens, with these around them. */
  framed(pieces: readonly number[]): Tokens;
  /** How many special tokens come before and after. */
  readonly frame: { readonly before: number; readonly after: number };
  /** The id of a token; null where the vocabulary has none of that name. */
  idOf(token: string): number | null;
}

/** Tokens beyond `maxLength` that a beginning of a text must have before the rest of the text is left unread. */
const MARGIN = 64;

/**
 * An encoder after tokenizer.json. A text that is too long loses tokens at its end (at its beginning where
 * tokenizer_config.json says `truncation_side: left`) and never a special token. Throws InputError where the
 * files do not describe a tokenizer, or where `maxLength` leaves no room for the text.
 */
export function encoder({ json, config }: TokenizerFiles, maxLength: number): Encoder {
  const tokenizer = open(json, config ?? {});
  const frame = specialTokens(tokenizer);
  const room = maxLength - frame.before.ids.length - frame.after.ids.length;
  if (room < 1)
    throw new InputError(
      `maximal length ${maxLength} leaves no room for text beside ${maxLength - room} special tokens; give a larger one`,
    );
  const fromLeft = config?.truncation_side === "left";
  const framed = (body: readonly number[]): Tokens => ({
    ids: Int32Array.from([...frame.before.ids, ...body, ...frame.after.ids]),
    types: Int32Array.from([...frame.before.types, ...body.map(() => frame.type), ...frame.after.types]),
  });
  return {
    encode(text) {
      const all = fromLeft ? bodyOf(tokenizer, text) : beginningOf(tokenizer, text, room);
      return framed(fromLeft ? all.slice(Math.max(0, all.length - room)) : all.slice(0, room));
    },
    pieces: (text) => bodyOf(tokenizer, text),
    framed,
    frame: { before: frame.before.ids.length, after: frame.after.ids.length },
    idOf: (token) => tokenizer.token_to_id(token) ?? null,
  };
}

function open(json: JsonObject, config: JsonObject): Tokenizer {
  try {
    return new Tokenizer(json, config);
  } catch (error) {
    throw new InputError(`tokenizer.json cannot be used: ${(error as Error).message}`);
  }
}

function bodyOf(tokenizer: Tokenizer, text: string): number[] {
  try {
    return tokenizer.encode(text, { add_special_tokens: false }).ids;
  } catch (error) {
    // The library calls functions with an argument a token: a huge run that it takes for one piece exhausts
    // the stack.
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(
      `a text of ${text.length} characters is more than the tokenizer can split at once; shorten it`,
    );
  }
}

/**
 * Enough of a text's tokens to fill `room`. Of a long text only a beginning is split, twice as much each
 * time, until it has `MARGIN` tokens more than wanted: where it was cut, at a space if there is one nearby,
 * changes only the last ones.
 */
function beginningOf(tokenizer: Tokenizer, text: string, room: number): number[] {
  for (let length = 16 * (room + MARGIN); length < text.length; length *= 2) {
    const body = bodyOf(tokenizer, text.slice(0, cutNear(text, length)));
    if (body.length >= room + MARGIN) return body;
  }
  return bodyOf(tokenizer, text);
}

function cutNear(text: string, length: number): number {
  for (let at = length; at > length - 256; at--) if (/\s/.test(text[at]!)) return at;
  return /[\uDC00-\uDFFF]/.test(text[length]!) ? length - 1 : length;
}

interface Special {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/** What the tokenizer puts around every text, found by trying. */
function specialTokens(tokenizer: Tokenizer): { before: Special; after: Special; type: number } {
  for (const probe of ["a", "1", "的", "hello world"]) {
    const body = bodyOf(tokenizer, probe);
    const { ids, token_type_ids } = tokenizer.encode(probe, { return_token_type_ids: true });
    // Left out, against its type, by a tokenizer without a post-processor.
    const types = (token_type_ids as number[] | undefined) ?? ids.map(() => 0);
    if (body.length === 0) continue;
    for (let at = 0; at + body.length <= ids.length; at++)
      if (body.every((id, i) => ids[at + i] === id)) {
        const part = (from: number, to: number) => ({
          ids: ids.slice(from, to),
          types: types.slice(from, to),
        });
        return { before: part(0, at), after: part(at + body.length, ids.length), type: types[at] ?? 0 };
      }
  }
  throw new InputError(
    "tokenizer.json: the special tokens could not be told from the text's own; this kind of tokenizer is not known",
  );
}

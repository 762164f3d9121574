import { type Feeds, InputError, type Tensor } from "@graft-ml/core";
import { paddedLength, type TextPreprocessorOptions, type Tokens, tokenFeeds } from "../texts/index.ts";

/** Name of the input that says where the first sub-word of each token stands [sentences, length]. */
export const TOKEN_PLACES = "token_places";

/** Feeds sentences of given tokens to a pretrained encoder of sub-words. */
export interface SubWords {
  /** Of everything that the feeds depend on. */
  readonly fingerprint: string;
  /** Sub-words a window has at most, special ones included. */
  readonly window: number;
  /** Sub-words of a sentence and the special ones around them, were it one window. */
  countOf(tokens: readonly string[]): number;
  /**
   * The encoder's inputs [windows, extent] and `token_places` [sentences, length]: each token's first
   * sub-word among the windows one after the other, 0 for padding. With `shape`, extents and rows are these,
   * a window a sentence.
   */
  feeds(
    sentences: readonly (readonly string[])[],
    length: number,
    shape?: { readonly rows: number; readonly extent: number },
  ): Feeds;
  /** The tokenizer's files by name. */
  files(): Readonly<Record<string, string>>;
}

/** Sub-words of a sentence in windows, and for each token its window and the place of its first sub-word therein. */
interface Layout {
  readonly windows: readonly Tokens[];
  readonly window: Int32Array;
  readonly place: Int32Array;
}

/** A token has this share of a window at most, so that every window has several, and no more sub-words than this. */
const SHARE = 1 / 4;
const MOST = 60;

/**
 * Sub-words of given tokens: each token is split by itself, as after a blank where the tokenizer marks these,
 * and its first sub-word stands for it (Devlin et al. 2019, section 5.4, https://aclanthology.org/N19-1423).
 * A sentence longer than a window is seen in windows that overlap by half; a token is taken from the one
 * whose ends are farthest from it. A token of which the tokenizer keeps nothing becomes an unknown one.
 * Throws as `tokenFeeds` does.
 */
export function subWords(options: TextPreprocessorOptions): SubWords {
  const { fingerprint, encode, maxLength: window, fixedLength, feeds, files } = tokenFeeds(options);
  const { before, after } = encode.frame;
  const room = window - before - after;
  const most = Math.max(1, Math.min(MOST, Math.floor(room * SHARE)));
  const blank = marksBlanks(options) ? " " : "";
  const unknown = unknownId(options, encode.idOf);
  const left = options.tokenizer?.config?.padding_side === "left";
  const known = new Map<string, readonly number[]>();
  const piecesOf = (token: string): readonly number[] => {
    let found = known.get(token);
    if (found === undefined) {
      if (known.size > 200_000) known.clear();
      const pieces = encode.pieces(blank + token).slice(0, most);
      found = pieces.length > 0 ? pieces : [unknown];
      known.set(token, found);
    }
    return found;
  };
  return {
    fingerprint,
    window,
    countOf: (tokens) => tokens.reduce((sum, token) => sum + piecesOf(token).length, before + after),
    feeds(sentences, length, shape) {
      const layouts = sentences.map((tokens) => layoutOf(tokens.map(piecesOf), room, encode.framed));
      const all = layouts.flatMap(({ windows }) => windows);
      if (shape !== undefined && all.length > sentences.length)
        throw new InputError(`a sentence of more than ${room} sub-words is trained on in pieces`);
      while (shape !== undefined && all.length < shape.rows) all.push(encode.framed([]));
      const longest = Math.max(before + after, ...all.map(({ ids }) => ids.length));
      const extent = fixedLength ?? shape?.extent ?? paddedLength(longest, window);
      const rows = shape?.rows ?? sentences.length;
      const places = new BigInt64Array(rows * length);
      let first = 0;
      for (const [s, { windows, window: own, place }] of layouts.entries()) {
        for (let t = 0; t < place.length; t++) {
          const at = own[t]!;
          const shift = left ? extent - windows[at]!.ids.length : 0;
          places[s * length + t] = BigInt((first + at) * extent + shift + before + place[t]!);
        }
        first += windows.length;
      }
      const where: Tensor = { dtype: "int64", shape: [rows, length], data: places };
      return { ...feeds(all, extent), [TOKEN_PLACES]: where };
    },
    files,
  };
}

/** Pieces of tokens laid out in windows of `room` pieces. */
function layoutOf(
  tokens: readonly (readonly number[])[],
  room: number,
  framed: (pieces: readonly number[]) => Tokens,
): Layout {
  const all = tokens.flat();
  const starts = [0];
  const step = Math.max(1, Math.floor(room / 2));
  for (let at = step; starts.at(-1)! + room < all.length; at += step)
    starts.push(Math.min(at, all.length - room));
  const window = new Int32Array(tokens.length);
  const place = new Int32Array(tokens.length);
  let piece = 0;
  for (const [t, { length }] of tokens.entries()) {
    let best = -1;
    for (const [w, start] of starts.entries()) {
      const end = start + room;
      if (piece < start || piece >= end) continue;
      // The ends of the sentence itself cut nothing off.
      const sure = Math.min(
        start === 0 ? Number.POSITIVE_INFINITY : piece - start,
        end >= all.length ? Number.POSITIVE_INFINITY : end - 1 - piece,
      );
      if (sure <= best) continue;
      best = sure;
      window[t] = w;
      place[t] = piece - start;
    }
    piece += length;
  }
  return { windows: starts.map((start) => framed(all.slice(start, start + room))), window, place };
}

/** Whether the tokenizer tells words after a blank from others, and adds none by itself. */
function marksBlanks({ tokenizer }: TextPreprocessorOptions): boolean {
  const step = tokenizer?.json.pre_tokenizer as PreTokenizer | null | undefined;
  return [step, ...(step?.pretokenizers ?? [])].some(
    (one) => one?.type === "ByteLevel" && one.add_prefix_space !== true,
  );
}

interface PreTokenizer {
  readonly type?: string;
  readonly add_prefix_space?: boolean;
  readonly pretokenizers?: readonly PreTokenizer[];
}

function unknownId({ tokenizer }: TextPreprocessorOptions, idOf: (token: string) => number | null): number {
  const named = tokenizer?.config?.unk_token as string | { content?: string } | null | undefined;
  const model = tokenizer?.json.model as { unk_token?: string | null; unk_id?: number } | undefined;
  const token = (typeof named === "object" ? named?.content : named) ?? model?.unk_token;
  return (token ? idOf(token) : null) ?? model?.unk_id ?? idOf("[UNK]") ?? idOf("<unk>") ?? 0;
}

import { InputError } from "@graft-ml/core";
import { Tokenizer } from "@huggingface/tokenizers";
import type { JsonObject, TokenizerFiles } from "../backbones/index.ts";
import { SPECIAL_TOKENS, wordPieceFiles } from "./word-piece.ts";

/** How a vocabulary is made. */
export interface TokenizerTraining {
  /** Most tokens, special ones included. */
  readonly size: number;
  /** Most tokens of a text, as tokenizer_config.json says it. */
  readonly maxLength: number;
  /** Upper case counts as lower case, and accents are dropped. */
  readonly isUncased?: boolean;
}

/** Words seen less often than this are left to their characters. */
const LEAST = 2;

/**
 * A tokenizer after the texts given: the commonest words whole, every other word by its longest known
 * beginning and characters, Chinese by characters. The vocabulary is of words and characters and has no
 * merged pieces. Equal texts in any order give equal files. Throws an InputError where there is no text or no
 * room for the characters.
 */
export function trainTokenizer(texts: Iterable<string>, options: TokenizerTraining): TokenizerFiles {
  const { size, maxLength, isUncased = true } = options;
  const splits = splitter(isUncased);
  const words = new Map<string, number>();
  const characters = new Map<string, number>();
  for (const text of texts)
    for (const word of splits(text)) {
      words.set(word, (words.get(word) ?? 0) + 1);
      for (const [i, character] of [...word].entries()) {
        const piece = i === 0 ? character : `##${character}`;
        characters.set(piece, (characters.get(piece) ?? 0) + 1);
      }
    }
  if (words.size === 0) throw new InputError("there are no words to make a vocabulary of");
  const room = size - SPECIAL_TOKENS.length;
  // Half at most goes to characters, of which some languages have thousands.
  const pieces = commonest(characters, 1).slice(0, Math.max(1, Math.ceil(room / 2)));
  const known = new Set<string>([...SPECIAL_TOKENS, ...pieces]);
  for (const word of commonest(words, LEAST)) {
    if (known.size >= size) break;
    known.add(word);
  }
  if (known.size > size)
    throw new InputError(
      `a vocabulary of ${size} tokens has no room for the special ones and a character; give a larger one`,
    );
  return filesOf([...known], maxLength, isUncased);
}

function filesOf(vocabulary: readonly string[], maxLength: number, isUncased: boolean): TokenizerFiles {
  const preTokenizer = { type: "BertPreTokenizer" };
  return wordPieceFiles({ vocabulary, maxLength, normalizer: normalizer(isUncased), preTokenizer });
}

function normalizer(isUncased: boolean): JsonObject {
  return {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: isUncased,
    lowercase: isUncased,
  };
}

/** Words as the tokenizer itself will split them. */
function splitter(isUncased: boolean): (text: string) => string[] {
  const { json, config } = filesOf(SPECIAL_TOKENS, 1, isUncased);
  const tokenizer = new Tokenizer(json, config!);
  return (text) => tokenizer.pre_tokenizer!.pre_tokenize(tokenizer.normalizer!.normalize(text));
}

/** The most frequent first; of equally frequent ones in the order of their characters. */
function commonest(counts: ReadonlyMap<string, number>, least: number): string[] {
  return [...counts]
    .filter(([, count]) => count >= least)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([name]) => name);
}

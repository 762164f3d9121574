import { InputError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Feeds } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor.ts";
import { hashOf, withoutDigits, wordShape } from "./word-shape.ts";

/** How tokens become numbers: everything that must be the same in training and later, as plain data. */
export interface TokenEncoding {
  readonly version: 1;
  /**
   * Words with a row of their own, from row 2 on; row 0 is padding, row 1 any other word. In lower case,
   * digits as 0.
   */
  readonly words: readonly string[];
  /** Training tokens of each word, in the order of `words`: rare ones are hidden at times in training. */
  readonly counts: readonly number[];
  /** Rows of the table of hashed affixes; 0 for none. */
  readonly affixRows: number;
  /** Characters with a row of their own, from row 2 on; empty where characters are not looked at. */
  readonly characters: readonly string[];
  /** Characters a word is cut to. */
  readonly wordLength: number;
  /** Words of the pretrained vectors, from row 1 on (row 0 is none); empty where there are none. */
  readonly vectorWords: readonly string[];
}

/** Affixes and outlines of a word that have a row each. */
export const AFFIXES = 7;

/** What makes an encoding out of training sentences. */
export interface EncodingOptions {
  /** Tokens a word must occur to have a row of its own. */
  readonly minimum: number;
  readonly affixRows: number;
  /** Whether characters are looked at. */
  readonly characters: boolean;
  readonly vectorWords?: readonly string[];
}

/** Characters that have rows: a table of up to 128 rows is quick to differentiate. */
const MOST_CHARACTERS = 126;

/** The encoding of training sentences: words and characters that occur often enough, most frequent first. */
export function tokenEncoding(
  sentences: readonly (readonly string[])[],
  { minimum, affixRows, characters, vectorWords = [] }: EncodingOptions,
): TokenEncoding {
  const words = new Map<string, number>();
  const letters = new Map<string, number>();
  let longest = 1;
  for (const sentence of sentences)
    for (const token of sentence) {
      const word = wordOf(token);
      words.set(word, (words.get(word) ?? 0) + 1);
      if (!characters) continue;
      const all = [...token];
      longest = Math.max(longest, all.length);
      for (const letter of all) letters.set(letter, (letters.get(letter) ?? 0) + 1);
    }
  const kept = frequent(words, minimum);
  return {
    version: 1,
    words: kept.map(([word]) => word),
    counts: kept.map(([, count]) => count),
    affixRows,
    characters: frequent(letters, 2)
      .slice(0, MOST_CHARACTERS)
      .map(([letter]) => letter),
    wordLength: Math.min(16, Math.max(4, longest)),
    vectorWords,
  };
}

function frequent(counts: ReadonlyMap<string, number>, minimum: number): [string, number][] {
  return [...counts]
    .filter(([, count]) => count >= minimum)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** A token as its row has it: in lower case, digits as 0. */
function wordOf(token: string): string {
  return withoutDigits(token).toLowerCase();
}

/** Rows of a token, kept for the next time it comes. */
interface TokenRows {
  readonly word: number;
  readonly vector: number;
  readonly affixes: readonly number[];
  readonly characters: readonly number[];
}

/** Turns sentences into the inputs of a tagger's network. */
export interface TokenEncoder {
  readonly encoding: TokenEncoding;
  /** Whether the word has a row of its own. */
  knows(token: string): boolean;
  /**
   * Feeds of sentences, padded to `length` tokens and filled up to `rows` sentences: `word_ids` [rows, length],
   * `vector_ids` [rows, length], `affix_ids` [rows, length, 7], `char_ids` [rows, length, wordLength] and `lengths` [rows].
   * With `random`, words are hidden as rare ones are met: with probability 1/(4·count + 1) (after Kiperwasser
   * and Goldberg 2016, https://aclanthology.org/Q16-1023).
   */
  feeds(
    sentences: readonly (readonly string[])[],
    shape: { readonly length: number; readonly rows: number; readonly random?: Random },
  ): Feeds;
}

/** An encoder by an encoding; throws an InputError where it is not one that this version wrote. */
export function tokenEncoder(encoding: TokenEncoding): TokenEncoder {
  if (encoding?.version !== 1 || !Array.isArray(encoding.words))
    throw new InputError(
      `tokens.json has version ${JSON.stringify(encoding?.version)}, but 1 is what this Graft reads; train again`,
    );
  const words = rowsOf(encoding.words, 2);
  const letters = rowsOf(encoding.characters, 2);
  const vectors = rowsOf(encoding.vectorWords, 1);
  const { affixRows, wordLength, counts } = encoding;
  const known = new Map<string, TokenRows>();
  const rowsOfToken = (token: string): TokenRows => {
    let found = known.get(token);
    if (found !== undefined) return found;
    if (known.size > 500_000) known.clear();
    const word = wordOf(token);
    found = {
      word: words.get(word) ?? 1,
      vector:
        vectors.size === 0
          ? 0
          : (vectors.get(token) ?? vectors.get(token.toLowerCase()) ?? vectors.get(word) ?? 0),
      affixes: affixRows === 0 ? [] : affixesOf(token, affixRows),
      characters: letters.size === 0 ? [] : lettersOf(token, letters, wordLength),
    };
    known.set(token, found);
    return found;
  };
  return {
    encoding,
    knows: (token) => words.has(wordOf(token)),
    feeds(sentences, { length, rows, random }) {
      const cells = rows * length;
      const wordIds = new BigInt64Array(cells);
      const vectorIds = new BigInt64Array(vectors.size === 0 ? 0 : cells);
      const affixIds = new BigInt64Array(affixRows === 0 ? 0 : cells * AFFIXES);
      const charIds = new BigInt64Array(letters.size === 0 ? 0 : cells * wordLength);
      const lengths = new Int32Array(rows).fill(1);
      for (const [s, sentence] of sentences.entries()) {
        lengths[s] = Math.max(1, sentence.length);
        for (const [t, token] of sentence.entries()) {
          const at = s * length + t;
          const { word, vector, affixes, characters } = rowsOfToken(token);
          const isHidden =
            random !== undefined && word > 1 && random.uniform() * (4 * counts[word - 2]! + 1) < 1;
          wordIds[at] = BigInt(isHidden ? 1 : word);
          if (vectorIds.length > 0) vectorIds[at] = BigInt(vector);
          for (let k = 0; k < affixes.length; k++) affixIds[at * AFFIXES + k] = BigInt(affixes[k]!);
          for (let k = 0; k < characters.length; k++) charIds[at * wordLength + k] = BigInt(characters[k]!);
        }
      }
      const feeds: Record<string, Tensor> = {
        word_ids: { dtype: "int64", shape: [rows, length], data: wordIds },
        lengths: { dtype: "int32", shape: [rows], data: lengths },
      };
      if (vectors.size > 0) feeds.vector_ids = { dtype: "int64", shape: [rows, length], data: vectorIds };
      if (affixRows > 0) feeds.affix_ids = { dtype: "int64", shape: [rows, length, AFFIXES], data: affixIds };
      if (letters.size > 0)
        feeds.char_ids = { dtype: "int64", shape: [rows, length, wordLength], data: charIds };
      return feeds;
    },
  };
}

function rowsOf(names: readonly string[], first: number): Map<string, number> {
  return new Map(names.map((name, i) => [name, first + i]));
}

/** Hashed rows of prefixes of 1 and 3 characters, suffixes of 1 to 4, and the outline. */
function affixesOf(token: string, rows: number): number[] {
  const letters = [...wordOf(token)];
  const start = (n: number) => letters.slice(0, n).join("");
  const end = (n: number) => letters.slice(-n).join("");
  return [start(1), start(3), end(1), end(2), end(3), end(4), wordShape(token)].map(
    (text, i) => hashOf(text, 100 + i) % rows,
  );
}

function lettersOf(token: string, rows: ReadonlyMap<string, number>, most: number): number[] {
  let letters = [...token];
  if (letters.length > most) letters = [...letters.slice(0, most / 2), ...letters.slice(-most / 2)];
  return letters.map((letter) => rows.get(letter) ?? 1);
}

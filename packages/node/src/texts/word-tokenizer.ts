import type { TokenizerFiles } from "../backbones/index.ts";
import { SPECIAL_TOKENS, wordPieceFiles } from "./word-piece.ts";

/** Scripts without spaces, whose signs are tokens of their own: Han, Kana, Thai, Lao, Khmer, Myanmar. */
const UNSPACED = [
  [0x2e80, 0x2fdf],
  [0x3005, 0x3007],
  [0x3021, 0x3029],
  [0x3038, 0x303b],
  [0x3041, 0x30ff],
  [0x31f0, 0x31ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x0e01, 0x0e3a],
  [0x0e40, 0x0eff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x20000, 0x323af],
]
  .map((ends) => ends.map((code) => String.fromCodePoint(code!)).join("-"))
  .join("");
const SIGN = `(?:(?![${UNSPACED}])[\\p{L}\\p{N}\\p{M}])`;
const POSSESSIVE = `(?<=${SIGN})'s(?!'?${SIGN})`;

/**
 * A tokenizer whose tokens are the words of a list and nothing smaller, split as `wordTokenizer` of core
 * splits with "characters": lower case (NFKC), apostrophes inside a word kept, a possessive `'s` by itself,
 * punctuation left out. Unknown words are [UNK]. The ids are those of `SPECIAL_TOKENS`, then the list's. The
 * files are WordPiece's, which the hub's tools read.
 */
export function wordTokenizerFiles(words: readonly string[], maxLength: number): TokenizerFiles {
  return wordPieceFiles({
    vocabulary: [...SPECIAL_TOKENS, ...words],
    maxLength,
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFKC" },
        { type: "Lowercase" },
        { type: "Replace", pattern: { String: "’" }, content: "'" },
      ],
    },
    preTokenizer: {
      type: "Split",
      pattern: {
        Regex: `${POSSESSIVE}|${SIGN}+(?:(?!${POSSESSIVE})'${SIGN}+)*|(?=[\\p{L}\\p{N}\\p{M}])[${UNSPACED}]`,
      },
      behavior: "Removed",
      invert: true,
    },
  });
}

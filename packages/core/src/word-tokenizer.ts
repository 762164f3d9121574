import { scanText } from "./scan-text.ts";

/** What a token is in scripts written without spaces: a word, as a dictionary has it, or a character. */
export const TOKEN_KINDS = ["words", "characters"] as const;
/** One of the kinds of tokens. */
export type TokenKind = (typeof TOKEN_KINDS)[number];

/** Gives the tokens of a text one after the other. */
export type Tokenize = (text: string, onToken: (token: string) => void) => void;

/**
 * Splits texts into words in lower case (NFKC), without punctuation; apostrophes inside a word stay, but
 * that `'s` is a token of its own. Runs of Chinese, Japanese,
 * Thai and other scripts without spaces are split into words by `Intl.Segmenter`, or with "characters" taken
 * sign by sign.
 */
export function wordTokenizer(kind: TokenKind = "words"): Tokenize {
  let segmenter: Intl.Segmenter | null = null;
  return (text, onToken) =>
    scanText(
      text,
      (word) => {
        // A possessive counts for its word, as in the Penn Treebank's rules.
        if (word.endsWith("'s")) {
          onToken(word.slice(0, -2));
          onToken("'s");
        } else if (word.length > 2 || isWord(word)) onToken(word);
      },
      (run) => {
        if (kind === "characters") for (const sign of run) onToken(sign);
        else {
          segmenter ??= new Intl.Segmenter("en", { granularity: "word" }); // its dictionaries know all scripts
          for (const { segment, isWordLike } of segmenter.segment(run)) if (isWordLike) onToken(segment);
        }
      },
    );
}

/** Signs that people write on purpose come as words, too, and are none here: `!`, `?`, a smile of two code units. */
function isWord(word: string): boolean {
  return /[\p{L}\p{N}]/u.test(word);
}

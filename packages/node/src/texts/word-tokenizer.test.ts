import { wordTokenizer } from "@graft-ml/core";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SPECIAL_TOKENS } from "./word-piece.ts";
import { wordTokenizerFiles } from "./word-tokenizer.ts";

/** Words by core's rule, and the texts of the tokens that the files give where they know all of these words. */
function both(text: string) {
  const words: string[] = [];
  wordTokenizer("characters")(text, (word) => words.push(word));
  const known = [...new Set(words)];
  const { json, config } = wordTokenizerFiles(known, 128);
  const { ids } = new Tokenizer(json, config!).encode(text);
  return { words, tokens: ids.map((id) => known[id - SPECIAL_TOKENS.length] ?? SPECIAL_TOKENS[id]) };
}

test.each([
  "The King's men don't know; o'clock, dogs' 'tis rock'n'roll's end.",
  "It’s 3.14 times: naïve café — ＡＢＣ! x-ray's 'quoted' s's",
  "北京 is in 中国，很好。1楼 ひらがなカタカナ ไทย",
  "",
  "!!! ???",
])("%s is split as the words of vectors are", (text) => {
  const { words, tokens } = both(text);
  expect(tokens).toEqual(words);
});

test("texts of letters, apostrophes and signs are split as the words of vectors are", () => {
  const piece = fc.constantFrom("a", "s", "'", "’", " ", "-", ".", "é", "e\u0301", "7", "北", "的", "!", "Z");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const { words, tokens } = both(pieces.join(""));
      expect(tokens).toEqual(words);
    }),
    { numRuns: 400 },
  );
});

test("a word that is not on the list is one unknown token, whatever it begins with", () => {
  const { json, config } = wordTokenizerFiles(["dog", "a"], 16);
  expect(new Tokenizer(json, config!).encode("A dog, dogs").ids).toEqual([4, 3, 1]);
});

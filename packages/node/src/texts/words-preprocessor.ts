import {
  type Input,
  InputError,
  type Preprocessor,
  readWordMean,
  type WordMean,
  type WordMeanJson,
} from "@graft-ml/core";
import { textOf } from "./text-preprocessor.ts";

/** The file of a RUN that holds the words that have vectors, and what each weighs. */
export const WORDS_FILE = "words.json";

/**
 * Texts as the word numbers and weights that the trunk of word vectors takes; a text of unknown words is all
 * padding.
 */
export function wordsPreprocessor(mean: WordMean): Preprocessor {
  // A row is asked for its extent and then prepared: its length is kept as long as the row is.
  const known = new WeakMap<Input, number>();
  const lengthOf = (input: Input): number => {
    const length = known.get(input) ?? mean.lengthOf(textOf(input));
    known.set(input, length);
    return length;
  };
  return {
    kind: "text",
    fingerprint: mean.fingerprint,
    extentOf: (input) => (input.kind === "text" && input.text.trim() !== "" ? lengthOf(input) : 0),
    async prepare(inputs, change) {
      if (change) throw new InputError("texts are not changed at random; train without augmentation");
      return mean.feeds(inputs.map(textOf), Math.max(16, ...inputs.map(lengthOf)));
    },
    files: () => ({ [WORDS_FILE]: `${JSON.stringify(mean.toJSON())}\n` }),
  };
}

/** The preprocessor from the text of its words.json. Throws InputError where it is none. */
export function readWordsPreprocessor(text: string): Preprocessor {
  let json: WordMeanJson;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${WORDS_FILE} is not JSON: ${(error as Error).message}`);
  }
  return wordsPreprocessor(readWordMean(json));
}

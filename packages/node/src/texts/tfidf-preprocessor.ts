import {
  type Input,
  InputError,
  type Preprocessor,
  readTfidf,
  type Tfidf,
  type TfidfJson,
} from "@graft-ml/core";
import { textOf } from "./text-preprocessor.ts";

/** The file of a RUN that holds a fitted TF-IDF. */
export const TFIDF_FILE = "tfidf.json";

/**
 * Texts as the term ids and weights that the trunk of a fitted TF-IDF takes; a text of unknown terms is all
 * padding.
 */
export function tfidfPreprocessor(tfidf: Tfidf): Preprocessor {
  // A row is asked for its extent and then prepared: its length is kept as long as the row is.
  const known = new WeakMap<Input, number>();
  const lengthOf = (input: Input): number => {
    const length = known.get(input) ?? tfidf.lengthOf(textOf(input));
    known.set(input, length);
    return length;
  };
  return {
    kind: "text",
    fingerprint: tfidf.fingerprint,
    extentOf: (input) => (input.kind === "text" && input.text.trim() !== "" ? lengthOf(input) : 0),
    async prepare(inputs, change) {
      if (change) throw new InputError("texts are not changed at random; train without augmentation");
      return tfidf.feeds(inputs.map(textOf), Math.max(64, ...inputs.map(lengthOf)));
    },
    files: () => ({ [TFIDF_FILE]: `${JSON.stringify(tfidf.toJSON())}\n` }),
  };
}

/** The preprocessor from the text of its tfidf.json. Throws InputError where it is none. */
export function readTfidfPreprocessor(text: string): Preprocessor {
  let json: TfidfJson;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${TFIDF_FILE} is not JSON: ${(error as Error).message}`);
  }
  return tfidfPreprocessor(readTfidf(json));
}

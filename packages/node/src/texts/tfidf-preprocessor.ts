import { InputError, type Preprocessor, readTfidf, type Tfidf, type TfidfJson } from "@graft-ml/core";
import { textOf } from "./text-preprocessor.ts";

/** The file of a RUN that holds a fitted TF-IDF. */
export const TFIDF_FILE = "tfidf.json";

/** Texts as the term ids and weights that the trunk of a fitted TF-IDF takes; a text of unknown terms is all padding. */
export function tfidfPreprocessor(tfidf: Tfidf): Preprocessor {
  return {
    kind: "text",
    fingerprint: tfidf.fingerprint,
    extentOf: (input) => (input.kind === "text" && input.text.trim() !== "" ? tfidf.lengthOf(input.text) : 0),
    async prepare(inputs, change) {
      if (change) throw new InputError("texts are not changed at random; train without augmentation");
      const texts = inputs.map(textOf);
      return tfidf.feeds(texts, Math.max(64, ...texts.map((text) => tfidf.lengthOf(text))));
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

import { createHash } from "node:crypto";
import {
  bucketOf,
  InputError,
  type Preprocessor,
  type Segment,
  segments,
  type TaggerSpec,
  tokenEncoder,
  type Unit,
} from "@graft-ml/core";
import { textOf } from "../texts/index.ts";

/** The file of a RUN that says how sentences become what a trunk of several tasks takes. */
export const SENTENCES_FILE = "sentences.json";

/** How texts become tokens, and tokens what a tagger's trunk takes; as plain data. */
export interface SentenceFormat {
  readonly version: 1;
  readonly unit: Unit;
  /** Tokens that a text with a class is cut to. */
  readonly longest: number;
  readonly trunk: Extract<TaggerSpec["trunk"], { kind: "network" }>;
}

/** The tokens of a text, as many as are looked at. */
export function tokensOf(
  text: string,
  { unit, longest }: Pick<SentenceFormat, "unit" | "longest">,
): Segment[] {
  return segments(text, unit).slice(0, longest);
}

/** Texts as the words, affixes and characters that a tagger's trunk takes. */
export function sentencePreprocessor(format: SentenceFormat): Preprocessor {
  const encoder = tokenEncoder(format.trunk.encoding);
  const json = `${JSON.stringify(format)}\n`;
  const texts = (text: string) => tokensOf(text, format).map((segment) => segment.text);
  return {
    kind: "text",
    fingerprint: createHash("sha256").update(json).digest("hex"),
    extentOf: (input) => (input.kind === "text" ? bucketOf(texts(input.text).length) : 0),
    async prepare(inputs, change) {
      if (change) throw new InputError("texts are not changed at random; train without augmentation");
      const sentences = inputs.map((input) => texts(textOf(input)));
      const length = Math.max(1, ...sentences.map((tokens) => bucketOf(tokens.length)));
      return encoder.feeds(sentences, { length, rows: sentences.length });
    },
    files: () => ({ [SENTENCES_FILE]: json }),
  };
}

/** The content of a sentences.json. Throws an InputError where it is none that this version reads. */
export function readSentenceFormat(text: string): SentenceFormat {
  let json: Partial<SentenceFormat> | null;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${SENTENCES_FILE} is not JSON: ${(error as Error).message}`);
  }
  if (json?.version !== 1 || json.trunk?.kind !== "network")
    throw new InputError(
      `${SENTENCES_FILE} has version ${JSON.stringify(json?.version)}, but 1 is what this Graft reads; train again`,
    );
  return json as SentenceFormat;
}

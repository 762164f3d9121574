import { InputError, type Model, type Preprocessor } from "@graft-ml/core";
import type { JsonObject } from "../backbones/index.ts";
import { graphInputs } from "../backbones/inputs.ts";
import { imagePreprocessor } from "../images/index.ts";
import {
  readSentenceFormat,
  SENTENCES_FILE,
  sentencePreprocessor,
} from "../tagging/sentence-preprocessor.ts";
import {
  readTfidfPreprocessor,
  readWordsPreprocessor,
  TFIDF_FILE,
  textPreprocessor,
  WORDS_FILE,
} from "../texts/index.ts";
import type { RunConfig } from "./config.ts";
import { readRunBytes, readRunJson } from "./folder.ts";

/** The preprocessor of a RUN, made again from the files that travel with its model. */
export async function runPreprocessor(
  folder: string,
  { task, backbone }: RunConfig,
  { graph }: Model,
): Promise<Preprocessor> {
  const inputs = graph.inputs.filter((input) => !graph.initializers.has(input));
  if (task === "image-classification") {
    const { image } = graphInputs(graph);
    if (image === null)
      throw new InputError(`${folder}/model.onnx takes no images (its inputs are ${namesOf(inputs)})`);
    const config = (await readRunJson(folder, "preprocessor_config.json")) as JsonObject;
    const { dtype } = inputs.find(({ name }) => name === image.name)!;
    return imagePreprocessor({ config, input: image, dtype: dtype as "float32" });
  }
  if (backbone.sha256 === null && inputs.some(({ name }) => name === "feature_ids"))
    return readTfidfPreprocessor(Buffer.from(await readRunBytes(folder, TFIDF_FILE)).toString("utf8"));
  if (inputs.some(({ name }) => name === "lengths"))
    return sentencePreprocessor(
      readSentenceFormat(Buffer.from(await readRunBytes(folder, SENTENCES_FILE)).toString("utf8")),
    );
  if (inputs.some(({ name }) => name === "word_ids"))
    return readWordsPreprocessor(Buffer.from(await readRunBytes(folder, WORDS_FILE)).toString("utf8"));
  const json = (await readRunJson(folder, "tokenizer.json")) as JsonObject;
  const config = (await readRunJson(folder, "tokenizer_config.json")) as JsonObject;
  return textPreprocessor({ tokenizer: { json, config }, inputs });
}

function namesOf(inputs: readonly { readonly name: string }[]): string {
  return inputs.map(({ name }) => name).join(", ") || "none";
}

import { InputError, type Scheme, type TaggerSpec } from "@graft-ml/core";
import { readRunJson, runFiles } from "../runs/folder.ts";

/** config.json of a RUN that tags: what the model is and how it came about; id2label as the hub's tools read it. */
export interface TaggerConfig {
  readonly graft: string;
  readonly task: "token-classification";
  readonly id2label: Readonly<Record<string, string>>;
  readonly label2id: Readonly<Record<string, number>>;
  /** Scheme that tags are written in on the way out; the model's own may be another. */
  readonly scheme: Scheme | null;
  /** How raw text is cut into tokens: words, or characters where training tokens were such. */
  readonly unit: "words" | "characters";
  /** What --column said. */
  readonly column: string | null;
  readonly backbone: {
    readonly spec: string;
    readonly name: string;
    readonly sha256: string | null;
    readonly commit: null;
    readonly licence: null;
  };
  readonly layer: string;
  readonly method: string;
  readonly head: string;
  readonly reason: string;
  readonly chosen: Readonly<Record<string, number | string>>;
  /** Training tokens of each tag, in the order of id2label. */
  readonly trainingCounts: readonly number[];
  readonly seed: number;
  readonly batchSize: number;
  /** Of model.onnx. */
  readonly sha256: string;
}

/** Name of the file that says how tokens become inputs and scores become tags. */
export const TAGGER_FILE = "tagger.json";

/** Name of the file with every word of the training part, one a line. */
export const WORDS_FILE = "words.txt";

/** The task of a RUN, by its config.json. */
export async function taskOf(folder: string): Promise<string> {
  const config = (await readRunJson(folder, runFiles.config)) as { task?: unknown } | null;
  return String(config?.task);
}

/** Reads config.json and tagger.json of a RUN that tags. Throws an InputError that names the file and what is wrong. */
export async function readTaggerConfig(
  folder: string,
): Promise<{ readonly config: TaggerConfig; readonly spec: TaggerSpec }> {
  const config = (await readRunJson(folder, runFiles.config)) as Partial<TaggerConfig> | null;
  if (config?.task !== "token-classification" || config.sha256 === undefined)
    throw new InputError(
      `${folder}/${runFiles.config} is of ${JSON.stringify(config?.task)}, not of a tagger; name a RUN trained on tagged tokens`,
    );
  const spec = (await readRunJson(folder, TAGGER_FILE)) as Partial<TaggerSpec> | null;
  if (spec?.version !== 1 || !Array.isArray(spec.tags))
    throw new InputError(
      `${folder}/${TAGGER_FILE} has version ${JSON.stringify(spec?.version)}, but 1 is what this Graft reads; train again`,
    );
  return { config: config as TaggerConfig, spec: spec as TaggerSpec };
}

import { InputError, type Scheme, type TaggerSpec } from "@graft-ml/core";
import { readRunBytes, readRunJson, runFiles } from "../runs/folder.ts";
import { isMultitask, type MultitaskConfig, taskConfig } from "../runs/task-config.ts";
import { readSentenceFormat, SENTENCES_FILE } from "./sentence-preprocessor.ts";

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
    readonly commit: string | null;
    readonly licence: string | null;
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

/** The task of a RUN by its config.json, or that of one of several tasks. */
export async function taskOf(folder: string, task: string | null = null): Promise<string> {
  const config = await readRunJson(folder, runFiles.config);
  if (!isMultitask(config)) return String((config as { task?: unknown } | null)?.task);
  const names = Object.keys(config.tasks);
  const name = task ?? (names.length === 1 ? names[0]! : null);
  return name !== null && Object.hasOwn(config.tasks, name) ? config.tasks[name]!.task : config.task;
}

/** Of a RUN with several tasks, the first that tags; null where there is one task or none tags. */
export async function firstTagging(folder: string): Promise<string | null> {
  const config = await readRunJson(folder, runFiles.config);
  if (!isMultitask(config)) return null;
  return Object.entries(config.tasks).find(([, one]) => one.tagger !== undefined)?.[0] ?? null;
}

/** What a tagger is, and where its network and words lie. */
export interface TaggerPlace {
  readonly config: TaggerConfig;
  readonly spec: TaggerSpec;
  readonly file: string;
  readonly words: string;
  /** Name of the task where the RUN has several, and of its output. */
  readonly task: string | null;
}

/**
 * Reads config.json and tagger.json of a RUN that tags, or what it has of one of several tasks. Throws an
 * InputError that names the file and what is wrong.
 */
export async function readTaggerConfig(folder: string, task: string | null = null): Promise<TaggerPlace> {
  const read = await readRunJson(folder, runFiles.config);
  if (isMultitask(read)) return await taggerOfSeveral(read, task, folder);
  if (task !== null) throw new InputError(`${folder} has one task only; leave out --task`);
  const config = read as Partial<TaggerConfig> | null;
  if (config?.task !== "token-classification" || config.sha256 === undefined)
    throw new InputError(
      `${folder}/${runFiles.config} is of ${JSON.stringify(config?.task)}, not of a tagger; name a RUN trained on tagged tokens`,
    );
  const spec = (await readRunJson(folder, TAGGER_FILE)) as Partial<TaggerSpec> | null;
  if (spec?.version !== 1 || !Array.isArray(spec.tags))
    throw new InputError(
      `${folder}/${TAGGER_FILE} has version ${JSON.stringify(spec?.version)}, but 1 is what this Graft reads; train again`,
    );
  return {
    config: config as TaggerConfig,
    spec: spec as TaggerSpec,
    ...{ file: runFiles.model, words: WORDS_FILE, task: null },
  };
}

async function taggerOfSeveral(
  read: MultitaskConfig,
  wanted: string | null,
  folder: string,
): Promise<TaggerPlace> {
  const { config: own, place } = taskConfig(read, wanted, folder);
  const { tagger, scheme = null, unit = "words", column = null } = read.tasks[place.name]!;
  if (
    own.task !== "token-classification" ||
    tagger === undefined ||
    !/^words\.[\w-]+\.txt$/.test(tagger.words)
  )
    throw new InputError(`${folder}: task "${place.name}" is for ${own.task}, it tags no tokens`);
  const trunk =
    tagger.trunk ??
    readSentenceFormat(Buffer.from(await readRunBytes(folder, SENTENCES_FILE)).toString("utf8")).trunk;
  const { backbone, ...rest } = own;
  return {
    config: {
      ...rest,
      ...{ task: "token-classification", scheme, unit, column, reason: own.reason ?? "" },
      backbone: { ...backbone, commit: null, licence: null },
    },
    spec: { version: 1, tags: tagger.tags, scheme: tagger.scheme, head: tagger.head, trunk },
    ...{ file: place.file, words: tagger.words, task: place.name },
  };
}

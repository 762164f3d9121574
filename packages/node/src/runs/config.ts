import { InputError, type Pooling } from "@graft-ml/core";
import { readRunJson, runFiles } from "./folder.ts";
import { isMultitask, type TaskPlace, taskConfig } from "./task-config.ts";

/** config.json of a RUN: what the model is and how it came about; id2label as the hub's tools read it. */
export interface RunConfig {
  /** Version of Graft that wrote it. */
  readonly graft: string;
  readonly task: "image-classification" | "text-classification" | "token-classification";
  readonly id2label: Readonly<Record<string, string>>;
  readonly label2id: Readonly<Record<string, number>>;
  readonly backbone: {
    readonly spec: string;
    readonly name: string;
    readonly sha256: string | null;
    readonly commit: string | null;
    readonly licence: string | null;
  };
  /** Value of the backbone's graph that the features are made of. */
  readonly layer: string;
  /** Extent D of the features [batch, D]. */
  readonly dimension: number;
  readonly pooling: Pooling;
  /** "crop" where preprocessor_config.json here frames images otherwise than the backbone's own. */
  readonly framing?: "stated" | "crop";
  readonly method: string;
  /** Why this method, and what stayed frozen, in words. */
  readonly reason?: string;
  readonly head: string;
  /** What the head's fitting chose: strength, temperature … */
  readonly chosen: Readonly<Record<string, number | string>>;
  /** Training rows of each class, in the order of id2label. */
  readonly trainingCounts: readonly number[];
  readonly seed: number;
  /** Rows a run of the network; results are the same bits only with the same number. */
  readonly batchSize: number;
  /** Of model.onnx. */
  readonly sha256: string;
}

/** Reads and checks config.json of a RUN. Throws an InputError that names the file and what is wrong. */
export async function readRunConfig(folder: string): Promise<RunConfig> {
  return (await readTaskConfig(folder, null)).config;
}

/** As `readRunConfig` of one task of a RUN that has several, with where its network lies. */
export async function readTaskConfig(
  folder: string,
  task: string | null,
): Promise<{ readonly config: RunConfig; readonly place: TaskPlace | null }> {
  const read = await readRunJson(folder, runFiles.config);
  if (isMultitask(read)) {
    const one = taskConfig(read, task, folder);
    return { config: checked(one.config, folder), place: one.place };
  }
  if (task !== null) throw new InputError(`${folder} has one task only; leave out --task`);
  return { config: checked(read as Partial<RunConfig> | null, folder), place: null };
}

/** Names of the tasks of a RUN; null where it has one that needs no name. */
export async function tasksOf(folder: string): Promise<string[] | null> {
  const read = await readRunJson(folder, runFiles.config);
  return isMultitask(read) ? Object.keys(read.tasks) : null;
}

function checked(config: Partial<RunConfig> | null, folder: string): RunConfig {
  const where = `${folder}/${runFiles.config}`;
  const lacking = (["graft", "task", "id2label", "backbone", "layer", "head", "sha256"] as const).find(
    (key) => config?.[key] === undefined,
  );
  if (config === null || lacking !== undefined)
    throw new InputError(`${where} has no "${lacking}"; it was not written by graft train`);
  if (config.task !== "image-classification" && config.task !== "text-classification")
    throw new InputError(`${where}: task ${JSON.stringify(config.task)} is not one this version predicts`);
  const batchSize = config.batchSize ?? 0;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 4096)
    throw new InputError(`${where}: batchSize must be a whole number from 1 to 4096, got ${batchSize}`);
  classesOf(config as RunConfig, where);
  return config as RunConfig;
}

/** Class names in the order of the model's output. */
export function classesOf({ id2label }: RunConfig, where = "config.json"): string[] {
  const count = Object.keys(id2label).length;
  return Array.from({ length: count }, (_, c) => {
    const name = id2label[String(c)];
    if (typeof name !== "string")
      throw new InputError(`${where}: id2label names ${count} classes, but not class ${c}`);
    return name;
  });
}

import {
  cloneModel,
  InputError,
  type Model,
  type PretrainedTrunk,
  prune,
  type Scheme,
  type TaggerSpec,
  type TagHead,
  type Unit,
} from "@graft-ml/core";
import type { RunConfig } from "./config.ts";

/** config.json of a RUN that has several tasks over one trunk. */
export interface MultitaskConfig {
  readonly graft: string;
  readonly task: "multi-task";
  /** What each task's network is; the fields that differ between them. */
  readonly tasks: Readonly<Record<string, TaskConfig>>;
  readonly backbone: RunConfig["backbone"];
  /** The trunk's own layer for features, where the RUN is the source of another (`run:DIR`). */
  readonly layer: string;
  readonly head: string;
  readonly seed: number;
  readonly batchSize: number;
  /** Settings of the joint training. */
  readonly chosen: RunConfig["chosen"];
}

/** What config.json says of one task. */
export type TaskConfig = Pick<
  RunConfig,
  "task" | "id2label" | "label2id" | "layer" | "method" | "head" | "trainingCounts" | "sha256"
> & {
  readonly kind: string;
  /** The model's file and the output that is the task's. */
  readonly file: string;
  readonly output: string;
  /**
   * Of a task that tags: its tags as the network has them, its head, and the file with the words it was
   * trained on.
   */
  readonly tagger?: Pick<TaggerSpec, "tags" | "scheme" | "head"> & {
    readonly words: string;
    /** Of an encoder of sub-words; a tagger's trunk is what sentences.json says. */
    readonly trunk?: PretrainedTrunk;
  };
  /** Of a task that tags: the scheme that tags are written in, what tokens are, and what was said of columns. */
  readonly scheme?: Scheme | null;
  readonly unit?: Unit;
  readonly column?: string | null;
};

/** A file and an output that one task of a RUN has; null where the RUN has one task only. */
export interface TaskPlace {
  readonly name: string;
  readonly file: string;
  readonly output: string;
}

/** Whether a config.json is of several tasks. */
export function isMultitask(config: unknown): config is MultitaskConfig {
  return (config as { task?: unknown } | null)?.task === "multi-task";
}

/**
 * The configuration of one task as if it were the RUN's only one. Throws an InputError where no task of that
 * name is there, or where one must be named.
 */
export function taskConfig(
  config: MultitaskConfig,
  task: string | null,
  folder: string,
): { readonly config: RunConfig; readonly place: TaskPlace } {
  const names = Object.keys(config.tasks ?? {});
  if (task === null && names.length !== 1)
    throw new InputError(`${folder} has the tasks ${names.join(", ")}; name one with --task`);
  const name = task ?? names[0]!;
  if (!Object.hasOwn(config.tasks, name))
    throw new InputError(`${folder} has no task "${name}"; it has ${names.join(", ")}`);
  const { file, output, kind: _, ...own } = config.tasks[name]!;
  if (!/^[\w.-]+\.onnx$/.test(file))
    throw new InputError(
      `${folder}/config.json: task "${name}" names no model file but ${JSON.stringify(file)}`,
    );
  const { graft, backbone, seed, batchSize, chosen } = config;
  return {
    config: { graft, backbone, seed, batchSize, chosen, ...own, dimension: 0, pooling: "auto" },
    place: { name, file, output },
  };
}

/** A head whose outputs are called as those of a task of that name are. */
export function taggerHead(head: TagHead, task: string): TagHead {
  return { ...head, outputs: { logits: task, transitions: `${task}.transitions` } };
}

/** The part of a network that gives one output. Throws an InputError where there is none of that name. */
export function outputModel(model: Model, name: string): Model {
  const copy = cloneModel(model);
  // A task's further outputs have its name before a dot.
  const outputs = copy.graph.outputs.filter((one) => one.name === name || one.name.startsWith(`${name}.`));
  if (outputs[0]?.name !== name)
    throw new InputError(
      `the model has no output "${name}"; it has ${copy.graph.outputs.map((one) => one.name).join(", ")}`,
    );
  copy.graph.outputs = outputs;
  return { ...copy, graph: prune(copy.graph, { inputs: true }) };
}

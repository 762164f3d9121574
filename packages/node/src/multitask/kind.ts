import type { Feeds, Formula, Graph, Model, Options, Random, Row, Value } from "@graft-ml/core";
import type { AddInput } from "../pretrain/task.ts";
import type { RowInputs } from "../training/index.ts";
import type { Trunk } from "./trunk.ts";

/** A kind of task that a joint training can have. A new one is a file in `kinds` and a line in its index. */
export interface TaskKind {
  readonly about: string;
  /** What a task of this kind can be told in TASKS.json, beside what every task can. */
  readonly options: Options;
  /** "required": rows are labelled, and the head is part of the artefact. "none": the task only helps the others. */
  readonly labels: "required" | "none";
  /** What the trunk must take; null for anything. */
  readonly modality: "image" | "text" | null;
  /** The task over a trunk. Throws an InputError where they do not fit. */
  open(context: KindContext): OpenTask | Promise<OpenTask>;
}

/** What a kind is opened with. */
export interface KindContext {
  readonly name: string;
  readonly trunk: Trunk;
  /** The value of the trunk's graph that the head stands on; null for the kind's own choice. */
  readonly layer: string | null;
  readonly settings: Readonly<Record<string, unknown>>;
  /** All rows: those trained on, then those held out. */
  readonly rows: readonly Row[];
  /** The number of those trained on. */
  readonly trained: number;
  readonly classes: readonly string[];
  readonly inputs: RowInputs;
  readonly random: Random;
}

/** A task with its head on the trunk. */
export interface OpenTask {
  /** Trunk and head; what the head learns is called `heads.TASK.…`. Output 0 is what the artefact gives for the task. */
  readonly model: Model;
  /** Where the head stands. */
  readonly layer: string;
  /** Appends the loss of a batch: a mean over what counts. */
  loss(g: Formula, graph: Graph, input: AddInput): Value;
  /** All inputs of model and loss for a batch of which `count` rows count; epoch null as held-out rows are scored. */
  feeds(rows: Int32Array, count: number, epoch: number | null): Promise<Feeds>;
  /** What the loss measures. */
  readonly measure: string;
  /** The loss on held-out rows of the best guess that looks at no input, which losses are compared with. */
  baseline(): Promise<number>;
}

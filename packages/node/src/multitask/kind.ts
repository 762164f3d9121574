import type { Feeds, Formula, Graph, Model, Options, Random, Row, Runtime, Value } from "@graft-ml/core";
import type { AddInput } from "../pretrain/task.ts";
import type { ReportError } from "../report/index.ts";
import type { TaskConfig } from "../runs/task-config.ts";
import type { WorstSentence } from "../tagging/report.ts";
import type { LossScorer } from "./loss-scorer.ts";
import type { TaskMetrics } from "./metrics.ts";
import type { TaskInputs } from "./sentence-inputs.ts";
import type { TaskData } from "./task-data.ts";
import type { Trunk } from "./trunk.ts";

/** A kind of task that a joint training can have. A new one is a file in `kinds` and a line in its index. */
export interface TaskKind {
  readonly about: string;
  /** What a task of this kind can be told in TASKS.json, beside what every task can. */
  readonly options: Options;
  /** "required": rows are labelled, and the head is part of the artefact. "none": the task only helps the others. */
  readonly labels: "required" | "none";
  /** Whether its rows are sentences of tagged tokens. */
  readonly isTagged?: boolean;
  /** Whether it keeps the tags of the tagger that the trunk comes from: its rows may be those of the other tasks. */
  readonly keepsTags?: boolean;
  /** Completes rows as they were read, before anything is opened. */
  complete?(
    data: TaskData,
    context: { readonly backbone: string | null; readonly runtime: Runtime },
  ): Promise<TaskData>;
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
  readonly inputs: TaskInputs;
  readonly runtime: Runtime;
  readonly random: Random;
}

/** A task with its head on the trunk. */
export interface OpenTask {
  /**
   * Trunk and head; what the head learns is called `heads.TASK.…`. Output 0 is what the artefact gives for
   * the task.
   */
  readonly model: Model;
  /** The network as it is trained, where that differs: it masks states, and takes rows of vectors. */
  readonly training?: Model;
  /** Names of what it learns; the parameters of trunk and head where left out. */
  readonly learns?: ReadonlySet<string>;
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
  /** Whether the network before training is what the task is compared with, and not one trained alone. */
  readonly isBefore?: boolean;
  /** Opens what scores held-out rows where that is not the mean loss of their batches: lower is better. */
  openScorer?(runtime: Runtime, held: Int32Array): Promise<LossScorer>;
  /** What test rows say of networks of the task; only where rows are labelled. */
  prove?(context: ProveContext): Promise<Findings>;
}

/** Networks to be looked at, each with outputs that are called after the task. */
export interface ProveContext {
  readonly name: string;
  readonly train: readonly Row[];
  readonly test: readonly Row[];
  readonly classes: readonly string[];
  /** The artefact's, the joint one, and the one trained alone where there is one; the first is one of the others. */
  readonly kept: Model;
  readonly joint: Model;
  readonly alone: Model | null;
  /** Of a task that is compared with what it was before: its head over the trunk that learnt another task alone. */
  readonly unkept: Model | null;
  /** Whether `alone` is the network before training. */
  readonly isBefore: boolean;
  readonly trunk: Trunk;
  readonly runtime: Runtime;
  readonly seed: number;
  /** What the task says of columns. */
  readonly column: string | null;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What test rows say of a task. */
export interface Findings {
  readonly metrics: Pick<
    TaskMetrics,
    "measure" | "test" | "joint" | "alone" | "aloneInterval" | "gain" | "unkept" | "majority"
  >;
  /** A prediction a test row, as JSON. */
  readonly predictions: readonly string[];
  /** Test rows with what is expected of them, as golden.json has it. */
  readonly golden: object;
  /** What is needed to use the network again. */
  readonly config: Pick<
    TaskConfig,
    "task" | "id2label" | "label2id" | "head" | "trainingCounts" | "tagger" | "scheme" | "unit" | "column"
  >;
  /** Further files of the RUN, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** What the report shows of it beside the scores. */
  readonly shown: {
    readonly errors: readonly ReportError[];
    readonly worst: readonly WorstSentence[];
    readonly notes: readonly string[];
  };
}

import { createHash } from "node:crypto";
import {
  type Dataset,
  InputError,
  type Matrix,
  type Model,
  type Row,
  type Runtime,
  readModel,
  rowGroups,
  type Scores,
  scoresOf,
  writeModel,
} from "@graft-ml/core";
import type { ReadingOptions } from "../sources/index.ts";
import { modelOutputs } from "./compose.ts";
import { classesOf, type RunConfig, readTaskConfig } from "./config.ts";
import { readRunBytes, runFiles } from "./folder.ts";
import { infer } from "./infer.ts";
import { type Prediction, predictionsOf } from "./predictions.ts";
import { runPreprocessor } from "./preprocessing.ts";
import { type Replay, readGolden, replay } from "./replay.ts";
import { outputModel } from "./task-config.ts";

/** Class probabilities of the rows that could be read. */
export interface Predicted {
  /** [n, C], a row each of `kept`. */
  readonly probabilities: Matrix;
  /** Row numbers kept, ascending. */
  readonly kept: Int32Array;
  readonly skipped: readonly string[];
}

/** A model that Graft trained, ready to predict. `close` gives its memory back. */
export interface Run {
  readonly folder: string;
  readonly config: RunConfig;
  /** In the order of the model's output. */
  readonly classes: readonly string[];
  readonly model: Model;
  /** The same bits whatever the rows are called with, and the same as in training. */
  probabilities(rows: readonly Row[], options?: ReadingOptions): Promise<Predicted>;
  /** Labels and calibrated probabilities, a prediction a row that could be read. */
  predict(
    rows: readonly Row[],
    options?: ReadingOptions,
  ): Promise<{ readonly predictions: Prediction[]; readonly skipped: readonly string[] }>;
  /** Scores on labelled data. Throws an InputError that names the row whose label the model does not know. */
  evaluate(data: Dataset, options?: ReadingOptions & { readonly seed?: number }): Promise<Evaluated>;
  /** Replays the golden inputs through decoding, preprocessing and the network. */
  verify(): Promise<Replay>;
  close(): Promise<void>;
}

/** Scores on labelled data, with what they were computed from. */
export interface Evaluated extends Predicted {
  readonly scores: Scores;
  /** Class numbers of the rows kept. */
  readonly labels: Int32Array;
}

/**
 * Opens a RUN folder; its model must be the one that was written with its config.json. Of a RUN with several
 * tasks, `task` names the one that is wanted.
 */
export async function openRun(
  folder: string,
  { runtime, task = null }: { readonly runtime: Runtime; readonly task?: string | null },
): Promise<Run> {
  const { config, place } = await readTaskConfig(folder, task);
  const file = place?.file ?? runFiles.model;
  const bytes = await readRunBytes(folder, file);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== config.sha256)
    throw new InputError(
      `${folder}/${file} is not the model of this run: its sha256 is ${sha256.slice(0, 12)}…, config.json says ${config.sha256.slice(0, 12)}…; train again or restore the file`,
    );
  const whole = readModel(bytes, { source: `${folder}/${file}` });
  // The heads of other tasks are left out.
  const model = place ? outputModel(whole, place.output) : whole;
  const preprocessor = await runPreprocessor(folder, config, model);
  const classes = classesOf(config);
  if (classes.length === 0)
    throw new InputError(
      `${folder} was pretrained without labels (${config.method}) and names no classes; use it as --backbone run:${folder} of graft train`,
    );
  const session = await runtime.load(place ? writeModel(model) : bytes);
  const output = place?.output ?? modelOutputs.probabilities;

  const probabilities = async (rows: readonly Row[], options: ReadingOptions = {}): Promise<Predicted> => {
    const outputs = [output];
    const { batchSize } = config;
    const inferred = await infer(rows, { session, runtime, preprocessor, outputs, batchSize, ...options });
    return { ...inferred, probabilities: inferred.outputs[output]! };
  };
  return {
    folder,
    config,
    classes,
    model,
    probabilities,
    async predict(rows, options) {
      const { probabilities: values, kept, skipped } = await probabilities(rows, options);
      const read = Array.from(kept, (i) => rows[i]!);
      return { predictions: predictionsOf(read, values, classes), skipped };
    },
    async evaluate(data, { seed = 0, ...options } = {}) {
      requireTask(folder, config, data);
      requireKnown(data, classes, folder);
      const predicted = await probabilities(data.rows, options);
      const rows = Array.from(predicted.kept, (i) => data.rows[i]!);
      return { ...predicted, ...scored(rows, predicted.probabilities, classes, seed) };
    },
    async verify() {
      return await replay(
        await readGolden(folder, place?.name ?? null),
        async (rows) => (await probabilities(rows)).probabilities,
      );
    },
    close: () => session.close(),
  };
}

/** Scores of probabilities [n, C] against the labels of rows; groups of rows widen the intervals. */
export function scored(
  rows: readonly Row[],
  probabilities: Matrix,
  classes: readonly string[],
  seed: number,
): { readonly scores: Scores; readonly labels: Int32Array } {
  if (rows.length === 0) throw new InputError("there is no row to score: none could be read");
  const labels = Int32Array.from(rows, ({ label }) => classes.indexOf(label!));
  const groups = groupsOf(rows);
  return { scores: scoresOf(probabilities, labels, classes, { seed, groups }), labels };
}

/** Groups of rows where the data declare some; null where every row stands for itself. */
export function groupsOf(rows: readonly Row[]): Int32Array | null {
  return rows.some(({ group }) => group !== null)
    ? rowGroups(
        rows,
        rows.map((_, i) => `row ${i}`),
      )
    : null;
}

function requireTask(folder: string, { task }: RunConfig, data: Dataset): void {
  if (data.task !== task)
    throw new InputError(
      `${data.source} is for ${data.task}, but ${folder} was trained for ${task}; give it data of its own kind`,
    );
}

function requireKnown({ rows, source }: Dataset, classes: readonly string[], folder: string): void {
  for (const { where, label } of rows) {
    if (label === null)
      throw new InputError(`${where} has no label; evaluate needs a label for every row of ${source}`);
    if (!classes.includes(label)) {
      const shown = classes.slice(0, 12).join(", ") + (classes.length > 12 ? ", …" : "");
      throw new InputError(
        `${where}: label ${JSON.stringify(label)} is not a class of ${folder} (${shown}); correct it or leave the row out`,
      );
    }
  }
}

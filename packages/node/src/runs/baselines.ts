import {
  type Classifier,
  mostProbable,
  type Random,
  type Row,
  type Runtime,
  type TransferVerdict,
  transferVerdict,
  wilsonInterval,
} from "@graft-ml/core";
import type { BaselineScore } from "../report/index.ts";
import type { ReadingOptions, Source } from "../sources/index.ts";
import { type FittingOptions, fitHead, labelsOf } from "./fit-head.ts";
import { FEATURE_MEMORY, fitBlocks, staysOnDisk } from "./fit-streamed.ts";
import { groupsOf } from "./open-run.ts";

/** What a model that transfers nothing says of the test rows: class numbers [N]. */
export interface Baseline {
  readonly name: "majority" | "raw" | "scratch";
  readonly about: string;
  readonly predicted: Int32Array;
}

/** Always the class with the most training rows; of equally many the first. */
export function majorityBaseline(
  train: readonly Row[],
  test: readonly Row[],
  classes: readonly string[],
): Baseline {
  const counts = trainingCounts(train, classes);
  const most = counts.indexOf(Math.max(...counts));
  return {
    name: "majority",
    about: `always “${classes[most]!}”, the commonest class of the training part`,
    predicted: new Int32Array(test.length).fill(most),
  };
}

/** Training rows of each class. */
export function trainingCounts(train: readonly Row[], classes: readonly string[]): number[] {
  const labels = labelsOf(train, classes);
  return classes.map((_, c) => labels.filter((label) => label === c).length);
}

/** Logistic regression on inputs as they are, its strength chosen as that of any other head. */
export async function rawBaseline(
  source: Source,
  train: readonly Row[],
  test: readonly Row[],
  options: {
    readonly classes: readonly string[];
    readonly random: Random;
    readonly runtime: Runtime;
    /** What it would fit, where that is there already. */
    readonly classifier?: Classifier;
    /** Bytes of features that are kept in memory. */
    readonly featureMemory?: number;
    readonly onProgress?: (done: number, total: number) => void;
    readonly signal?: AbortSignal;
  },
): Promise<Baseline & { readonly classifier: Classifier }> {
  const { classes, random, runtime, featureMemory = FEATURE_MEMORY, ...reading } = options;
  const total = train.length + test.length;
  const step = (from: number) => (done: number) => reading.onProgress?.(from + done, total);
  const fitting = { head: "logistic", classes, random, runtime };
  const read = { ...reading, onProgress: step(0) };
  const classifier =
    options.classifier ??
    (staysOnDisk(source, train.length, featureMemory)
      ? await streamedFit(source, train, fitting, read)
      : await fitHead((await source.features(train, read)).features, train, fitting));
  const held = await source.features(test, { ...reading, onProgress: step(train.length) });
  return {
    name: "raw",
    about: `logistic regression on ${source.name}, nothing pretrained`,
    predicted: mostProbable(classifier.predict(held.features)),
    classifier,
  };
}

async function streamedFit(
  source: Required<Pick<Source, "stream">>,
  train: readonly Row[],
  fitting: FittingOptions,
  reading: ReadingOptions,
): Promise<Classifier> {
  const streamed = await source.stream(train, reading);
  try {
    return await fitBlocks(streamed.blocks, train, fitting);
  } finally {
    await streamed.close();
  }
}

/** Accuracy of a baseline as the report shows it, with Wilson's interval where the rows are independent. */
export function baselineScore(baseline: Baseline, labels: Int32Array, test: readonly Row[]): BaselineScore {
  const right = baseline.predicted.reduce((sum, c, i) => sum + (c === labels[i] ? 1 : 0), 0);
  return {
    name: baseline.name,
    about: baseline.about,
    accuracy: right / labels.length,
    interval: groupsOf(test) === null ? wilsonInterval(right, labels.length) : null,
  };
}

/** Whether our model is better than the strongest of the baselines; null where there is none. */
export function verdictOf(
  predicted: Int32Array,
  labels: Int32Array,
  test: readonly Row[],
  baselines: readonly Baseline[],
  seed: number,
): TransferVerdict | null {
  if (baselines.length === 0) return null;
  return transferVerdict({
    labels,
    ours: predicted,
    baselines: Object.fromEntries(baselines.map((one) => [one.name, one.predicted])),
    seed,
    groups: groupsOf(test),
  });
}

import {
  type Features,
  type HeldOut,
  kFold,
  type Matrix,
  matrix,
  type RepeatedScores,
  type Row,
  repeatedKFold,
  repeatedScores,
  rowLogLoss,
  takeFeatures,
} from "@graft-ml/core";
import { type FittingOptions, fitHead, labelsOf } from "./fit-head.ts";

/** Features of a part to learn from and of a part held out. */
export type FoldFeatures = (
  train: Int32Array,
  test: Int32Array,
) => Promise<{ readonly train: Features; readonly test: Features }>;

/** Folds of features that do not depend on which rows are learnt from. */
export function fixedFeatures(features: Features): FoldFeatures {
  return async (train, test) => ({
    train: takeFeatures(features, train),
    test: takeFeatures(features, test),
  });
}

const FOLDS = 5;

/** Log loss [N] of each row of the training part under a model that was fitted without it, in stratified folds. */
export async function heldOutLosses(
  rows: readonly Row[],
  keys: readonly string[],
  featuresOf: FoldFeatures,
  options: FittingOptions & { readonly seed: number },
): Promise<Float64Array> {
  const labels = labelsOf(rows, options.classes);
  const losses = new Float64Array(rows.length);
  const smallest = Math.min(...options.classes.map((_, c) => labels.filter((label) => label === c).length));
  const folds = Math.max(2, Math.min(FOLDS, smallest));
  for (const { train, test } of kFold(rows, { folds, seed: options.seed, keys })) {
    const probabilities = await foldProbabilities(rows, keys, { train, test }, featuresOf, options);
    const held = rowLogLoss(
      probabilities,
      Int32Array.from(test, (i) => labels[i]!),
    );
    for (const [k, i] of test.entries()) losses[i] = held[k]!;
  }
  return losses;
}

/** How often and in how many parts rows are split again. */
export interface Repeats {
  readonly folds: number;
  readonly repeats: number;
}

/**
 * Scores over repeated stratified folds of all rows, the head fitted anew (and its strength chosen anew) in
 * each. Null where a fold would lack a class.
 */
export async function crossValidate(
  rows: readonly Row[],
  keys: readonly string[],
  featuresOf: FoldFeatures,
  options: FittingOptions &
    Repeats & {
      readonly seed: number;
      readonly onProgress?: (done: number, total: number) => void;
      readonly signal?: AbortSignal;
    },
): Promise<RepeatedScores | null> {
  const { folds, repeats, seed, classes, onProgress } = options;
  const labels = labelsOf(rows, classes);
  const parts = repeatedKFold(rows, { folds, repeats, seed, keys });
  const isWhole = (part: Int32Array) => new Set(Array.from(part, (i) => labels[i]!)).size === classes.length;
  if (parts.some(({ train }) => !isWhole(train))) return null;
  const heldOut: HeldOut[] = [];
  for (const [done, part] of parts.entries()) {
    onProgress?.(done, parts.length);
    options.signal?.throwIfAborted();
    heldOut.push({
      rows: part.test,
      probabilities: await foldProbabilities(rows, keys, part, featuresOf, options),
    });
  }
  onProgress?.(parts.length, parts.length);
  return repeatedScores(heldOut, labels, classes.length, folds);
}

async function foldProbabilities(
  rows: readonly Row[],
  keys: readonly string[],
  { train, test }: { readonly train: Int32Array; readonly test: Int32Array },
  featuresOf: FoldFeatures,
  options: FittingOptions,
): Promise<Matrix> {
  if (test.length === 0) return matrix(0, options.classes.length);
  const features = await featuresOf(train, test);
  const learnt = Array.from(train, (i) => rows[i]!);
  const present = options.classes.filter((name) => learnt.some(({ label }) => label === name));
  const classifier = await fitHead(features.train, learnt, {
    ...options,
    classes: present,
    keys: Array.from(train, (i) => keys[i]!),
  });
  const some = classifier.predict(features.test);
  if (present.length === options.classes.length) return some;
  // A class too rare to be in every fold: its probability is nought where it was not learnt.
  const all = matrix(test.length, options.classes.length);
  for (const [p, name] of present.entries()) {
    const c = options.classes.indexOf(name);
    for (let i = 0; i < test.length; i++)
      all.data[i * options.classes.length + c] = some.data[i * present.length + p]!;
  }
  return all;
}

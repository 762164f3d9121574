import {
  type Features,
  isSparse,
  type Matrix,
  matrix,
  mostProbable,
  type RepeatedScores,
  type Row,
  type Scores,
  type TransferVerdict,
  writeModel,
} from "@graft-ml/core";
import { openSource } from "../sources/index.ts";
import { tfidfSource } from "../sources/raw.ts";
import { type Baseline, majorityBaseline, rawBaseline, verdictOf } from "./baselines.ts";
import { modelOutputs } from "./compose.ts";
import { crossValidate, type FoldFeatures, fixedFeatures } from "./cross-validate.ts";
import { infer } from "./infer.ts";
import type { Learnt, Stage } from "./learn.ts";
import { scored } from "./open-run.ts";
import { type Golden, makeGolden } from "./replay.ts";
import { fineTuned } from "./tune.ts";

/** What the test part says of a model. */
export interface Proof {
  /** Test rows that could be read. */
  readonly test: readonly Row[];
  /** Class numbers of these rows. */
  readonly labels: Int32Array;
  readonly probabilities: Matrix;
  /** Features of the test rows [n, D]. */
  readonly features: Features;
  readonly scores: Scores;
  readonly baselines: readonly Baseline[];
  readonly transfer: TransferVerdict | null;
  readonly repeated: RepeatedScores | null;
  readonly golden: Golden;
  readonly skipped: readonly string[];
}

/** Rows beyond which one split says enough, and repeated ones are not made. */
const SMALL = 2000;
const FOLDS = 5;
const REPEATS = 2;

/** Runs the finished model over the test part and scores it, beside models that transfer nothing. */
export async function prove(stage: Stage, learnt: Learnt): Promise<Proof> {
  const { prepared, options, reader, seed, reading, progress, log } = stage;
  const { source } = learnt;
  const { preprocessor, batchSize } = source;
  const { probabilities: PROBABILITIES, features: FEATURES } = modelOutputs;
  const session = await reader.load(learnt.model);
  try {
    // Features of TF-IDF are sparse: as an output of the model they would be a wide row of zeros a text.
    const outputs = isSparse(learnt.extracted.features) ? [PROBABILITIES] : [PROBABILITIES, FEATURES];
    const inferring = { session, runtime: reader, preprocessor, batchSize };
    const tested = await infer(prepared.test, {
      ...inferring,
      outputs,
      ...reading,
      onProgress: progress("test"),
    });
    const test = Array.from(tested.kept, (i) => prepared.test[i]!);
    const probabilities = tested.outputs[PROBABILITIES]!;
    const { scores, labels } = scored(test, probabilities, prepared.classes, seed);
    await log({ step: "test", rows: test.length, accuracy: scores.accuracy, logLoss: scores.logLoss });
    const features = tested.outputs[FEATURES] ?? (await source.features(test, reading)).features;
    const baselines = options.baselines === false ? [] : await baselinesOf(stage, learnt, test);
    const verdict = verdictOf(mostProbable(probabilities), labels, test, baselines, seed);
    const testKeys = Array.from(tested.kept, (i) => prepared.testKeys[i]!);
    return {
      test,
      labels,
      probabilities,
      features,
      scores,
      baselines,
      transfer: learnt.isTransferred ? verdict : verdict && { ...verdict, verdict: "no evidence" },
      repeated: await repeatedOf(stage, learnt, { test, testKeys, features }),
      golden: await makeGolden(
        test,
        async (rows) =>
          (await infer(rows, { ...inferring, outputs: [PROBABILITIES] })).outputs[PROBABILITIES]!,
      ),
      skipped: tested.skipped,
    };
  } finally {
    await session.close();
  }
}

async function baselinesOf(stage: Stage, learnt: Learnt, test: readonly Row[]): Promise<Baseline[]> {
  const { source, train, method } = learnt;
  const { prepared, options, reader, runtime, cache, random, reading, progress } = stage;
  const { classes } = prepared;
  const { modality } = source;
  const raw =
    source.layer === ""
      ? source
      : await openSource("none", { modality, runtime: reader, cache, training: train });
  const { featureMemory } = options;
  const memory = featureMemory === undefined ? {} : { featureMemory };
  // Without a backbone and weights of classes the head may be this baseline already.
  const isRaw = raw === source && learnt.head.name === "logistic" && (options.classWeights ?? null) === null;
  const fitted = isRaw ? { classifier: learnt.head.classifier } : {};
  const fitting = { classes, random: random.fork("raw"), runtime, ...memory, ...fitted };
  const wantsScratch = source.layer !== "" && method !== "scratch" && (options.scratch ?? method !== "probe");
  return [
    majorityBaseline(train, test, classes),
    await rawBaseline(raw, train, test, { ...fitting, ...reading, onProgress: progress("baseline") }),
    ...(wantsScratch ? [await scratchBaseline(stage, learnt, test)] : []),
  ];
}

/** The same network, every parameter drawn anew and trained on the same rows. */
async function scratchBaseline(stage: Stage, learnt: Learnt, test: readonly Row[]): Promise<Baseline> {
  const { source } = learnt;
  const trained = await fineTuned(stage, learnt, { method: "scratch", settings: {} });
  const { reader, reading } = stage;
  const session = await reader.load(writeModel(trained.model));
  try {
    const { preprocessor, batchSize } = source;
    const outputs = [modelOutputs.probabilities];
    const inferring = { session, runtime: reader, preprocessor, batchSize, outputs };
    const inferred = await infer(test, { ...inferring, ...reading });
    return {
      name: "scratch",
      about: `${source.name} from random weights, ${trained.chosen.epochs} epochs`,
      predicted: mostProbable(inferred.outputs[modelOutputs.probabilities]!),
    };
  } finally {
    await session.close();
  }
}

/** Scores over repeated splits of all rows, where the set is small and was split here; nothing is chosen on them. */
async function repeatedOf(
  { prepared, options, seed, random, reading, progress }: Stage,
  { extracted, train, trainKeys, head, fitting, method }: Learnt,
  held: { readonly test: readonly Row[]; readonly testKeys: readonly string[]; readonly features: Features },
): Promise<RepeatedScores | null> {
  const rows = [...train, ...held.test];
  if (options.fast || method !== "probe" || extracted.features.rows < train.length) return null;
  if (rows.length > SMALL || prepared.parts.origin === "official") return null;
  if ((options.shots ?? null) !== null) return null; // few training rows are what is to be measured
  const keys = [...trainKeys, ...held.testKeys];
  const settings = { ...fitting, head: head.name, random: random.fork("repeats"), seed };
  const { signal } = reading;
  const stopping = signal === undefined ? {} : { signal };
  const repeats = { folds: FOLDS, repeats: REPEATS, onProgress: progress("repeat"), ...stopping };
  const featuresOf = foldFeatures(rows, extracted.features, held.features);
  return await crossValidate(rows, keys, featuresOf, { ...settings, ...repeats });
}

function foldFeatures(rows: readonly Row[], train: Features, test: Features): FoldFeatures {
  if (!isSparse(train)) return fixedFeatures(stacked(train, test as Matrix));
  // The terms of TF-IDF are learnt too, so each fold learns its own.
  const of = (part: Int32Array) => Array.from(part, (i) => rows[i]!);
  return async (learntOn, heldOut) => {
    const own = tfidfSource(of(learntOn));
    return {
      train: (await own.features(of(learntOn))).features,
      test: (await own.features(of(heldOut))).features,
    };
  };
}

function stacked(a: Matrix, b: Matrix): Matrix {
  const both = matrix(a.rows + b.rows, a.columns);
  both.data.set(a.data);
  both.data.set(b.data, a.data.length);
  return both;
}

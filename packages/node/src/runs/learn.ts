import {
  InputError,
  matrix,
  NoWordKnown,
  type Random,
  type Row,
  type Runtime,
  takeFeatures,
  writeModel,
} from "@graft-ml/core";
import {
  type DefaultBackbone,
  defaultBackbones,
  openSources,
  type ReadingOptions,
  type Source,
  type SourceFeatures,
} from "../sources/index.ts";
import type { Method, Trial } from "../training/index.ts";
import { VERSION } from "../version.ts";
import { type Candidate, chooseSource, type SourceChoice } from "./choose-source.ts";
import { composeModel } from "./compose.ts";
import { type FittingOptions, headOf } from "./fit-head.ts";
import { FEATURE_MEMORY, fitStreamedHead, staysOnDisk } from "./fit-streamed.ts";
import { type FittedHead, fitChosenHead } from "./head-choice.ts";
import type { Prepared } from "./prepared.ts";
import type { TrainRunOptions } from "./train-run.ts";

/** What every stage of training is given. */
export interface Stage {
  readonly prepared: Prepared;
  readonly options: TrainRunOptions;
  /** For features and predictions: runs of several batches at a time. */
  readonly reader: Runtime;
  /** For training and for heads: one run at a time, on all threads. */
  readonly runtime: Runtime;
  readonly seed: number;
  /** Folder of the cache; null for none. */
  readonly cache: string | null;
  readonly random: Random;
  readonly reading: ReadingOptions;
  progress(task: string): (done: number, total: number) => void;
  log(entry: object): Promise<void>;
}

/** A model with all that was learnt on the training part. */
export interface Learnt {
  /** Trunk and head as one ONNX file, from what the preprocessor feeds to probabilities and features. */
  readonly model: Uint8Array;
  readonly source: Source;
  /** Training rows that could be read, and their identities. */
  readonly train: readonly Row[];
  readonly trainKeys: readonly string[];
  /** Without rows where features stayed on disk, or where none were made. */
  readonly extracted: SourceFeatures;
  readonly head: FittedHead;
  readonly method: Method;
  /** Whether anything pretrained is in the model; without it there is no transfer to speak of. */
  readonly isTransferred: boolean;
  /** What fitting chose: strength of the head, depth, learning rate, epochs. */
  readonly chosen: Readonly<Record<string, number | string>>;
  /** Why this method, and what stayed frozen, in words; null where a head alone was asked for. */
  readonly reason: string | null;
  /** Trainings that were compared on held-out training rows. */
  readonly trials: readonly Trial[];
  /** LoRA's adapter apart from the model, by file name. */
  readonly adapter: Readonly<Record<string, string | Uint8Array>> | null;
  readonly choice: SourceChoice;
  readonly fitting: Omit<FittingOptions, "head">;
  readonly skipped: readonly string[];
  readonly extractSeconds: number;
  /** Rows that features were made or read of, over all sources tried. */
  readonly extractedRows: number;
  readonly fitSeconds: number;
}

/** Features of every source that could be taken, the choice among them, and a head on the one chosen. */
export async function learn(stage: Stage): Promise<Learnt> {
  const { prepared, options, runtime, progress, log, seed } = stage;
  const { head = "auto", fast = false } = options;
  const { signal } = stage.reading;
  if (head !== "auto") headOf(head);
  const begin = performance.now();
  const sources = await openAll(stage);
  const [only] = sources;
  const { featureMemory = FEATURE_MEMORY } = options;
  if (sources.length === 1 && staysOnDisk(only!, prepared.train.length, featureMemory))
    return await learnStreamed(stage, only, begin);
  const { candidates, train, keys, skipped } = await candidatesOf(stage, sources);
  const extractSeconds = (performance.now() - begin) / 1000;
  const extractedRows = candidates.length * train.length;
  await log({ step: "extract", sources: candidates.length, rows: train.length });

  const fitting = {
    classes: prepared.classes,
    classWeights: options.classWeights ?? null,
    random: stage.random.fork("fit"),
    runtime,
  };
  const choice = await chooseSource(candidates, train, keys, {
    ...fitting,
    head: "logistic",
    seed,
    onProgress: progress("choose"),
  });
  const { source, extracted } = choice.chosen;
  const fitted = await fitChosenHead(extracted.features, train, {
    ...fitting,
    head: fast && head === "auto" ? "logistic" : head,
    keys,
    onProgress: progress("heads"),
    ...(signal === undefined ? {} : { signal }),
  });
  const { chosen } = fitted.classifier;
  await log({ step: "fit", backbone: source.spec, layer: source.layer, head: fitted.name, ...chosen });
  return {
    model: writeModel(composeModel(source.trunk, fitted.classifier, VERSION)),
    source,
    train,
    trainKeys: keys,
    extracted,
    head: fitted,
    method: "probe",
    isTransferred: source.layer !== "",
    chosen: fitted.classifier.chosen,
    reason: null,
    trials: [],
    adapter: null,
    choice,
    fitting,
    skipped,
    extractSeconds,
    extractedRows,
    fitSeconds: (performance.now() - begin) / 1000 - extractSeconds,
  };
}

/** The same from one source whose features stay on disk: a head that learns block by block. */
async function learnStreamed(
  stage: Stage,
  source: Source & Required<Pick<Source, "stream">>,
  begin: number,
): Promise<Learnt> {
  const { prepared, options, runtime, progress, log } = stage;
  const { classes } = prepared;
  const { head = "auto", classWeights = null } = options;
  const streamed = await source.stream(prepared.train, { ...stage.reading, onProgress: progress("extract") });
  try {
    const { blocks, kept, skipped, computed, seconds } = streamed;
    const train = Array.from(kept, (i) => prepared.train[i]!);
    const trainKeys = Array.from(kept, (i) => prepared.trainKeys[i]!);
    requireClasses(train, prepared);
    const extractSeconds = (performance.now() - begin) / 1000;
    await log({ step: "extract", sources: 1, rows: train.length });
    const fitting = { classes, classWeights, random: stage.random.fork("fit"), runtime };
    const fitted = await fitStreamedHead(blocks, train, { ...fitting, head, keys: trainKeys });
    const { chosen } = fitted.classifier;
    await log({ step: "fit", backbone: source.spec, layer: source.layer, head: fitted.name, ...chosen });
    const extracted = { features: matrix(0, source.dimension), kept, skipped, computed, seconds };
    return {
      model: writeModel(composeModel(source.trunk, fitted.classifier, VERSION)),
      source,
      train,
      trainKeys,
      extracted,
      head: fitted,
      method: "probe",
      isTransferred: source.layer !== "",
      chosen,
      reason: null,
      trials: [],
      adapter: null,
      choice: { chosen: { source, extracted }, compared: [] },
      fitting,
      skipped,
      extractSeconds,
      extractedRows: train.length,
      fitSeconds: (performance.now() - begin) / 1000 - extractSeconds,
    };
  } finally {
    await streamed.close();
  }
}

/** The sources of all backbones and layers to choose from. */
async function openAll({ prepared, options, reader, cache, log }: Stage): Promise<Source[]> {
  const { backbones = ["none"], pooling, framing, batchSize, maxLength } = options;
  if (backbones.length === 0) throw new InputError("no backbone is named; pass one, or none");
  const modality = prepared.dataset.task === "image-classification" ? "image" : "text";
  const sources: Source[] = [];
  const asked = backbones.flatMap((one) => (one === "auto" ? automatic() : [{ spec: one, layer: null }]));
  for (const { spec, layer } of asked) {
    try {
      const opened = await openSources(spec, {
        modality,
        runtime: reader,
        training: prepared.train,
        layer: options.layer ?? layer,
        cache,
        ...(pooling === undefined ? {} : { pooling }),
        ...(framing === undefined ? {} : { framing }),
        batchSize: batchSize ?? null,
        maxLength: maxLength ?? null,
        backbone: { onProgress: options.onProgress ?? (() => {}), ...options.backbone },
      });
      sources.push(...opened);
    } catch (error) {
      // Vectors nobody named that know no word of the texts are no candidate; whatever else is wrong is told.
      if (!(error instanceof NoWordKnown) || backbones.includes(spec)) throw error;
      await log({ step: "leave out", backbone: spec, reason: error.message });
    }
  }
  requireNetwork(sources, options.method ?? "auto");
  return sources;

  function automatic(): DefaultBackbone[] {
    return options.fast ? [{ spec: "none", layer: null }] : defaultBackbones(modality, prepared.train);
  }
}

/** Every source with the features of the training rows; a row that one of them cannot read is left out for all. */
async function candidatesOf({ prepared, reading, progress }: Stage, sources: readonly Source[]) {
  const all = prepared.train;
  const candidates: Candidate[] = [];
  const skipped: string[] = [];
  let usable = new Set<number>(all.keys());
  for (const [k, source] of sources.entries()) {
    const task = sources.length === 1 ? "extract" : `extract ${k + 1} of ${sources.length}`;
    const extracted = await source.features(all, { ...reading, onProgress: progress(task) });
    skipped.push(...extracted.skipped.filter((reason) => !skipped.includes(reason)));
    usable = new Set(Array.from(extracted.kept).filter((i) => usable.has(i)));
    candidates.push({ source, extracted });
  }
  const kept = [...usable].sort((a, b) => a - b);
  requireClasses(
    kept.map((i) => all[i]!),
    prepared,
  );
  return {
    candidates: candidates.map((candidate) => narrowed(candidate, kept)),
    train: kept.map((i) => all[i]!),
    keys: kept.map((i) => prepared.trainKeys[i]!),
    skipped,
  };
}

/** Refused before anything is computed: a method that trains a network needs one. */
function requireNetwork(sources: readonly Source[], method: Method | "auto"): void {
  if (method === "auto" || method === "probe" || sources.every(({ layer }) => layer !== "")) return;
  throw new InputError(
    `method ${method}: the backbone "none" has no network to train; name one with --backbone, or build one with --arch`,
  );
}

function narrowed({ source, extracted }: Candidate, kept: readonly number[]): Candidate {
  if (extracted.kept.length === kept.length) return { source, extracted };
  const places = new Map(Array.from(extracted.kept, (i, place) => [i, place]));
  const features = takeFeatures(
    extracted.features,
    kept.map((i) => places.get(i)!),
  );
  return { source, extracted: { ...extracted, features, kept: Int32Array.from(kept) } };
}

/** Left-out rows must not leave a class without any. */
export function requireClasses(train: readonly Row[], { classes, dataset }: Prepared): void {
  const missing = classes.find((name) => !train.some(({ label }) => label === name));
  if (missing !== undefined)
    throw new InputError(
      `${dataset.source}: no training row of class ${JSON.stringify(missing)} could be read; mend its files`,
    );
}

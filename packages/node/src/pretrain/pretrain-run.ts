import { createHash } from "node:crypto";
import { appendFile, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import {
  type Dataset,
  featureModel,
  InputError,
  inputKeys,
  type Model,
  type Row,
  type Runtime,
  random,
  resolveSettings,
  splitDataset,
  type Tensor,
  withParameters,
  writeModel,
} from "@graft-ml/core";
import type { RunConfig } from "../runs/config.ts";
import { jsonText, prepareRun, runFiles, writeWhole } from "../runs/folder.ts";
import { type Metrics, type Timing, trainRun } from "../runs/index.ts";
import { prepareData } from "../runs/prepared.ts";
import { type Device, ortRuntime } from "../runtime/index.ts";
import { type ArchitectureChoice, architectureSource, openArchitecture } from "../sources/index.ts";
import { augmentationOf } from "../training/augmenting.ts";
import { checkpointsIn, decodedInputs, fineTuneOptions } from "../training/index.ts";
import { VERSION } from "../version.ts";
import * as objectives from "./objectives.ts";
import { renderPretraining } from "./page.ts";
import { selfSupervise } from "./self-supervise.ts";
import { pretrainOptions } from "./settings.ts";
import type { Objective } from "./task.ts";

/** What a network can be pretrained by. */
export const OBJECTIVES = [
  "supervised",
  ...(Object.keys(objectives) as (keyof typeof objectives)[]),
] as const;

/** What is pretrained, and how. */
export interface PretrainRunOptions {
  /** The RUN folder. */
  readonly output: string;
  readonly architecture: ArchitectureChoice;
  /** "supervised", the default, learns labels; the others look at none. */
  readonly objective?: (typeof OBJECTIVES)[number];
  /** See `pretrainOptions`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  /** Share of the rows held out where the data bring no test part. */
  readonly testFraction?: number;
  readonly maxLength?: number | null;
  readonly threads?: number;
  readonly device?: Device;
  readonly onError?: "fail" | "skip";
  /** A runtime to use; by default ONNX Runtime in a worker thread, closed at the end. */
  readonly runtime?: Runtime;
  /** Steps between two states on the disk; 25 when left out. */
  readonly checkpointEvery?: number;
  readonly command?: string;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** metrics.json of a RUN that was pretrained without labels. */
export interface PretrainMetrics {
  readonly task: RunConfig["task"];
  readonly classes: readonly [];
  readonly objective: string;
  readonly measure: string;
  readonly rows: { readonly train: number; readonly heldOut: number };
  /** Loss of the held-out rows: before training, after it, and of the best guess that looks at no input. */
  readonly heldOut: { readonly start: number; readonly end: number; readonly baseline: number } | null;
  /** Mean loss of each epoch. */
  readonly losses: readonly number[];
  readonly chosen: Metrics["chosen"];
  readonly timing: Timing;
}

/** What pretraining wrote, and where. */
export interface PretrainedRun {
  readonly folder: string;
  readonly config: RunConfig;
  readonly metrics: Metrics | PretrainMetrics;
  /** What a reader should know: what was taken from other weights, what was held out. */
  readonly notes: readonly string[];
}

/**
 * Trains an architecture from nothing to be a backbone (`run:DIR`). With labels that is `trainRun` without a backbone;
 * otherwise the network learns by an objective that needs none, on all rows but those `trainRun` would test on with the same
 * seed. Killed at any moment, the same call makes the same model. Throws an InputError for data or settings at fault.
 */
export async function pretrainRun(dataset: Dataset, options: PretrainRunOptions): Promise<PretrainedRun> {
  const { objective = "supervised" } = options;
  if (!OBJECTIVES.includes(objective))
    throw new InputError(`objective "${objective}" is none of ${OBJECTIVES.join(", ")}`);
  return objective === "supervised"
    ? await supervised(dataset, options)
    : await unsupervised(dataset, options, objective);
}

async function supervised(dataset: Dataset, options: PretrainRunOptions): Promise<PretrainedRun> {
  if (dataset.rows.every(({ label }) => label === null))
    throw new InputError(
      `${dataset.source}: no row has a label; name an objective that needs none: ${Object.keys(objectives).join(", ")}`,
    );
  const { settings: given, objective: _, checkpointEvery: __, ...rest } = options;
  const settings = resolveSettings("pretraining", pretrainOptions, given);
  const tuning = Object.fromEntries(Object.entries(settings).filter(([name]) => name in fineTuneOptions));
  const { folder, config, metrics, report } = await trainRun(dataset, {
    ...rest,
    method: "scratch",
    tuning,
    cache: null,
  });
  return { folder, config, metrics, notes: report.notes };
}

async function unsupervised(
  dataset: Dataset,
  options: PretrainRunOptions,
  name: keyof typeof objectives,
): Promise<PretrainedRun> {
  const begin = performance.now();
  const { output, architecture, seed = 0, onProgress, signal } = options;
  const progress = (task: string) => (done: number, total: number) => onProgress?.(task, done, total);
  const settings = resolveSettings("pretraining", pretrainOptions, options.settings);
  const runtime = options.runtime ?? (await ortRuntime(runtimeOptions(options)));
  try {
    const parts = await partsFor(dataset, options, progress("read"));
    await prepareRun(output);
    let written: Promise<unknown> = Promise.resolve();
    const log = (entry: object) => {
      written = written.then(() => appendFile(join(output, runFiles.log), `${JSON.stringify(entry)}\n`));
    };
    log({ step: "data", train: parts.train.length, heldOut: parts.heldOut.length });
    const source = random(seed);
    const opened = await openArchitecture({
      choice: architecture,
      modality: dataset.task === "image-classification" ? "image" : "text",
      training: parts.train,
      random: source,
      maxLength: options.maxLength ?? null,
    });
    const { initialised } = opened;
    if (initialised !== null) {
      const { taken, skipped, missing } = initialised;
      log({ step: "init", from: architecture.init, taken, skipped, missing });
    }
    const network = architectureSource(opened, { runtime, batchSize: null });
    const readable = await readableRows(parts, options, async (rows) => [
      ...(await network.features(rows, { onError: "skip", onProgress: progress("read") })).kept,
    ]);
    const rows = [...readable.train, ...readable.heldOut];
    const numbers = Int32Array.from(rows.keys());
    const [train, heldOut] = [numbers.slice(0, readable.train.length), numbers.slice(readable.train.length)];
    const inputs = decodedInputs({
      rows,
      preprocessor: network.preprocessor,
      augmentation: augmentationOf(settings, network.preprocessor),
      random: source.fork("augmentation"),
    });
    const all: Readonly<Record<typeof name, Objective>> = objectives;
    const objective = all[name];
    const task = objective.open({
      opened,
      source: network,
      rows,
      inputs,
      settings,
      random: source.fork("task"),
    });
    const identity = {
      settings,
      seed,
      objective: name,
      start: network.sha256,
      preprocessor: network.preprocessor.fingerprint,
      examples: [rows.map(({ input }) => input), train.length],
    };
    const checkpoints = await checkpointsIn(join(output, runFiles.checkpoints, name), identity);
    const result = await selfSupervise({
      task,
      extentOf: inputs.extentOf,
      train,
      heldOut,
      settings,
      runtime,
      random: source.fork("training"),
      checkpoints,
      every: options.checkpointEvery ?? 25,
      onStep: progress("training"),
      onEpoch: ({ epoch, loss, heldOut: held }) =>
        log({ step: "epoch", run: name, epoch: epoch + 1, loss, heldOut: held }),
      signal,
    });
    const baseline = heldOut.length === 0 ? null : await task.baseline.loss(train, heldOut);
    const model = learnt(opened.model, result.parameters);
    const bytes = writeModel(model);
    const made = featureModel(model);
    const totalSeconds = (performance.now() - begin) / 1000;
    const notes = [
      ...parts.notes,
      ...readable.skipped,
      initialised === null ? "Every weight was drawn anew." : `${initialised.summary}.`,
    ];
    const config: RunConfig = {
      graft: VERSION,
      task: dataset.task,
      id2label: {},
      label2id: {},
      backbone: {
        spec: "none",
        name: architecture.name,
        sha256: network.sha256,
        commit: null,
        licence: null,
      },
      layer: made.layer,
      dimension: made.dimension,
      pooling: "auto",
      method: name,
      reason: `${architecture.name} learnt ${objective.about}; no label was looked at`,
      head: "none",
      chosen: { architecture: architecture.name, ...usedSettings(settings, name) },
      trainingCounts: [],
      seed,
      batchSize: network.batchSize,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    };
    const metrics: PretrainMetrics = {
      task: dataset.task,
      classes: [],
      objective: name,
      measure: task.measure,
      rows: { train: train.length, heldOut: heldOut.length },
      heldOut:
        baseline === null ? null : { start: result.heldOut[0]!, end: result.heldOut.at(-1)!, baseline },
      losses: result.losses,
      chosen: { backbone: "none", sha256: network.sha256, layer: made.layer, head: "none", method: name },
      timing: {
        extractSeconds: 0,
        fitSeconds: totalSeconds,
        totalSeconds,
        itemsPerSecond: (train.length * settings.epochs) / totalSeconds,
      },
    };
    const page = renderPretraining({
      title: basename(resolve(dataset.source)),
      about: objective.about,
      baseline: task.baseline.about,
      command: options.command ?? `pretrainRun(${JSON.stringify(dataset.source)}, …)`,
      heldOut: result.heldOut,
      config,
      metrics,
      notes,
    });
    await written;
    const files: readonly (readonly [string, string | Uint8Array])[] = [
      [runFiles.model, bytes],
      [runFiles.config, jsonText(config)],
      ...Object.entries(network.preprocessor.files()),
      [runFiles.report, page],
      [runFiles.metrics, jsonText(metrics)],
    ];
    for (const [file, content] of files) await writeWhole(join(output, file), content);
    await rm(join(output, runFiles.checkpoints), { recursive: true, force: true });
    return { folder: output, config, metrics, notes };
  } finally {
    if (options.runtime === undefined) await runtime.close();
  }
}

interface UnlabelledParts {
  readonly train: readonly Row[];
  readonly heldOut: readonly Row[];
  readonly notes: readonly string[];
}

/** Share of the rows held out where no row has a label. */
const HELD_OUT = 0.1;

/** Labelled rows as `graft train` splits them; rows without a label are trained on, but for copies of those held out. */
async function partsFor(
  dataset: Dataset,
  options: PretrainRunOptions,
  onProgress: (done: number, total: number) => void,
): Promise<UnlabelledParts> {
  const { seed = 0, signal } = options;
  const { rows } = dataset;
  const keys = inputKeys(rows);
  if (rows.some(({ label }) => label !== null)) {
    const labelled = { ...dataset, rows: rows.filter(({ label }) => label !== null) };
    const { testFraction, onError } = options;
    const { train, test, parts } = await prepareData(labelled, {
      seed,
      onProgress,
      ...(testFraction === undefined ? {} : { testFraction }),
      ...(onError === undefined ? {} : { onError }),
      ...(signal === undefined ? {} : { signal }),
    });
    const tested = new Set(test);
    const judged = new Set(rows.flatMap((row, i) => (tested.has(row) ? [keys[i]!] : [])));
    const others = rows.filter(
      (row, i) => row.label === null && row.split !== "test" && !judged.has(keys[i]!),
    );
    return { train: [...train, ...others], heldOut: test, notes: parts.notes };
  }
  const official = rows.some(({ split }) => split === "test");
  const parts = official
    ? {
        train: numbersOf(rows, (row) => row.split !== "test"),
        test: numbersOf(rows, (row) => row.split === "test"),
      }
    : splitDataset(rows, { fraction: options.testFraction ?? HELD_OUT, seed, keys });
  const of = (part: Int32Array) => Array.from(part, (i) => rows[i]!);
  if (parts.train.length === 0)
    throw new InputError(`${dataset.source}: there are no rows to train on, only test rows`);
  return {
    train: of(parts.train),
    heldOut: of(parts.test),
    notes: [`${parts.test.length} of ${rows.length} rows were held out`],
  };
}

function numbersOf(rows: readonly Row[], is: (row: Row) => boolean): Int32Array {
  return Int32Array.from([...rows.keys()].filter((i) => is(rows[i]!)));
}

/** With `onError: "skip"`, rows that cannot be read are found first and left out. */
async function readableRows(
  { train, heldOut }: UnlabelledParts,
  { onError = "fail" }: PretrainRunOptions,
  keptOf: (rows: readonly Row[]) => Promise<readonly number[]>,
) {
  if (onError === "fail") return { train, heldOut, skipped: [] };
  const kept = async (rows: readonly Row[]) => (await keptOf(rows)).map((i) => rows[i]!);
  const [read, held] = [await kept(train), await kept(heldOut)];
  const lost = train.length + heldOut.length - read.length - held.length;
  return {
    train: read,
    heldOut: held,
    skipped: lost === 0 ? [] : [`${lost} rows could not be read and were left out`],
  };
}

/** The architecture with what was learnt, without what the objective had put on top. */
function learnt(model: Model, parameters: ReadonlyMap<string, Tensor>): Model {
  const own = new Set([...model.graph.initializers.keys()].map(({ name }) => name));
  return withParameters(model, new Map([...parameters].filter(([name]) => own.has(name))));
}

function usedSettings(settings: Readonly<Record<string, unknown>>, objective: string) {
  const others = { noise: "denoise", hidden: "denoise", masked: "mlm" } as Readonly<Record<string, string>>;
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([name]) => (others[name] ?? objective) === objective)
      .map(([name, value]) => [
        name,
        typeof value === "boolean" ? String(value) : (value as number | string),
      ]),
  );
}

function runtimeOptions({ threads, device }: PretrainRunOptions) {
  return { ...(threads === undefined ? {} : { threads }), ...(device === undefined ? {} : { device }) };
}

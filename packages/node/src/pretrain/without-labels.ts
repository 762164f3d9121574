import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Dataset,
  type Model,
  type Parameters,
  type Runtime,
  random,
  resolveSettings,
  withParameters,
} from "@graft-ml/core";
import { prepareRun, runFiles } from "../runs/folder.ts";
import { architectureSource, openArchitecture, requireTexts } from "../sources/index.ts";
import { augmentationOf } from "../training/augmenting.ts";
import { checkpointsIn, decodedInputs } from "../training/index.ts";
import * as objectives from "./objectives.ts";
import type { PretrainedRun, PretrainRunOptions } from "./pretrain-run.ts";
import { selfSupervise } from "./self-supervise.ts";
import { pretrainOptions } from "./settings.ts";
import type { Objective } from "./task.ts";
import { readableParts, unlabelledParts } from "./unlabelled-parts.ts";
import { writePretraining } from "./write-pretraining.ts";

/** Names of the objectives that look at no label. */
export type UnlabelledObjective = keyof typeof objectives;

/** Trains an architecture by an objective that looks at no label, and writes its RUN. */
export async function withoutLabels(
  dataset: Dataset,
  options: PretrainRunOptions & { readonly runtime: Runtime; readonly objective: UnlabelledObjective },
): Promise<PretrainedRun> {
  const begin = performance.now();
  const { output, architecture, objective: name, runtime, seed = 0, onProgress, signal } = options;
  const progress = (task: string) => (done: number, total: number) => onProgress?.(task, done, total);
  const settings = resolveSettings("pretraining", pretrainOptions, options.settings);
  const found = await unlabelledParts(dataset, { ...options, seed, onProgress: progress("read") });
  if (options.onError !== "skip") requireTexts([...found.train, ...found.heldOut]);
  await prepareRun(output);
  let written: Promise<unknown> = Promise.resolve();
  const log = (entry: object) => {
    const line = `${JSON.stringify(entry)}\n`;
    written = written.then(() => appendFile(join(output, runFiles.log), line));
  };
  log({ step: "data", train: found.train.length, heldOut: found.heldOut.length });
  const source = random(seed);
  const opened = await openArchitecture({
    choice: architecture,
    modality: dataset.task === "image-classification" ? "image" : "text",
    training: found.train,
    random: source,
    maxLength: options.maxLength ?? null,
  });
  const { initialised } = opened;
  if (initialised !== null) {
    const { taken, skipped, missing } = initialised;
    log({ step: "init", from: architecture.init, taken, skipped, missing });
  }
  const network = architectureSource(opened, { runtime });
  const reading = { onError: "skip", onProgress: progress("read") } as const;
  const parts =
    options.onError === "skip"
      ? await readableParts(found, async (rows) => (await network.features(rows, reading)).kept)
      : found;
  const rows = [...parts.train, ...parts.heldOut];
  const numbers = Int32Array.from(rows.keys());
  const train = numbers.slice(0, parts.train.length);
  const heldOut = numbers.slice(parts.train.length);
  const { preprocessor } = network;
  const augmentation = augmentationOf(settings, preprocessor);
  const inputs = decodedInputs({ rows, preprocessor, augmentation, random: source.fork("augmentation") });
  const all: Readonly<Record<UnlabelledObjective, Objective>> = objectives;
  const objective = all[name];
  const task = objective.open({ opened, inputs, settings, random: source.fork("task") });
  const checkpoints = await checkpointsIn(join(output, runFiles.checkpoints, name), {
    settings,
    seed,
    objective: name,
    start: network.sha256,
    preprocessor: preprocessor.fingerprint,
    examples: [rows.map(({ input }) => input), train.length],
  });
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
  await written;
  const start = opened.start ?? "every weight was drawn anew";
  const notes = [...parts.notes, start];
  const made = await writePretraining({
    output,
    dataset,
    objective: name,
    about: objective.about,
    model: learnt(opened.model, result.parameters),
    source: network,
    task,
    result,
    rows: { train: train.length, heldOut: heldOut.length },
    examples: parts.heldOut.length > 0 ? parts.heldOut : parts.train,
    runtime,
    baseline,
    settings,
    seed,
    seconds: (performance.now() - begin) / 1000,
    command: options.command ?? `pretrainRun(${JSON.stringify(dataset.source)}, …)`,
    notes,
  });
  return { folder: output, ...made, notes };
}

/** The architecture with what was learnt, without what the objective had put on top. */
function learnt(model: Model, parameters: Parameters): Model {
  const own = new Set([...model.graph.initializers.keys()].map(({ name }) => name));
  return withParameters(model, new Map([...parameters].filter(([name]) => own.has(name))));
}

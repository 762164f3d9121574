import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type Dataset, featureModel, type Model, type Row, type Runtime, writeModel } from "@graft-ml/core";
import type { RunConfig } from "../runs/config.ts";
import { jsonText, runFiles, writeWhole } from "../runs/folder.ts";
import type { Metrics, Timing } from "../runs/index.ts";
import { goldenText, makeGolden } from "../runs/replay.ts";
import { openFeatures } from "../runs/verify.ts";
import type { Source } from "../sources/index.ts";
import { VERSION } from "../version.ts";
import { type PretrainingPage, renderPretraining } from "./page.ts";
import type { SelfSupervised } from "./self-supervise.ts";
import type { PretrainSettings } from "./settings.ts";
import type { PretrainingTask } from "./task.ts";

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

/** What came of a pretraining without labels. */
export interface Pretraining {
  readonly output: string;
  readonly dataset: Dataset;
  readonly objective: string;
  /** The objective in words. */
  readonly about: string;
  /** The network with what was learnt. */
  readonly model: Model;
  readonly source: Source;
  readonly task: PretrainingTask;
  readonly result: SelfSupervised;
  readonly rows: PretrainMetrics["rows"];
  /** Rows that golden inputs are taken from. */
  readonly examples: readonly Row[];
  readonly runtime: Runtime;
  /** Loss of the held-out rows by the best guess that looks at no input; null where none are held out. */
  readonly baseline: number | null;
  readonly settings: PretrainSettings;
  readonly seed: number;
  readonly seconds: number;
  readonly command: string;
  readonly notes: readonly string[];
}

/** Writes every file of the RUN, each whole, and metrics.json last. */
export async function writePretraining(
  made: Pretraining,
): Promise<{ readonly config: RunConfig; readonly metrics: PretrainMetrics }> {
  const { output, model, source, about, command, notes, task, result, dataset } = made;
  const bytes = writeModel(model);
  const config = configOf(made, bytes);
  const metrics = metricsOf(made, config);
  const page: PretrainingPage = {
    version: 1,
    kind: "pretraining",
    title: basename(resolve(dataset.source)),
    about,
    baseline: task.baseline.about,
    command,
    heldOut: result.heldOut,
    config,
    metrics,
    notes,
  };
  const files: readonly (readonly [string, string | Uint8Array])[] = [
    [runFiles.model, bytes],
    [runFiles.config, jsonText(config)],
    ...Object.entries(source.preprocessor.files()),
    [runFiles.reportData, jsonText(page)],
    [runFiles.report, renderPretraining(page)],
  ];
  const write = (file: string, content: string | Uint8Array) => writeWhole(join(output, file), content);
  for (const [file, content] of files) await write(file, content);
  // Made with what was written, as whoever verifies it will.
  const network = await openFeatures(output, config, made.runtime);
  await write(runFiles.golden, goldenText(await makeGolden(made.examples, network, "features")));
  await write(runFiles.metrics, jsonText(metrics));
  await rm(join(output, runFiles.checkpoints), { recursive: true, force: true });
  return { config, metrics };
}

function configOf(
  { dataset, objective, about, model, source, settings, seed }: Pretraining,
  bytes: Uint8Array,
): RunConfig {
  const { name, sha256, batchSize } = source;
  const { layer, dimension } = featureModel(model);
  return {
    graft: VERSION,
    task: dataset.task,
    id2label: {},
    label2id: {},
    backbone: { spec: "none", name, sha256, commit: null, licence: null },
    layer,
    dimension,
    pooling: "auto",
    method: objective,
    reason: `${name} learnt ${about}; no label was looked at`,
    head: "none",
    chosen: { architecture: name, ...usedSettings(settings, objective) },
    trainingCounts: [],
    seed,
    batchSize,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

function metricsOf(
  { dataset, objective, task, result, rows, baseline, settings, source, seconds }: Pretraining,
  { layer }: RunConfig,
): PretrainMetrics {
  const [start, end] = [result.heldOut[0], result.heldOut.at(-1)];
  const isScored = start !== undefined && end !== undefined && baseline !== null;
  return {
    task: dataset.task,
    classes: [],
    objective,
    measure: task.measure,
    rows,
    heldOut: isScored ? { start, end, baseline } : null,
    losses: result.losses,
    chosen: { backbone: "none", sha256: source.sha256, layer, head: "none", method: objective },
    timing: {
      extractSeconds: 0,
      fitSeconds: seconds,
      totalSeconds: seconds,
      itemsPerSecond: (rows.train * settings.epochs) / seconds,
    },
  };
}

/** Settings that belong to one objective, which others do not look at. */
const BELONGS: Readonly<Record<string, string>> = { noise: "denoise", hidden: "denoise", masked: "mlm" };

function usedSettings(settings: PretrainSettings, objective: string): RunConfig["chosen"] {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([name]) => (BELONGS[name] ?? objective) === objective)
      .map(([name, value]) => [name, typeof value === "boolean" ? String(value) : value]),
  );
}

import { type Dataset, InputError, type Runtime, resolveSettings } from "@graft-ml/core";
import type { RunConfig } from "../runs/config.ts";
import { type Metrics, trainRun } from "../runs/index.ts";
import { type Device, ortRuntime } from "../runtime/index.ts";
import type { ArchitectureChoice } from "../sources/index.ts";
import { fineTuneOptions } from "../training/index.ts";
import * as objectives from "./objectives.ts";
import { pretrainOptions } from "./settings.ts";
import { withoutLabels } from "./without-labels.ts";
import type { PretrainMetrics } from "./write-pretraining.ts";

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
  /** False leaves out the baselines of "supervised", which take long on many rows. */
  readonly baselines?: boolean;
  readonly onError?: "fail" | "skip";
  /** A runtime to use; by default ONNX Runtime in a worker thread, closed at the end. */
  readonly runtime?: Runtime;
  /** Steps between two states on the disk; 25 when left out. */
  readonly checkpointEvery?: number;
  readonly command?: string;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
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
 * Trains an architecture from nothing to be a backbone (`run:DIR`). With labels that is `trainRun` without a
 * backbone; otherwise the network learns by an objective that needs none, on all rows but those `trainRun`
 * would test on with the same seed. Killed at any moment, the same call makes the same model. Throws an
 * InputError for data or settings at fault.
 */
export async function pretrainRun(dataset: Dataset, options: PretrainRunOptions): Promise<PretrainedRun> {
  const { objective = "supervised" } = options;
  if (!OBJECTIVES.includes(objective))
    throw new InputError(`objective "${objective}" is none of ${OBJECTIVES.join(", ")}`);
  if (objective === "supervised") return await supervised(dataset, options);
  const { threads, device } = options;
  const runtime =
    options.runtime ??
    (await ortRuntime({
      ...(threads === undefined ? {} : { threads }),
      ...(device === undefined ? {} : { device }),
    }));
  try {
    return await withoutLabels(dataset, { ...options, runtime, objective });
  } finally {
    if (options.runtime === undefined) await runtime.close();
  }
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

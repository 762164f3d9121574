import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { type Dataset, type Pooling, type Runtime, random } from "@graft-ml/core";
import type { BackboneOptions } from "../backbones/index.ts";
import { featureCache } from "../cache.ts";
import { type Device, ortRuntime } from "../runtime/index.ts";
import type { ArchitectureChoice, Framing } from "../sources/index.ts";
import type { Method } from "../training/index.ts";
import type { FittingOptions } from "./fit-head.ts";
import { prepareRun, runFiles } from "./folder.ts";
import { learn, type Stage } from "./learn.ts";
import { learnArchitecture } from "./learn-architecture.ts";
import { prepareData } from "./prepared.ts";
import { prove } from "./prove.ts";
import { tune } from "./tune.ts";
import { type Written, writeRun } from "./write-run.ts";

/** What is trained, and how. */
export interface TrainRunOptions {
  /** The RUN folder. */
  readonly output: string;
  /**
   * One backbone or several to choose from: a path, hf:owner/name, run:DIR, none (the default), or auto, see
   * `defaultBackbones`.
   */
  readonly backbones?: readonly string[];
  /** A network to train from nothing, in place of a backbone; the method is then "scratch". */
  readonly architecture?: ArchitectureChoice | null;
  /** A layer's name, "auto" to choose among several, or null for the default one. */
  readonly layer?: string | null;
  readonly pooling?: Pooling;
  /** Which part of an image the network sees; as its files state by default, "auto" chooses on training rows. */
  readonly framing?: Framing;
  /** A head's name, or "auto". */
  readonly head?: string;
  /** How much of the network learns; "auto", the default, decides on training rows. */
  readonly method?: Method | "auto";
  /** Settings of fine-tuning, see `fineTuneOptions`: epochs, learningRate, depth, rank, flip … */
  readonly tuning?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  /** Labelled training rows a class that are kept. */
  readonly shots?: number | null;
  /** Share of the rows split off for testing where the data bring no test part. */
  readonly testFraction?: number;
  readonly classWeights?: FittingOptions["classWeights"];
  /** Rows a run of the network. */
  readonly batchSize?: number | null;
  /** Tokens a text is cut to. */
  readonly maxLength?: number | null;
  /**
   * Bytes of features that are kept in memory, 512 MB where left out; of more, the head learns block by block
   * from disk.
   */
  readonly featureMemory?: number;
  readonly threads?: number;
  readonly device?: Device;
  /** The quickest sensible model: one head, no repeated splits. */
  readonly fast?: boolean;
  /** False leaves out the baselines, and with them the verdict on transfer. */
  readonly baselines?: boolean;
  /** The same network from random weights as one more baseline; by default where the network itself is trained. */
  readonly scratch?: boolean;
  readonly onError?: "fail" | "skip";
  /** Folder of the cache for features; by default as GRAFT_CACHE says, null for none. */
  readonly cache?: string | null;
  /** Settings of finding the backbone: offline, assume, cacheDir … */
  readonly backbone?: Omit<BackboneOptions, "modality">;
  /** A runtime to use; by default ONNX Runtime in a worker thread, closed at the end. */
  readonly runtime?: Runtime;
  /** The command that the report names to do it again. */
  readonly command?: string;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What training wrote, and where. */
export interface TrainedRun extends Written {
  readonly folder: string;
}

/**
 * From labelled rows to a RUN folder: features of a backbone's layer, a head fitted on the training part, one
 * model of both, scores on the test part with intervals and baselines, and a report. Everything is chosen on
 * the training part alone. Killed at any moment, the same call makes the same model. Throws an InputError for
 * data or a backbone at fault.
 */
export async function trainRun(dataset: Dataset, options: TrainRunOptions): Promise<TrainedRun> {
  const begin = performance.now();
  const { output, seed = 0, onError = "fail", signal, onProgress, cache = featureCache() } = options;
  const progress = (task: string) => (done: number, total: number) => onProgress?.(task, done, total);
  const stopping = signal === undefined ? {} : { signal };
  const settings = runtimeOptions(options);
  const [reader, runtime] = options.runtime
    ? [options.runtime, options.runtime]
    : await Promise.all([ortRuntime({ ...settings, throughput: true }), ortRuntime(settings)]);
  try {
    const prepared = await prepareData(dataset, { ...options, seed, onProgress: progress("read") });
    await prepareRun(output);
    const stage: Stage = {
      prepared,
      options,
      reader,
      runtime,
      seed,
      cache,
      random: random(seed),
      reading: { onError, ...stopping },
      progress,
      log: (entry) => appendFile(join(output, runFiles.log), `${JSON.stringify(entry)}\n`),
    };
    const { train, test, dropped } = prepared.parts;
    await stage.log({ step: "data", train: train.length, test: test.length, dropped: dropped.length });
    const { architecture = null } = options;
    const learnt =
      architecture === null
        ? await tune(stage, await learn(stage))
        : await learnArchitecture(stage, architecture);
    signal?.throwIfAborted();
    const proof = await prove(stage, learnt);
    signal?.throwIfAborted();
    const written = await writeRun(stage, learnt, proof, (performance.now() - begin) / 1000);
    return { folder: output, ...written };
  } finally {
    if (options.runtime === undefined) await Promise.all([reader.close(), runtime.close()]);
  }
}

function runtimeOptions({ threads, device }: TrainRunOptions) {
  return { ...(threads === undefined ? {} : { threads }), ...(device === undefined ? {} : { device }) };
}

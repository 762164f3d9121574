import { join } from "node:path";
import { writeModel } from "@graft-ml/core";
import { type FineTuned, fineTune, type Method } from "../training/index.ts";
import { decideMethod } from "./decide-method.ts";
import { runFiles } from "./folder.ts";
import type { Learnt, Stage } from "./learn.ts";

/**
 * Trains the network itself where the method asks for it; the head of `learnt` stays where it does not, or
 * where held-out training rows show no gain.
 */
export async function tune(stage: Stage, learnt: Learnt): Promise<Learnt> {
  const { options, log } = stage;
  const asked = options.method ?? "auto";
  if (asked === "probe") return learnt;
  const decision =
    asked === "auto"
      ? await decideMethod(stage, learnt)
      : { method: asked, settings: {}, reason: "as asked for" };
  await log({ step: "method", method: decision.method, reason: decision.reason });
  if (decision.method === "probe") return { ...learnt, reason: decision.reason };
  const begin = performance.now();
  const tuned = await fineTuned(stage, learnt, decision);
  const { head } = learnt;
  const isFrozen = tuned.chosen.epochs === 0;
  return {
    ...learnt,
    // What was not trained further is the probe, with the head that was chosen for it.
    ...(isFrozen ? {} : { model: writeModel(tuned.model), method: decision.method }),
    head: isFrozen ? head : { ...head, name: "logistic" },
    isTransferred: isFrozen || decision.method !== "scratch",
    chosen: isFrozen ? learnt.chosen : tuned.chosen,
    reason: asked === "auto" ? `${decision.reason}; ${tuned.reason}` : tuned.reason,
    trials: tuned.trials,
    adapter: isFrozen ? null : tuned.adapter,
    fitSeconds: learnt.fitSeconds + (performance.now() - begin) / 1000,
  };
}

/** Fine-tunes the source's trunk on the training rows by a method. */
export async function fineTuned(
  { prepared, options, runtime, seed, random: _, reading, log, ...stage }: Stage,
  { source, train, trainKeys, extracted }: Pick<Learnt, "source" | "train" | "trainKeys" | "extracted">,
  {
    method,
    settings,
    late = [],
  }: {
    readonly method: Method;
    readonly settings: Readonly<Record<string, unknown>>;
    readonly late?: readonly string[];
  },
): Promise<FineTuned> {
  const { batchSize, classWeights = null, output, tuning = {} } = options;
  let written: Promise<unknown> = Promise.resolve();
  const { signal } = reading;
  const tuned = await fineTune({
    trunk: source.trunk,
    preprocessor: source.preprocessor,
    runtime,
    rows: train,
    classes: prepared.classes,
    keys: trainKeys,
    method,
    late,
    settings: {
      ...(batchSize === null || batchSize === undefined ? {} : { batchSize }),
      ...settings,
      ...Object.fromEntries(Object.entries(tuning).filter(([, value]) => value !== null)),
    },
    classWeights,
    // Left on disk they are made again of what training needs.
    ...(extracted.features.rows === train.length ? { features: extracted.features } : {}),
    seed,
    onProgress: (task, { done, total }) => stage.progress(task)(done, total),
    onLog: (line) => {
      written = written.then(() => log(line));
    },
    checkpointFolder: join(output, runFiles.checkpoints, method),
    ...(signal === undefined ? {} : { signal }),
  });
  await written;
  return tuned;
}

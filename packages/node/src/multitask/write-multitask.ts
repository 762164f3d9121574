import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { writeModel } from "@graft-ml/core";
import type { Curves } from "../report/index.ts";
import { jsonText, runFiles, writeWhole } from "../runs/folder.ts";
import { type MultitaskConfig, outputModel, type TaskConfig } from "../runs/task-config.ts";
import { VERSION } from "../version.ts";
import { renderMultitaskCard } from "./card.ts";
import type { AuxiliaryMetrics, MultitaskMetrics, TaskMetrics } from "./metrics.ts";
import type { MultitaskOutcome } from "./multitask-run.ts";
import { type MultitaskReport, renderMultitask } from "./page.ts";
import { BATCH } from "./prove-classes.ts";
import type { MultitaskProof, TaskProof } from "./prove-tasks.ts";
import { kindOf } from "./tasks-file.ts";

/** Writes every file of the RUN, each whole, and metrics.json last. */
export async function writeMultitask(
  outcome: MultitaskOutcome,
  proof: MultitaskProof,
  options: {
    readonly output: string;
    readonly split: boolean;
    readonly seconds: number;
    readonly command: string;
  },
): Promise<MultitaskMetrics> {
  const { output, split } = options;
  const whole = writeModel(proof.model);
  const files = split
    ? proof.tasks.map(
        ({ task: { name } }) => [taskFile(name), writeModel(outputModel(proof.model, name))] as const,
      )
    : [[runFiles.model, whole] as const];
  const config = configOf(outcome, proof, new Map(files), split);
  const metrics = metricsOf(outcome, proof, options.seconds);
  const report = reportOf(outcome, proof, metrics, options);
  const predictions = proof.tasks.flatMap((one) => one.predictions.map((line) => `${line}\n`));
  const golden = { tasks: Object.fromEntries(proof.tasks.map((one) => [one.task.name, one.golden])) };
  const content: readonly (readonly [name: string, content: string | Uint8Array])[] = [
    ...files,
    [runFiles.config, jsonText(config)],
    ...Object.entries(outcome.trunk.preprocessor.files()),
    ...proof.tasks.flatMap((one) => Object.entries(one.files)),
    [runFiles.golden, jsonText(golden)],
    [runFiles.predictions, predictions.join("")],
    [runFiles.reportData, jsonText(report)],
    [runFiles.report, renderMultitask(report)],
    [runFiles.card, renderMultitaskCard(report, basename(resolve(output)))],
    [runFiles.metrics, jsonText(metrics)],
  ];
  for (const [name, one] of content) await writeWhole(join(output, name), one);
  await rm(join(output, runFiles.checkpoints), { recursive: true, force: true });
  return metrics;
}

/** The file of one task's network, where each has its own. */
function taskFile(name: string): string {
  return `task.${name}.onnx`;
}

function configOf(
  { file, trunk, seed, joint }: MultitaskOutcome,
  { tasks }: MultitaskProof,
  files: ReadonlyMap<string, Uint8Array>,
  split: boolean,
): MultitaskConfig {
  const { spec, name, sha256, commit, licence } = trunk.backbone;
  const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  return {
    graft: VERSION,
    task: "multi-task",
    tasks: Object.fromEntries(
      tasks.map(({ task: { name: own, data, open }, kept, config }): [string, TaskConfig] => {
        const model = split ? taskFile(own) : runFiles.model;
        return [
          own,
          {
            kind: data.spec.kind,
            ...config,
            layer: open.layer,
            method: kept,
            file: model,
            output: own,
            sha256: sha256Of(files.get(model)!),
          },
        ];
      }),
    ),
    backbone: { spec, name, sha256, commit, licence: licence?.id ?? null },
    layer: trunk.layer,
    head: "linear",
    seed,
    batchSize: BATCH,
    chosen: {
      sampling: file.sampling.name,
      weighting: file.weighting.name,
      epoch: joint.best,
      steps: joint.steps,
    },
  };
}

function metricsOf(
  { file, trunk, tasks, joint, alone, affinity }: MultitaskOutcome,
  proof: MultitaskProof,
  seconds: number,
): MultitaskMetrics {
  const gains = proof.tasks.flatMap((one) =>
    one.metrics.alone && one.metrics.gain?.against === "alone"
      ? [(one.metrics.joint - one.metrics.alone) / one.metrics.alone]
      : [],
  );
  const auxiliary = tasks.filter(({ data }) => kindOf(data.spec.kind).labels === "none");
  return {
    task: "multi-task",
    tasks: Object.fromEntries(
      proof.tasks.map((one): [string, TaskMetrics] => {
        const { name, data, open, baseline } = one.task;
        return [
          name,
          {
            kind: data.spec.kind,
            classes: data.classes,
            rows: { train: data.train.length, heldOut: data.held.length, test: data.test.length },
            layer: open.layer,
            kept: one.kept,
            ...one.metrics,
            heldOut: {
              joint: joint.held.get(name)!,
              alone: alone.get(name)?.held.get(name) ?? null,
              baseline,
            },
          },
        ];
      }),
    ),
    auxiliary: Object.fromEntries(
      auxiliary.map(({ name, data, open, baseline }): [string, AuxiliaryMetrics] => [
        name,
        {
          kind: data.spec.kind,
          rows: { train: data.train.length, heldOut: data.held.length },
          layer: open.layer,
          measure: open.measure,
          heldOut: { joint: joint.held.get(name)!, baseline },
        },
      ]),
    ),
    deltaP: gains.length === 0 ? null : (100 * gains.reduce((sum, one) => sum + one, 0)) / gains.length,
    affinity,
    chosen: {
      trunk: trunk.name,
      sha256: trunk.backbone.sha256,
      sampling: file.sampling.name,
      weighting: file.weighting.name,
      epoch: joint.best,
      steps: joint.steps,
    },
    timing: {
      jointSeconds: joint.seconds,
      aloneSeconds: [...alone.values()].reduce((sum, one) => sum + one.seconds, 0),
      totalSeconds: seconds,
    },
  };
}

function reportOf(
  outcome: MultitaskOutcome,
  proof: MultitaskProof,
  metrics: MultitaskMetrics,
  { command }: { readonly command: string },
): MultitaskReport {
  const { file, tasks, trunk } = outcome;
  const sections = proof.tasks.map((one) => {
    const { name, data } = one.task;
    const { errors, worst, notes } = one.shown;
    return {
      name,
      source: basename(data.source),
      metrics: metrics.tasks[name]!,
      curves: curvesOf(outcome, one),
      errors,
      worst,
      notes: [...data.notes, ...notes],
    };
  });
  return {
    version: 1,
    kind: "multi-task",
    title: basename(file.path),
    modality: trunk.modality,
    metrics,
    sections,
    notes: [
      ...trunk.notes,
      ...tasks
        .filter(({ name }) => name in metrics.auxiliary)
        .flatMap(({ name, data }) => data.notes.map((note) => `${name}: ${note}`)),
    ],
    command,
    versions: { graft: VERSION, node: process.versions.node },
  };
}

/** Loss of a task's held-out rows, epoch by epoch, in company and alone. */
function curvesOf({ tasks, joint, alone }: MultitaskOutcome, { task }: TaskProof): Curves {
  const place = tasks.findIndex(({ name }) => name === task.name);
  const single = alone.get(task.name);
  const line = (epochs: typeof joint.epochs, k: number) =>
    epochs.map(({ epoch, each }) => [epoch + 1, each[k]!] as const);
  return {
    title: "Held-out rows",
    x: "epochs",
    y: task.open.openScorer ? task.open.measure : "loss",
    isLogarithmic: false,
    series: [
      { name: "joint", points: line(joint.epochs, place) },
      ...(single && single.epochs.length > 0 ? [{ name: "alone", points: line(single.epochs, 0) }] : []),
    ],
  };
}

import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type Curves, type ReportData, renderModelCard, renderReport } from "../report/index.ts";
import { VERSION } from "../version.ts";
import { baselineScore, trainingCounts } from "./baselines.ts";
import type { RunConfig } from "./config.ts";
import { jsonText, runFiles, writeWhole } from "./folder.ts";
import type { Learnt, Stage } from "./learn.ts";
import type { Metrics, Timing } from "./metrics.ts";
import { jsonLine, predictionsOf } from "./predictions.ts";
import type { Proof } from "./prove.ts";
import { goldenText } from "./replay.ts";
import { findingsOf, reportMap, surestErrors } from "./report-of.ts";

/** What a RUN folder holds, as it was written. */
export interface Written {
  readonly metrics: Metrics;
  readonly config: RunConfig;
  readonly report: ReportData;
}

/** Writes every file of a RUN, each whole, and metrics.json last. */
export async function writeRun(
  stage: Stage,
  learnt: Learnt,
  proof: Proof,
  totalSeconds: number,
): Promise<Written> {
  const { output } = stage.options;
  const { classes } = stage.prepared;
  const { extractSeconds, fitSeconds, extractedRows } = learnt;
  const itemsPerSecond = extractedRows / Math.max(extractSeconds, 1e-9);
  const timing = { extractSeconds, fitSeconds, totalSeconds, itemsPerSecond };
  const config = configOf(stage, learnt);
  const metrics = metricsOf(stage, learnt, proof, timing);
  const report = await reportOf(stage, learnt, proof, metrics);
  const predictions = predictionsOf(proof.test, proof.probabilities, classes);
  const { spec, licence } = learnt.source;
  const card = {
    name: basename(resolve(output)),
    licence,
    baseModel: spec.startsWith("hf:") ? spec.slice(3).replace(/[@:].*$/, "") : null,
  };
  const files: readonly (readonly [name: string, content: string | Uint8Array])[] = [
    [runFiles.model, learnt.model],
    [runFiles.config, jsonText(config)],
    ...Object.entries(learnt.source.preprocessor.files()),
    ...Object.entries(learnt.adapter ?? {}),
    [runFiles.golden, goldenText(proof.golden)],
    [runFiles.predictions, predictions.map((one) => `${jsonLine(one)}\n`).join("")],
    [runFiles.reportData, jsonText(report)],
    [runFiles.report, renderReport(report)],
    [runFiles.card, renderModelCard(report, card)],
    [runFiles.metrics, jsonText(metrics)],
  ];
  for (const [name, content] of files) await writeWhole(join(output, name), content);
  await rm(join(output, runFiles.checkpoints), { recursive: true, force: true });
  return { metrics, config, report };
}

function configOf(
  { prepared, seed }: Stage,
  { source, train, head, method, model, chosen, reason }: Learnt,
): RunConfig {
  const { classes, dataset } = prepared;
  const { spec, name, sha256, commit, licence } = source;
  return {
    graft: VERSION,
    task: dataset.task,
    id2label: Object.fromEntries(classes.map((label, c) => [String(c), label])),
    label2id: Object.fromEntries(classes.map((label, c) => [label, c])),
    backbone: { spec, name, sha256, commit, licence },
    layer: source.layer,
    dimension: source.dimension,
    pooling: source.pooling,
    ...(source.modality === "image" ? { framing: source.framing } : {}),
    method,
    head: head.name,
    ...(reason === null ? {} : { reason }),
    chosen,
    trainingCounts: trainingCounts(train, classes),
    seed,
    batchSize: source.batchSize,
    sha256: createHash("sha256").update(model).digest("hex"),
  };
}

function metricsOf(
  { prepared }: Stage,
  { source, head, method }: Learnt,
  { scores, baselines, labels, test, transfer, repeated }: Proof,
  timing: Timing,
): Metrics {
  const accuracyOf = (name: string) => {
    const found = baselines.find((one) => one.name === name);
    return found === undefined ? null : baselineScore(found, labels, test).accuracy;
  };
  return {
    task: prepared.dataset.task,
    classes: prepared.classes,
    test: scores,
    baselines: {
      majority: accuracyOf("majority"),
      raw: accuracyOf("raw"),
      scratch: accuracyOf("scratch"),
    },
    transfer,
    chosen: {
      backbone: source.spec,
      sha256: source.sha256,
      layer: source.layer === "" ? source.name : source.layer,
      head: head.name,
      method,
    },
    crossValidation: repeated,
    timing,
  };
}

async function reportOf(
  { prepared, options, seed }: Stage,
  { source, head, choice, train, skipped, reason, trials, ...learnt }: Learnt,
  proof: Proof,
  { chosen, transfer, timing }: Metrics,
): Promise<ReportData> {
  const { dataset, parts, classes } = prepared;
  const { test, labels, probabilities, features, baselines, scores, repeated } = proof;
  const compared = [...choice.compared, ...head.compared];
  const { pooling, dimension } = source;
  return {
    version: 1,
    title: basename(resolve(dataset.source)),
    task: dataset.task,
    classes,
    counts: { train: train.length, val: parts.val.length, test: test.length },
    test: scores,
    baselines: baselines.map((one) => baselineScore(one, labels, test)),
    transfer,
    crossValidation: repeated,
    chosen: { ...chosen, pooling, dimension, seed, ...learnt.chosen },
    selection:
      compared.length === 0
        ? null
        : {
            measure: "log loss of training rows held out, lower is better",
            candidates: compared,
          },
    curves: trials.length === 0 ? [] : [trialCurves(trials)],
    errors: await surestErrors(test, probabilities, labels, classes),
    map: reportMap(features, labels, probabilities, seed),
    findings: findingsOf([...dataset.skipped, ...skipped, ...proof.skipped], parts.notes),
    timing: { ...timing },
    command: options.command ?? `trainRun(${JSON.stringify(dataset.source)}, …)`,
    versions: { graft: VERSION, node: process.versions.node },
    notes: [
      ...(reason === null ? [] : [`Method: ${reason}.`]),
      ...(head.reason === null || head.compared.length > 0 ? [] : [`Head: ${head.reason}.`]),
      ...(dataset.notes ?? []),
      ...source.notes,
    ],
  };
}

/** Log loss of held-out training rows after each epoch of each trial. */
function trialCurves(trials: Learnt["trials"]): Curves {
  return {
    title: "Trials on held-out training rows",
    x: "epochs",
    y: "log loss",
    isLogarithmic: false,
    series: trials.map(({ depth, rate, losses }) => ({
      name: `${depth} blocks, rate ${rate}`,
      points: losses.map((loss, epoch) => [epoch, loss] as const),
    })),
  };
}

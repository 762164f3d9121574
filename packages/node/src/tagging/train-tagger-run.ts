import { createHash } from "node:crypto";
import { appendFile, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import {
  type Dataset,
  InputError,
  type Runtime,
  random as randomOf,
  resolveSettings,
  type Scheme,
  schemeOf,
  type TaggerSpec,
  type TagHead,
} from "@graft-ml/core";
import { jsonText, prepareRun, runFiles, writeWhole } from "../runs/folder.ts";
import { type Device, ortRuntime } from "../runtime/index.ts";
import { checkpointsIn } from "../training/checkpoints.ts";
import { fineTuneOptions } from "../training/index.ts";
import { VERSION } from "../version.ts";
import { cardOf } from "./card.ts";
import { TAGGER_FILE, type TaggerConfig, WORDS_FILE } from "./config.ts";
import { configOf } from "./describe-tagger.ts";
import { ENCODER_METHODS, type EncoderMethod } from "./learn-pretrained.ts";
import { learnTagger } from "./learn-tagger.ts";
import { type TaggingMetrics, type TaggingTest, tagBaselines } from "./metrics.ts";
import { openBackbone } from "./open-backbone.ts";
import type { GoldenSentence } from "./open-tagger-run.ts";
import { predictionLine } from "./predictions.ts";
import type { EncoderOptions, EncoderTrunk } from "./pretrained-trunk.ts";
import { comparison, goldenOf, proved, unknownTags } from "./prove-tagger.ts";
import { renderTaggingReport, type TaggingReport, worstSentences } from "./report.ts";
import { type Sentence, sentenceParts } from "./sentences.ts";
import { LANES, TAGGER_NAMES, taggerOptions } from "./settings.ts";

/** What tagger is trained, and how. */
export interface TrainTaggerRunOptions {
  /** The RUN folder. */
  readonly output: string;
  /**
   * "none", "run:DIR" of a tagger, "vectors:FILE", or a pretrained encoder of texts: a path, "hf:owner/name",
   * "run:DIR".
   */
  readonly backbone?: string;
  /**
   * Over a pretrained encoder: how much of it learns (auto: nothing, a probe), at which layer tags are read,
   * in what windows.
   */
  readonly method?: EncoderMethod | "auto";
  readonly encoder?: EncoderOptions;
  /** Settings of `fineTune` that concern how an encoder is trained: depth, decay, rank, alpha. */
  readonly tuning?: Readonly<Record<string, unknown>>;
  /** An encoder (bilstm, dilated-cnn, transformer) or linear. */
  readonly arch?: string | null;
  /** "crf", "softmax", or "auto": sequences where tags write spans. */
  readonly head?: string;
  /** Settings, see `taggerOptions`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  readonly testFraction?: number;
  /** The quickest sensible tagger: linear. */
  readonly fast?: boolean;
  /** False leaves out the baselines, and with them the verdict on transfer. */
  readonly baselines?: boolean;
  readonly column?: string | null;
  readonly threads?: number;
  readonly device?: Device;
  readonly runtime?: Runtime;
  readonly command?: string;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What training a tagger wrote, and where. */
export interface TrainedTaggerRun {
  readonly folder: string;
  readonly metrics: TaggingMetrics;
  readonly config: TaggerConfig;
  readonly report: TaggingReport;
}

export { openBackbone };

/**
 * From tagged sentences to a RUN folder: a tagger trained on the training part, the best epoch chosen on
 * held-out sentences, scores on the test part with intervals and baselines, a report. Throws an InputError
 * for data at fault.
 */
export async function trainTaggerRun(
  dataset: Dataset,
  options: TrainTaggerRunOptions,
): Promise<TrainedTaggerRun> {
  const begin = performance.now();
  const {
    output,
    seed = 0,
    backbone = "none",
    signal,
    onProgress,
    baselines = true,
    column = null,
  } = options;
  if (dataset.task !== "token-classification")
    throw new InputError(
      `${dataset.source} holds no tagged tokens, but is for ${dataset.task}; use trainRun`,
    );
  const settings = resolveSettings("tagger", taggerOptions, options.settings ?? {});
  const random = randomOf(seed);
  const parts = sentenceParts(dataset, {
    random: random.fork("parts"),
    testFraction: options.testFraction ?? 0.2,
  });
  const { scheme } = schemeOf(parts.train.map(({ tokens }) => tokens.tags!));
  const { source, vectors, encoder } = await openBackbone(backbone, null, options.encoder);
  const method = methodOf(options, encoder);
  const arch = architectureOf(options, source, encoder);
  const { depth, decay, rank, alpha } = resolveSettings("method", fineTuneOptions, options.tuning ?? {});
  const headKind = headOf(options.head ?? "auto", scheme);
  const runtime =
    options.runtime ??
    (await ortRuntime({
      // The small operators of a trunk share no work. A pretrained network's do, and a copy of it takes memory.
      lanes: encoder === null ? LANES : 1,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(options.device === undefined ? {} : { device: options.device }),
    }));
  try {
    await prepareRun(output);
    const log = (entry: object) => appendFile(join(output, runFiles.log), `${JSON.stringify(entry)}\n`);
    const { train, held, test } = parts;
    await log({ step: "data", train: train.length, held: held.length, test: test.length, scheme });
    const checkpoints = await checkpointsIn(join(output, runFiles.checkpoints), {
      settings,
      seed,
      backbone: source?.sha256 ?? encoder?.sha256 ?? backbone,
      // Steps are as many smaller batches: another number of threads would go on with other batches.
      ...((runtime.lanes ?? 1) > 1 ? { lanes: runtime.lanes } : {}),
      ...(encoder === null
        ? {}
        : {
            method,
            depth,
            decay,
            rank,
            alpha,
            feeds: encoder.feeder.fingerprint,
            layer: encoder.spec.layer,
          }),
      arch,
      head: headKind,
      sentences: hashOf([...train, ...held]),
    });
    const learning = {
      checkpoints,
      arch,
      head: headKind,
      settings,
      vectors,
      source,
      encoder: encoder && { trunk: encoder, method, tuning: { ...settings, depth, decay, rank, alpha } },
      runtime,
      random,
      log,
      ...(signal === undefined ? {} : { signal }),
    };
    const progress = (task: string) => (done: number, total: number) => onProgress?.(task, done, total);
    const learnt = await learnTagger(
      { train, held, scheme },
      { ...learning, name: "tagger", onProgress: progress("train"), onStates: progress("states") },
    );
    const fitSeconds = (performance.now() - begin) / 1000;
    const words = new Set(train.flatMap(({ tokens }) => tokens.texts));
    const about = { scheme, seed, knows: (token: string) => words.has(token) };
    const feedsOf = encoder?.feeder.feeds;
    const proof = await proved(learnt, test, { ...about, feedsOf }, runtime);
    let against: { readonly test: TaggingTest; readonly tags: readonly (readonly string[])[] } | null = null;
    if (baselines && (source ?? encoder) !== null) {
      // The encoder itself, drawn anew, would learn nothing from so few sentences; a linear tagger is the
      // better rival.
      const rival = encoder === null ? arch : "linear";
      const alone = await learnTagger(
        { train, held, scheme },
        {
          ...learning,
          arch: rival,
          name: "scratch",
          source: null,
          encoder: null,
          onProgress: progress("train from nothing"),
        },
      );
      against = await proved(alone, test, about, runtime);
    }
    signal?.throwIfAborted();
    const transfer =
      against === null
        ? null
        : comparison(test, proof.tags, against.tags, scheme, seed, encoder === null ? "scratch" : "linear");
    const config = configOf(learnt, {
      scheme,
      train,
      backbone,
      source: source ?? encoder,
      arch,
      method: encoder !== null ? method : source !== null ? "full" : "scratch",
      seed,
      column,
    });
    const simple = baselines ? tagBaselines(train, test) : { majority: null, raw: null };
    const totalSeconds = (performance.now() - begin) / 1000;
    const classes = Object.values(config.id2label);
    const metrics: TaggingMetrics = {
      task: "token-classification",
      classes,
      test: proof.test,
      baselines: { ...simple, scratch: against?.test.accuracy ?? null },
      transfer,
      chosen: {
        backbone,
        sha256: config.backbone.sha256,
        layer: arch,
        head: config.head,
        method: config.method,
      },
      timing: {
        extractSeconds: 0,
        fitSeconds,
        totalSeconds,
        itemsPerSecond: proof.test.tokens / Math.max(1e-9, proof.seconds),
      },
    };
    const report: TaggingReport = {
      version: 1,
      task: "token-classification",
      title: basename(resolve(dataset.source)),
      metrics,
      counts: { train: train.length, held: held.length, test: test.length },
      config: { scheme, arch, head: config.head, reason: config.reason, chosen: config.chosen },
      curve: learnt.scores,
      worst: worstSentences(test, proof.sentences),
      notes: [
        ...(dataset.notes ?? []),
        ...(encoder?.notes ?? []),
        ...(source?.spec.beside
          ? ["of the source its network is taken, not the linear tagger beside it"]
          : []),
        ...parts.notes,
        ...unknownTags(test, new Set(classes)),
      ],
      skipped: dataset.skipped.slice(0, 20),
      command: options.command ?? `trainTaggerRun(${JSON.stringify(dataset.source)}, …)`,
      versions: { graft: VERSION, node: process.versions.node },
    };
    const golden: GoldenSentence[] = goldenOf(test, proof.sentences);
    const files: readonly (readonly [string, string | Uint8Array])[] = [
      [runFiles.model, learnt.model],
      [runFiles.config, jsonText(config)],
      [TAGGER_FILE, `${JSON.stringify(learnt.spec)}\n`],
      [WORDS_FILE, [...words].sort().join("\n")],
      ...Object.entries(encoder?.feeder.files() ?? {}),
      [runFiles.golden, jsonText({ tolerance: 1e-3, sentences: golden })],
      [runFiles.predictions, test.map((row, i) => `${predictionLine(row, proof.sentences[i]!)}\n`).join("")],
      [runFiles.reportData, jsonText(report)],
      [runFiles.report, renderTaggingReport(report)],
      [runFiles.card, cardOf(report, basename(resolve(output)))],
      [runFiles.metrics, jsonText(metrics)],
    ];
    for (const [name, content] of files) await writeWhole(join(output, name), content);
    await rm(join(output, runFiles.checkpoints), { recursive: true, force: true });
    return { folder: output, metrics, config, report };
  } finally {
    if (options.runtime === undefined) await runtime.close();
  }
}

/** A hash of sentences and their tags. */
function hashOf(sentences: readonly Sentence[]): string {
  const hash = createHash("sha256");
  for (const { tokens } of sentences) hash.update(`${tokens.texts.join(" ")}\n${tokens.tags!.join(" ")}\n`);
  return hash.digest("hex");
}

function architectureOf(
  { arch = null, fast = false }: TrainTaggerRunOptions,
  source: { readonly spec: TaggerSpec } | null,
  encoder: EncoderTrunk | null,
): string {
  if (encoder !== null) {
    if (arch !== null) throw new InputError(`--arch ${arch}: the backbone is the encoder; leave --arch out`);
    return encoder.spec.layer;
  }
  if (source !== null) {
    const own = source.spec.trunk.kind === "network" ? source.spec.trunk.settings.encoder : "linear";
    if (arch !== null && arch !== own)
      throw new InputError(`--arch ${arch}: the backbone's encoder is ${own}; leave --arch out`);
    return own;
  }
  const name = arch ?? (fast ? "linear" : "bilstm");
  if (!TAGGER_NAMES.includes(name))
    throw new InputError(
      `--arch ${name}: tagged tokens are learnt by ${TAGGER_NAMES.join(", ")}; choose one of them`,
    );
  return name;
}

/** How an encoder is trained. Throws an InputError for a way that taggers do not have. */
function methodOf(
  { method = "auto", fast = false, encoder: { layer = null, maxLength = null } = {} }: TrainTaggerRunOptions,
  encoder: EncoderTrunk | null,
): EncoderMethod {
  const meant = Object.entries({
    "--method": method === "auto" ? null : method,
    "--layer": layer,
    "--max-length": maxLength,
  }).find(([, value]) => value !== null);
  if (encoder === null && meant !== undefined)
    throw new InputError(
      `${meant.join(" ")}: it is about a pretrained encoder, and there is none; name one with --backbone, or leave ${meant[0]} out`,
    );
  if (method === "auto" || fast) return "probe";
  if (ENCODER_METHODS.includes(method)) return method;
  throw new InputError(
    `--method ${method}: a tagger over an encoder is trained by ${ENCODER_METHODS.join(", ")}; choose one of them`,
  );
}

function headOf(name: string, scheme: Scheme | null): TagHead["kind"] {
  if (name === "auto") return scheme === null ? "softmax" : "crf";
  if (name === "crf" || name === "softmax") return name;
  throw new InputError(`--head ${name}: a tagger's head is crf or softmax; choose one of them, or auto`);
}

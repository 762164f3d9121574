import { headCandidates, TAG_HEADS } from "@graft-ml/core";
import { trainRun } from "../runs/index.ts";
import { commandLine } from "../runs/report-of.ts";
import { namesVectors } from "../sources/index.ts";
import { TAGGER_NAMES } from "../tagging/index.ts";
import { fineTuneOptions, METHODS, type Method } from "../training/index.ts";
import { architectureChoice, architectureFlags, architectureNames } from "./architecture-flags.ts";
import { command, UsageError } from "./command.ts";
import {
  backboneFlags,
  backboneSettings,
  cacheFlags,
  classWeights,
  dataFlags,
  progressOn,
  readData,
  runtimeFlags,
  runtimeSettings,
} from "./flags.ts";
import { trainKeeping } from "./keeping.ts";
import { warnLeftOut } from "./left-out.ts";
import { taggerNames, trainTagged } from "./tagging.ts";
import { classLines, scoreLines, transferLines } from "./words.ts";

const { batchSize: _, ...tuningFlags } = fineTuneOptions;

export const train = command({
  about:
    "Trains a model on DATA from a pretrained backbone, proves it on a test part and writes RUN: model, scores, report.",
  operands: ["DATA"],
  options: {
    output: { type: "string", default: null, about: "RUN, the folder to write (required)" },
    backbone: {
      type: "string",
      default: "auto",
      about:
        "an .onnx file, a folder, hf:owner/name, run:DIR, builtin:NAME, vectors:FILE or none; several with commas to choose from. auto: of up to 3000 texts builtin:text or builtin:text-zh against none, else none",
    },
    arch: {
      type: "string",
      default: null,
      about: `without --backbone, or over vectors:FILE: a network to train from nothing, ${architectureNames}; of tagged tokens ${taggerNames}`,
    },
    ...architectureFlags,
    ...backboneFlags,
    head: {
      type: "choice",
      default: "auto",
      of: ["auto", ...headCandidates().map(({ name }) => name), ...TAG_HEADS],
      about:
        "learner on the features; auto compares several on the training part; of tagged tokens crf or softmax",
    },
    method: {
      type: "choice",
      default: "auto",
      of: ["auto", ...METHODS],
      about: "how much of the network learns; auto decides on training rows, probe trains a head alone",
    },
    ...tuningFlags,
    scratch: {
      type: "choice",
      default: "auto",
      of: ["auto", "yes", "no"],
      about: "the same network from random weights as a baseline; auto where the network itself is trained",
    },
    keep: {
      type: "choice",
      default: "no",
      of: ["no", "auto", "distil", "replay", "both"],
      about:
        "of tagged tokens with --backbone run:DIR: the earlier tagger's tags stay, as a second task; taught by itself (distil), by earlier sentences (replay), or both; auto takes both where there are earlier sentences",
    },
    earlier: {
      type: "string",
      default: null,
      about:
        "earlier sentences with their tags, for --keep: learnt again, and their test part measures what is forgotten",
    },
    earlierColumn: {
      type: "string",
      default: null,
      about: "columns of the earlier sentences, as --column (default: as the earlier tagger's)",
    },
    shots: { type: "number", default: null, min: 1, about: "labelled training rows a class that are kept" },
    testFraction: {
      type: "number",
      default: 0.2,
      min: 0.01,
      max: 0.9,
      about: "share of the rows split off for testing where the data bring no test part",
    },
    classWeights: {
      type: "string",
      default: null,
      about: "balanced, or CLASS=WEIGHT with commas between",
    },
    fast: { type: "boolean", default: false, about: "the quickest sensible model" },
    baselines: { type: "boolean", default: true, about: "compare with models that transfer nothing" },
    ...dataFlags,
    ...runtimeFlags,
    ...cacheFlags,
  },
  example: "graft train photos/ --backbone models/mobilenet_v2 --output runs/photos",
  async run({ operands, settings, terminal, signal, words }) {
    const { output, backbone, layer, pooling, framing, head, shots, testFraction, fast, baselines } =
      settings;
    if (output === null) throw new UsageError("graft train: --output is missing; name the folder to write");
    const [path] = operands as [string];
    const isTagger = settings.arch !== null && TAGGER_NAMES.includes(settings.arch);
    const architecture =
      settings.arch === null || isTagger
        ? null
        : architectureChoice(
            settings.arch,
            settings,
            namesVectors(backbone) ? { vectors: { spec: backbone } } : {},
          );
    if (settings.keep !== "no")
      return await trainKeeping(path, output, settings, { terminal, signal, words });
    if ((settings.earlier ?? settings.earlierColumn) !== null)
      throw new UsageError("graft train: --earlier and --earlier-column are of --keep, which is missing");
    const dataset = await readData(path, settings, { signal });
    for (const note of dataset.notes ?? []) terminal.print(`note: ${note}`);
    warnLeftOut(terminal, dataset.skipped);
    if (dataset.task === "token-classification")
      return await trainTagged(dataset, output, settings, { terminal, signal, words });
    if (settings.arch === null && (settings.archOptions ?? settings.imageSize) !== null)
      throw new UsageError("graft train: --arch-options and --image-size are of --arch, which is missing");
    if (isTagger || (head !== "auto" && TAG_HEADS.some((name) => name === head)))
      throw new UsageError(
        `graft train: ${isTagger ? `--arch ${settings.arch}` : `--head ${head}`} is for tagged tokens, but ${path} is for ${dataset.task}`,
      );
    const { metrics, report, config } = await trainRun(dataset, {
      output,
      backbones:
        architecture !== null && backbone === "auto"
          ? ["none"]
          : backbone.split(",").map((spec) => spec.trim()),
      architecture,
      layer,
      pooling,
      framing,
      head,
      method: settings.method as Method | "auto",
      tuning: Object.fromEntries(
        Object.keys(tuningFlags).map((name) => [name, settings[name as keyof typeof tuningFlags]]),
      ),
      ...(settings.scratch === "auto" ? {} : { scratch: settings.scratch === "yes" }),
      shots,
      testFraction,
      fast,
      baselines,
      seed: settings.seed,
      batchSize: settings.batchSize,
      maxLength: settings.maxLength,
      classWeights: classWeights(settings.classWeights),
      onError: settings.onError,
      backbone: backboneSettings(settings),
      ...runtimeSettings(settings),
      ...(settings.cache ? {} : { cache: null }),
      command: commandLine(["graft", "train", ...words]),
      onProgress: progressOn(terminal),
      signal,
    });
    const { chosen, test } = metrics;
    for (const finding of report.findings) terminal.print(`${finding.severity}: ${finding.text}`);
    terminal.print();
    terminal.print(
      `${chosen.backbone} · ${chosen.layer}${config.framing === "crop" ? " · centre crop" : ""} · ${chosen.head} · ${chosen.method}`,
    );
    if (config.reason !== undefined) terminal.print(`method: ${config.reason}`);
    for (const line of [...scoreLines(test), "", ...classLines(test), "", ...transferLines(metrics)])
      terminal.print(line);
    terminal.print();
    terminal.print(`${output}/report.html shows it all, in ${metrics.timing.totalSeconds.toFixed(1)} s`);
    return metrics;
  },
});

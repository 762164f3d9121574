import { InputError, matrix, writeModel } from "@graft-ml/core";
import {
  type ArchitectureChoice,
  architectureSource,
  openArchitecture,
  requireTexts,
} from "../sources/index.ts";
import { zeroHead } from "../training/network.ts";
import type { Learnt, Stage } from "./learn.ts";
import { requireClasses } from "./learn.ts";
import { fineTuned } from "./tune.ts";

/** Trains an architecture with its head from nothing, or from the weights it was given to start with. */
export async function learnArchitecture(stage: Stage, choice: ArchitectureChoice): Promise<Learnt> {
  const { prepared, options, runtime, reading, progress, log, random } = stage;
  const { method = "scratch", backbones = ["none"] } = options;
  if (backbones.some((spec) => spec !== "none" && spec !== choice.vectors?.spec))
    throw new InputError(
      `architecture ${choice.name}: a backbone is named, too (${backbones.join(", ")}); leave out one of the two`,
    );
  if (method !== "auto" && method !== "scratch")
    throw new InputError(
      `method ${method}: nothing in ${choice.name} is pretrained; the method for it is scratch`,
    );
  if (reading.onError !== "skip") requireTexts([...prepared.train, ...prepared.test]);
  const begin = performance.now();
  const opened = await openArchitecture({
    choice,
    modality: prepared.dataset.task === "image-classification" ? "image" : "text",
    training: prepared.train,
    random,
    maxLength: options.maxLength ?? null,
  });
  const { initialised, late } = opened;
  // Weights that are given are not drawn anew.
  const isDrawn = opened.start === null;
  if (initialised !== null)
    await log({
      step: "init",
      from: choice.init,
      taken: initialised.taken,
      skipped: initialised.skipped,
      missing: initialised.missing,
    });
  const source = architectureSource(opened, { runtime, batchSize: null });
  // What cannot be read is found before training, by the one who allows to leave it out.
  const { kept, skipped } =
    reading.onError === "skip"
      ? await source.features(prepared.train, { ...reading, onProgress: progress("read") })
      : { kept: prepared.train.keys(), skipped: [] };
  const places = [...kept];
  const train = places.map((i) => prepared.train[i]!);
  const trainKeys = places.map((i) => prepared.trainKeys[i]!);
  requireClasses(train, prepared);
  const nothing = { kept: Int32Array.of(), skipped, computed: 0, seconds: 0 };
  const extracted = { ...nothing, features: matrix(0, source.dimension) };
  const settings = initialised === null ? {} : { batchNorm: "train", epochs: 30, learningRate: 1e-3 };
  const given = Object.fromEntries(
    Object.entries(options.tuning ?? {}).filter(([name, value]) => value !== null && name !== "batchNorm"),
  );
  const tuned = await fineTuned(
    initialised === null ? stage : { ...stage, options: { ...options, tuning: { ...settings, ...given } } },
    { source, train, trainKeys, extracted },
    {
      method: isDrawn ? "scratch" : "full",
      settings: initialised === null ? { batchNorm: "train" } : {},
      late,
    },
  );
  const start = opened.start ?? "every weight was drawn anew";
  return {
    model: writeModel(tuned.model),
    source,
    train,
    trainKeys,
    extracted,
    head: {
      name: "logistic",
      classifier: zeroHead(source.dimension, prepared.classes.length),
      compared: [],
      reason: null,
    },
    method: "scratch",
    isTransferred: !isDrawn,
    chosen: { architecture: choice.name, ...tuned.chosen },
    reason: `${start}; ${tuned.reason}`,
    trials: tuned.trials,
    adapter: null,
    choice: { chosen: { source, extracted }, compared: [] },
    fitting: { classes: prepared.classes, classWeights: options.classWeights ?? null, random, runtime },
    skipped,
    extractSeconds: 0,
    extractedRows: 0,
    fitSeconds: (performance.now() - begin) / 1000,
  };
}

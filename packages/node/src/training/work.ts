import { createHash } from "node:crypto";
import {
  type Classifier,
  type Features,
  heads,
  InputError,
  type Model,
  matrix,
  type Preprocessor,
  type Progress,
  progressOf,
  type Random,
  type Row,
  type Runtime,
  random,
  splitFrozen,
  takeFeatures,
  writeModel,
} from "@graft-ml/core";
import { contextOf, labelsOf } from "../runs/fit-head.ts";
import { augmentationOf } from "./augmenting.ts";
import { type Checkpoints, checkpointsIn } from "./checkpoints.ts";
import type { FineTuneSettings, Method } from "./methods.ts";
import { type TrainedNetwork, trainedNetwork, zeroHead } from "./network.ts";
import { decodedInputs, FrozenTooLarge, frozenInputs, type RowInputs } from "./row-inputs.ts";

/** What is fine-tuned, on what, and how. */
export interface FineTuneOptions {
  /**
   * The network up to a layer: one output, `features` [batch, D], the batch free (`featureModel`, a source's
   * trunk).
   */
  readonly trunk: Model;
  readonly preprocessor: Preprocessor;
  readonly runtime: Runtime;
  /** Training rows, all labelled. Nothing else is looked at: what is chosen is chosen on these. */
  readonly rows: readonly Row[];
  readonly classes: readonly string[];
  /** Identities of the rows' inputs: equal ones never stand on both sides where rows are held out. */
  readonly keys?: readonly string[];
  readonly method: Method;
  /** Of the method full: parameters that stay as they are in the first half of the epochs. */
  readonly late?: readonly string[];
  /** See `fineTuneOptions`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly classWeights?: "balanced" | Readonly<Record<string, number>> | null;
  /** Features [N, D] of the rows at the trunk's output, where they are there already. */
  readonly features?: Features | null;
  readonly seed?: number;
  readonly onProgress?: (task: string, progress: Progress) => void;
  /** A line a epoch and a decision, as log.jsonl has them. */
  readonly onLog?: (line: Readonly<Record<string, unknown>>) => void;
  readonly signal?: AbortSignal;
  /** Where states are kept, so that a killed training goes on and ends in the same bytes; cleared at the end. */
  readonly checkpointFolder?: string | null;
  /** Steps between two states on the disk; 25 when left out. */
  readonly checkpointEvery?: number;
}

/** What the parts of fine-tuning share. */
export interface Work {
  readonly options: FineTuneOptions;
  readonly settings: FineTuneSettings;
  readonly labels: Int32Array;
  readonly weights: Float32Array | null;
  readonly classWeights: readonly number[] | null;
  readonly checkpoints: Checkpoints | null;
  readonly random: Random;
  /** A head for the rows named, on the trunk's features; zeros for methods that do not start from one. */
  headFor(rows: Int32Array): Promise<Classifier>;
  /** Features [N, D] of all rows, as they are, through a trunk. */
  featuresOf(trunk: Model): Promise<Features>;
  /** A head for the rows named, on features of all rows; its strength is chosen anew. */
  headOn(features: Features, rows: Int32Array): Promise<Classifier>;
  /** The rows' inputs as the preprocessor makes them, augmented where settings say so. */
  readonly decoded: RowInputs;
  networkFor(head: Classifier, depth: number | null): TrainedNetwork;
  /** Inputs of the part that is trained at this depth, made once; `isWhole` where nothing below it is kept. */
  inputsFor(network: TrainedNetwork): Promise<{ readonly inputs: RowInputs; readonly isWhole: boolean }>;
  progress(task: string): (done: number, total: number) => void;
  log(line: Readonly<Record<string, unknown>>): void;
}

/** Rows a run of the frozen part; part of what a result depends on. */
const FROZEN_BATCH = 8;

/** Checks rows and labels and opens the checkpoints. */
export async function workOf(options: FineTuneOptions, settings: FineTuneSettings): Promise<Work> {
  const { rows, classes, method, trunk, preprocessor, runtime, signal, seed = 0 } = options;
  if (trunk.graph.outputs.length !== 1)
    throw new InputError(
      `the trunk has the outputs ${trunk.graph.outputs.map(({ name }) => name).join(", ")}; fine-tuning takes one, the features`,
    );
  const unlabelled = rows.find(({ label }) => label === null || !classes.includes(label));
  if (rows.length === 0 || unlabelled)
    throw new InputError(
      unlabelled
        ? `${unlabelled.where}: the label ${JSON.stringify(unlabelled.label)} is not one of ${classes.join(", ")}`
        : "there are no rows to train on",
    );
  const labels = labelsOf(rows, classes);
  const source = random(seed);
  const context = contextOf(rows, {
    head: "logistic",
    classes,
    classWeights: options.classWeights ?? null,
    random: source.fork("head"),
    runtime,
  });
  const classWeights =
    context.classWeights === "balanced" ? balanced(labels, classes.length) : (context.classWeights ?? null);
  const augmentation = augmentationOf(settings, preprocessor);
  const common = { rows, preprocessor, augmentation, random: source.fork("augmentation") };
  const progress = (task: string) => {
    let report: ((done: number) => Progress) | null = null;
    return (done: number, total: number) => {
      report ??= progressOf(total, () => performance.now());
      options.onProgress?.(task, report(done));
    };
  };
  const checkpoints = options.checkpointFolder
    ? await checkpointsIn(options.checkpointFolder, identityOf(options, settings))
    : null;
  let features: Features | null = options.features ?? null;
  const throughTrunk = async (lower: Model): Promise<Features> => {
    const { name } = lower.graph.outputs[0]!;
    const made = await frozenInputs({
      ...common,
      augmentation: null,
      views: 0,
      lower,
      inputs: [name],
      runtime,
      batchSize: FROZEN_BATCH,
      onProgress: progress("features"),
      signal,
    });
    const { data, shape } = (await made.feeds(Int32Array.from(rows.keys()), null))[name]!;
    return matrix(shape[0]!, shape[1]!, data as Float32Array<ArrayBuffer>);
  };
  const featuresOf = async (one: Model): Promise<Features> => {
    if (one !== trunk) return await throughTrunk(one);
    features ??= await throughTrunk(trunk);
    return features;
  };
  const headOn = async (
    all: Features,
    members: Int32Array,
    given: Readonly<Record<string, unknown>> = {},
  ) => {
    const { weights, groups } = context;
    return await heads.logistic.fit(
      takeFeatures(all, members),
      Int32Array.from(members, (row) => labels[row]!),
      given,
      {
        ...context,
        ...(weights && { weights: Float32Array.from(members, (row) => weights[row]!) }),
        ...(groups && { groups: Int32Array.from(members, (row) => groups[row]!) }),
      },
    );
  };
  let strength: number | null = null;
  const kept = new Map<number, Promise<{ inputs: RowInputs; isWhole: boolean }>>();
  const work: Work = {
    options,
    settings,
    labels,
    weights: context.weights ?? null,
    classWeights,
    checkpoints,
    random: source,
    progress,
    log: (line) => options.onLog?.(line),
    featuresOf,
    headOn: (all, members) => headOn(all, members),
    decoded: decodedInputs(common),
    async headFor(members) {
      if (method === "full" || method === "scratch") return zeroHead(dimensionOf(trunk), classes.length);
      const all = await featuresOf(trunk);
      const head = await headOn(all, members, strength === null ? {} : { strength });
      // Chosen once, by cross-validation on all rows; heads of folds then differ by their rows alone.
      strength ??= Number(head.chosen.strength);
      return head;
    },
    networkFor: (head, depth) =>
      trainedNetwork({
        method,
        trunk,
        head,
        settings,
        depth,
        late: options.late ?? [],
        random: source.fork("network"),
      }),
    inputsFor(network) {
      let made = kept.get(network.depth);
      if (!made) kept.set(network.depth, (made = inputsOf(network)));
      return made;
    },
  };
  return work;

  async function inputsOf(network: TrainedNetwork): Promise<{ inputs: RowInputs; isWhole: boolean }> {
    const { lower, upper } = splitFrozen(network.model, network.stages.flat());
    if (!lower) return { inputs: work.decoded, isWhole: true };
    try {
      const inputs = await frozenInputs({
        ...common,
        lower,
        inputs: upper.graph.inputs.map(({ name }) => name),
        runtime,
        views: settings.views,
        batchSize: FROZEN_BATCH,
        onProgress: progress("frozen part"),
        signal,
      });
      work.log({ step: "frozen", depth: network.depth, bytes: inputs.bytes });
      return { inputs, isWhole: false };
    } catch (error) {
      if (!(error instanceof FrozenTooLarge)) throw error;
      work.log({ step: "frozen", depth: network.depth, kept: false, reason: error.message });
      return { inputs: work.decoded, isWhole: true };
    }
  }
}

function dimensionOf(trunk: Model): number {
  const dimension = trunk.graph.outputs[0]!.shape?.[1];
  if (typeof dimension === "number") return dimension;
  throw new InputError("the trunk's output states no fixed number of features; cut it with featureModel");
}

/** N / (C · count) of each class. */
function balanced(labels: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]!++;
  return counts.map((count) => labels.length / (classes * count));
}

/** Everything that a training's bytes depend on, but for what makes no difference: threads, progress, folders. */
function identityOf(options: FineTuneOptions, settings: FineTuneSettings): object {
  const { rows, classes, method, trunk, preprocessor, seed = 0, keys = null, classWeights = null } = options;
  const sha256 = createHash("sha256").update(writeModel(trunk)).digest("hex");
  const examples = rows.map(({ input, label, weight, group }) => [input, label, weight, group]);
  return {
    settings,
    classes,
    method,
    sha256,
    preprocessor: preprocessor.fingerprint,
    seed,
    keys,
    classWeights,
    examples,
    ...(options.late === undefined || options.late.length === 0 ? {} : { late: options.late }),
  };
}

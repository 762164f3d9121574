import {
  InputError,
  layerGroups,
  type Model,
  type Preprocessor,
  parametersOf,
  type Random,
  type Row,
  type Runtime,
} from "@graft-ml/core";
import { type Backbone, resolveBackbone } from "../backbones/index.ts";
import { architectureSource, openArchitecture } from "../sources/index.ts";
import { modelOf, networkSource } from "../sources/network.ts";
import { unitOf } from "./sentence-rows.ts";
import { openSentences, type SentenceTrunk, sentenceModel, takesSentences } from "./sentence-trunk.ts";
import type { TrunkChoice } from "./tasks-file.ts";

/** The network that all tasks share. */
export interface Trunk {
  readonly model: Model;
  readonly backbone: Backbone;
  readonly modality: "image" | "text";
  readonly preprocessor: Preprocessor;
  /** The value that heads stand on where a task does not say. */
  readonly layer: string;
  /** Names of the parameters that are trained. */
  readonly trained: ReadonlySet<string>;
  /** Whether batch normalizations use the batch and learn their statistics: where nothing is pretrained. */
  readonly learnsStatistics: boolean;
  /** What it is as a tagger's trunk, which takes sentences of tokens; null for other networks. */
  readonly sentences: SentenceTrunk | null;
  /** Greatest learning rate where nobody says. */
  readonly rate: number;
  readonly name: string;
  readonly notes: readonly string[];
}

/** What a trunk is opened with. */
export interface TrunkOptions {
  readonly choice: TrunkChoice;
  readonly modality: "image" | "text";
  /** Training rows of all tasks, of which a tokenizer's vocabulary is made. */
  readonly training: readonly Row[];
  /** Tasks that bring texts: each adds as many words to the vocabulary as a network of its own would have. */
  readonly textTasks: number;
  readonly runtime: Runtime;
  readonly random: Random;
}

/** Tokens that are told apart for each task where nobody says. */
const VOCABULARY = 8000;

/** Opens the trunk that TASKS.json names: an architecture with fresh weights, or a pretrained network. */
export async function openTrunk(options: TrunkOptions): Promise<Trunk> {
  const { choice, modality, runtime } = options;
  if (await takesSentences(choice)) return await sentenceTrunk(options);
  return choice.arch !== null
    ? await drawnTrunk(options)
    : await pretrainedTrunk(choice, choice.backbone!, modality, runtime);
}

/** A tagger's network below its heads. */
async function sentenceTrunk({ choice, training, random }: TrunkOptions): Promise<Trunk> {
  const tagged = training.filter(({ tokens }) => tokens?.tags);
  const sentences = await openSentences({ choice, training, unit: unitOf(tagged), random });
  const opened = sentences.open(null, false);
  const { states } = opened.at;
  opened.builder.graph.outputs = [
    Object.assign(states, { dtype: "float32", shape: ["batch", "length", opened.at.width] }),
  ];
  const { name } = sentences.backbone;
  return {
    model: sentenceModel(opened, sentences),
    backbone: sentences.backbone,
    modality: "text",
    preprocessor: sentences.preprocessor,
    layer: opened.at.name,
    trained: new Set(),
    learnsStatistics: false,
    sentences,
    rate: 3e-3,
    name,
    notes: sentences.notes,
  };
}

async function drawnTrunk(options: TrunkOptions): Promise<Trunk> {
  const { choice, modality, training, textTasks, runtime, random } = options;
  const words = modality === "text" && { vocabulary: VOCABULARY * Math.max(1, textTasks) };
  const opened = await openArchitecture({
    choice:
      choice.backbone === null
        ? { name: choice.arch!, settings: { ...words, ...choice.options } }
        : { name: choice.arch!, settings: choice.options, vectors: { spec: choice.backbone } },
    modality,
    training,
    random,
    maxLength: choice.maxLength,
  });
  const source = architectureSource(opened, { runtime });
  const { model, backbone } = opened;
  return {
    model,
    backbone,
    modality,
    preprocessor: source.preprocessor,
    layer: source.layer,
    trained: new Set(learntNames(model)),
    learnsStatistics: true,
    sentences: null,
    rate: 1e-3,
    name: choice.arch!,
    notes: [`${choice.arch}: ${opened.start ?? "every weight was drawn anew"}`],
  };
}

async function pretrainedTrunk(
  choice: TrunkChoice,
  spec: string,
  modality: "image" | "text",
  runtime: Runtime,
): Promise<Trunk> {
  if (Object.keys(choice.options).length > 0)
    throw new InputError(`trunk: options are of an arch or a tagger; ${spec} is neither`);
  const backbone = await resolveBackbone(spec, { modality });
  const source = networkSource({
    backbone,
    runtime,
    layer: null,
    pooling: "auto",
    batchSize: 8,
    cache: null,
    maxLength: choice.maxLength,
  });
  const model = modelOf(backbone);
  const groups = layerGroups(source.trunk);
  const depth = Math.min(choice.depth ?? groups.length, groups.length);
  const trained = groups
    .slice(groups.length - depth)
    .flatMap(({ parameters }) =>
      parameters.filter(({ role }) => role !== "statistic").map(({ name }) => name),
    );
  return {
    model,
    backbone,
    modality,
    preprocessor: source.preprocessor,
    layer: source.layer,
    trained: new Set(trained),
    learnsStatistics: false,
    sentences: null,
    rate: 1e-4,
    name: backbone.name,
    notes: [...source.notes, `${backbone.name}: the upper ${depth} of ${groups.length} blocks are trained`],
  };
}

function learntNames(model: Model): string[] {
  return parametersOf(model)
    .filter(({ role }) => role !== "statistic")
    .map(({ name }) => name);
}

/** Prefixes what an InputError says. */
export async function told<T>(where: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${where}: ${error.message}`, { cause: error });
  }
}

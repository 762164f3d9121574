import { createHash } from "node:crypto";
import {
  type Architecture,
  architectures,
  InputError,
  type Model,
  type Random,
  type Row,
  type Runtime,
  writeModel,
} from "@graft-ml/core";
import type { Backbone, JsonObject, TokenizerFiles } from "../backbones/index.ts";
import { trainTokenizer } from "../texts/index.ts";
import { networkSource } from "./network.ts";
import type { Source } from "./source.ts";
import { type Initialised, initialisedFrom, tokenizerBeside } from "./weights.ts";
import { openWordTable, type VectorsChoice, type WordTable } from "./word-table.ts";

/** A network to be trained from nothing. */
export interface ArchitectureChoice {
  /** One of the names in core's `architectures`. */
  readonly name: string;
  /** What the architecture has options for: width, depth, size … */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** A RUN folder or a .safetensors file that its weights are read from. */
  readonly init?: string | null;
  /** Word vectors that the tokens of a network of texts begin with; in place of `init`. */
  readonly vectors?: VectorsChoice | null;
  /** Parameters that may stay as they were drawn although `init` has none for them: patterns with `*` and `**`. */
  readonly allowMissing?: readonly string[];
}

/** What an architecture is opened with. */
export interface ArchitectureOptions {
  readonly choice: ArchitectureChoice;
  readonly modality: "image" | "text";
  /** Rows that a tokenizer's vocabulary is made of: the training part, and nothing else. */
  readonly training: readonly Row[];
  readonly random: Random;
  /** Tokens a text is cut to. */
  readonly maxLength?: number | null;
}

/** A network with fresh weights, or with those of `init`, and all that feeds it. */
export interface OpenedArchitecture {
  readonly backbone: Backbone;
  /** As the architecture has it: one output, `pooled` or `last_hidden_state`. */
  readonly model: Model;
  /** What was taken from `init`, what was not and why; null where every weight was drawn. */
  readonly initialised: Initialised | null;
  /** A sentence on what is not drawn but given: weights of `init`, or vectors; null where every weight was drawn. */
  readonly start: string | null;
  /** Parameters that hold given vectors and are to learn in the second half of training alone. */
  readonly late: readonly string[];
}

/** Tokens a text is cut to, and tokens that are told apart, where nobody says. */
const LENGTH = 128;
const VOCABULARY = 8000;

/** An architecture by its name. Throws an InputError that lists those there are. */
export function architectureOf(name: string): Architecture {
  const all: Readonly<Record<string, Architecture>> = architectures;
  if (Object.hasOwn(all, name)) return all[name]!;
  throw new InputError(
    `architecture "${name}": there is none of that name; there are ${Object.keys(all).join(", ")}`,
  );
}

/**
 * Builds an architecture for data: images are scaled to the network's side; a tokenizer is made of the
 * training rows, or is the one that the weights of `init` were trained with.
 * Throws an InputError where the architecture takes something else, or where `init` lacks weights.
 */
export async function openArchitecture(options: ArchitectureOptions): Promise<OpenedArchitecture> {
  const { choice, modality, training, random, maxLength } = options;
  const { name, settings = {}, init = null, allowMissing = [] } = choice;
  const architecture = architectureOf(name);
  if (architecture.modality !== modality)
    throw new InputError(
      `architecture ${name} takes ${architecture.modality}s, but the data are ${modality}s; take ${fitting(modality)}`,
    );
  const wanted = Number(settings.length ?? maxLength ?? LENGTH);
  const table = await wordTableOf(options, wanted);
  const tokenizer =
    modality === "image"
      ? null
      : table !== null
        ? table.tokenizer
        : init === null
          ? tokenizerOf(training, Number(settings.vocabulary ?? VOCABULARY), wanted)
          : await tokenizerBeside(init);
  const length = Number(tokenizer?.config?.model_max_length ?? wanted);
  const given = { ...settings, ...fittingText(architecture, tokenizer, length), ...table?.settings };
  const drawn = architecture.build(given, random.fork("architecture"));
  const initialised = init === null ? null : await initialisedFrom(init, drawn, allowMissing);
  const model = initialised?.model ?? table?.fill(drawn) ?? drawn;
  const start =
    table === null ? (initialised?.summary ?? null) : `the vectors of words are those of ${table.name}`;
  const bytes = writeModel(model);
  const { shape } = model.graph.inputs[0]!;
  return {
    model,
    initialised,
    start,
    late: table?.lateIn(model) ?? [],
    backbone: {
      spec: choice.vectors?.spec ?? "none",
      name: table === null ? name : `${name} over ${table.name}`,
      modality,
      model: bytes,
      externalData: {},
      sha256: createHash("sha256").update(bytes).digest("hex"),
      imageInput:
        modality === "text"
          ? null
          : {
              name: "pixel_values",
              layout: "NCHW",
              channels: shape![1] as number,
              height: shape![2] as number,
              width: shape![3] as number,
            },
      config: tokenizer === null ? null : { max_position_embeddings: length },
      preprocessorConfig: modality === "text" ? null : pixelsOf(shape![1] as number, shape![2] as number),
      tokenizer,
      layer: model.graph.outputs[0]!.name,
      path: null,
      commit: null,
      licence: null,
      notes: [...(start === null ? [] : [start]), ...(table?.notes ?? [])],
    },
  };
}

/** The words and vectors that the choice names; null where it names none. */
async function wordTableOf(
  { choice, modality, training }: ArchitectureOptions,
  maxLength: number,
): Promise<WordTable | null> {
  const { name, settings = {}, vectors = null, init = null } = choice;
  if (vectors === null) return null;
  if (modality === "image") throw new InputError(`architecture ${name}: word vectors are for texts`);
  if (init !== null)
    throw new InputError(
      `architecture ${name}: both --init and word vectors are given; weights bring vectors of their own, so leave one out`,
    );
  const fixed = ["vocabulary", "width", "given"].find((key) => key in settings);
  if (fixed !== undefined)
    throw new InputError(`architecture ${name}: ${fixed} follows from the word vectors; leave it out`);
  const texts = training.flatMap(({ input }) => (input.kind === "text" ? [input.text] : []));
  return await openWordTable(vectors, texts, maxLength);
}

/**
 * Throws an InputError that names the first row whose text is empty; images tell their file when they are
 * decoded.
 */
export function requireTexts(rows: readonly Row[]): void {
  const blank = rows.find(({ input }) => input.kind === "text" && input.text.trim() === "");
  if (blank) throw new InputError(`${blank.where}: the text is empty; write one or leave the row out`);
}

/** The source over an architecture: as over a pretrained network, but that nothing in it is pretrained. */
export function architectureSource(
  { backbone }: OpenedArchitecture,
  options: { readonly runtime: Runtime; readonly batchSize?: number | null },
): Source {
  return networkSource({
    backbone,
    runtime: options.runtime,
    layer: null,
    pooling: "auto",
    batchSize: options.batchSize ?? 8,
    cache: null,
  });
}

function fitting(modality: "image" | "text"): string {
  return Object.entries(architectures as Readonly<Record<string, Architecture>>)
    .filter(([, one]) => one.modality === modality)
    .map(([name]) => name)
    .join(" or ");
}

/** Settings that follow from the texts: the vocabulary that was found, and the positions that are needed. */
function fittingText({ options }: Architecture, tokenizer: TokenizerFiles | null, length: number) {
  if (tokenizer === null) return {};
  const vocabulary = Object.keys((tokenizer.json.model as JsonObject).vocab as JsonObject).length;
  return { vocabulary, ...("length" in options && { length }) };
}

function tokenizerOf(training: readonly Row[], size: number, maxLength: number): TokenizerFiles {
  const texts = training.flatMap(({ input }) => (input.kind === "text" ? [input.text] : []));
  return trainTokenizer(texts, { size, maxLength });
}

/** Pixels from −1 to 1. */
function pixelsOf(channels: number, side: number): JsonObject {
  return {
    do_resize: true,
    size: { height: side, width: side },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: Array<number>(channels).fill(0.5),
    image_std: Array<number>(channels).fill(0.5),
  };
}

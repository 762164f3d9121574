import {
  appendTrunk,
  type Builder,
  build,
  emptyGraph,
  InputError,
  type Model,
  modelOf,
  type Preprocessor,
  prune,
  type Random,
  type Row,
  resolveSettings,
  type Tensor,
  type TokenEncoder,
  type TokenLayer,
  type Trunk as TokenTrunk,
  taggerEncoders,
  tokenEncoder,
  type Unit,
  type Value,
} from "@graft-ml/core";
import type { Backbone } from "../backbones/index.ts";
import { firstTagging, taskOf } from "../tagging/config.ts";
import {
  type NetworkTrunk,
  newTrunk,
  sourceTrunk,
  startOf,
  tensorsOf,
  vectorTable,
} from "../tagging/network-trunk.ts";
import { openBackbone } from "../tagging/open-backbone.ts";
import { sentencePreprocessor } from "../tagging/sentence-preprocessor.ts";
import type { Sentence } from "../tagging/sentences.ts";
import { taggerOptions } from "../tagging/settings.ts";
import type { KindContext } from "./kind.ts";
import type { TrunkChoice } from "./tasks-file.ts";

const { wordWidth, minimum, affixRows, affixWidth, characters, tuneVectors, units, layers } = taggerOptions;
const { dropout, batchTokens } = taggerOptions;

/** Settings of training a tagger's trunk, which one that is taken from a RUN has, too. */
export const continuingOptions = { dropout, batchTokens, tuneVectors } as const;

/** Settings of a tagger's trunk that several tasks share. */
export const sentenceOptions = {
  ...{ wordWidth, minimum, affixRows, affixWidth, characters, units, layers },
  ...continuingOptions,
} as const;

/** Whether TASKS.json names a tagger's trunk, which takes sentences of tokens: an encoder, or a tagger's RUN. */
export async function takesSentences({ arch, backbone }: TrunkChoice): Promise<boolean> {
  if (arch !== null) return Object.hasOwn(taggerEncoders, arch);
  if (!backbone?.startsWith("run:")) return false;
  const folder = backbone.slice("run:".length);
  return (await taskOf(folder)) === "token-classification" || (await firstTagging(folder)) !== null;
}

/** A tagger's network below its heads: what a token is by itself, and an encoder over the sentence. */
export interface SentenceTrunk {
  readonly trunk: NetworkTrunk;
  readonly unit: Unit;
  readonly encoder: TokenEncoder;
  /** Pretrained vectors [words + 1, width], and whether they are trained. */
  readonly vectors: Tensor | null;
  readonly tunesVectors: boolean;
  readonly dropout: number;
  readonly batchTokens: number;
  /** A network up to a layer, the top one where none is named. Throws an InputError for a layer it has not. */
  open(layer: string | null, training: boolean): OpenedSentences;
  /** Gives parameters that other networks of the trunk have, too, the same tensors. */
  shared(model: Model): Model;
  /** Lets parameters start from these tensors in networks that are opened from now on. */
  begin(tensors: ReadonlyMap<string, Tensor>): void;
  readonly preprocessor: Preprocessor;
  readonly backbone: Backbone;
  readonly notes: readonly string[];
}

/** A network that a head is to be put on. */
export interface OpenedSentences {
  readonly builder: Builder;
  readonly at: TokenLayer;
  /** 1 for tokens, 0 for padding [batch, length, 1]. */
  readonly mask: Value;
  /** The inputs that mask in training; those that the layer does not depend on go with `sentenceModel`. */
  readonly keeps: TokenTrunk["keeps"];
}

/** Tokens a text with a class is cut to where nobody says. */
export const LONGEST = 128;
const DROPOUT = 0.33;

/** Opens a tagger's trunk: with fresh weights over the words of the training rows, or that of a tagger. */
export async function openSentences(options: {
  readonly choice: TrunkChoice;
  readonly training: readonly Row[];
  readonly unit: Unit;
  readonly random: Random;
}): Promise<SentenceTrunk> {
  const { choice, training, unit, random } = options;
  const settings = resolveSettings("trunk: options", taggerOptions, choice.options);
  const { source, vectors: words, encoder: pretrained } = await openBackbone(choice.backbone ?? "none");
  if (pretrained !== null)
    throw new InputError(
      `trunk: ${choice.backbone} tags over a pretrained encoder; name that encoder itself as the backbone`,
    );
  const trunk =
    source === null
      ? newTrunk(training.filter(hasTokens), { arch: choice.arch!, settings, vectors: words })
      : sourceTrunk(source.spec);
  const vectors =
    source === null ? vectorTable(words) : (tensorsOf(source.model).get("tokens.vectors") ?? null);
  const tensors = new Map(source === null ? [] : startOf(source.model));
  const drawing = random.fork("trunk");
  const { tuneVectors: tunesVectors } = settings;
  const open = (layer: string | null, isTraining: boolean): OpenedSentences => {
    const builder = build(emptyGraph("sentences"));
    const options_ = { ...trunk, random: drawing, vectors, training: isTraining, tunesVectors };
    const { layers: depths, mask, keeps } = appendTrunk(builder, options_);
    const at = layer === null ? depths.at(-1) : depths.find(({ name }) => name === layer);
    if (at === undefined)
      throw new InputError(
        `the trunk has no layer "${layer}"; it has ${depths.map(({ name }) => name).join(", ")}`,
      );
    return { builder, at, mask, keeps };
  };
  const encoder = tokenEncoder(trunk.encoding);
  const preprocessor = sentencePreprocessor({
    version: 1,
    unit,
    longest: choice.maxLength ?? LONGEST,
    trunk,
  });
  const name = source === null ? choice.arch! : choice.backbone!.replace(/^.*[:/\\]/, "");
  return {
    ...{ trunk, unit, encoder, vectors, tunesVectors, open, preprocessor },
    dropout: settings.dropout ?? DROPOUT,
    batchTokens: settings.batchTokens,
    begin(given) {
      for (const [own, tensor] of given) tensors.set(own, tensor);
    },
    shared(model) {
      for (const [value, tensor] of model.graph.initializers) {
        if (tensor.dtype !== "float32" || !/^(tokens|encoder|heads)\./.test(value.name)) continue;
        const known = tensors.get(value.name);
        if (known === undefined) tensors.set(value.name, tensor);
        else if (known.shape.join() === tensor.shape.join()) model.graph.initializers.set(value, known);
      }
      return model;
    },
    backbone: backboneOf(choice.backbone ?? choice.arch!, name, source?.sha256 ?? null),
    notes: [
      source === null ? `${name}: every weight was drawn anew` : `${name}: weights of an earlier tagger`,
      ...(words === null ? [] : [`${words.words.length} words have pretrained vectors`]),
    ],
  };
}

/** The model of a graph that heads were put on, without what they do not need. */
export function sentenceModel({ builder }: OpenedSentences, sentences: SentenceTrunk): Model {
  const { graph } = builder;
  return sentences.shared(modelOf(prune(graph, { inputs: true })));
}

/** Names of what a network over sentences learns. */
export function learntNames(model: Model, { tunesVectors }: SentenceTrunk): ReadonlySet<string> {
  const names = [...model.graph.initializers].flatMap(([{ name }, { dtype }]) =>
    dtype === "float32" && /^(tokens|encoder|heads)\./.test(name) ? [name] : [],
  );
  return new Set(names.filter((name) => tunesVectors || name !== "tokens.vectors"));
}

/** A tagger's trunk and what a task's sentences are fed to it as. Throws an InputError where the trunk is none. */
export function overSentences(kind: string, { trunk, inputs }: KindContext) {
  const { sentences } = trunk;
  if (sentences === null || !inputs.batches)
    throw new InputError(
      `kind ${kind} stands on a tagger's trunk, which ${trunk.name} is not; take the arch ${Object.keys(taggerEncoders).join(", ")}`,
    );
  return { sentences, inputs: { ...inputs, batches: inputs.batches } };
}

function hasTokens(row: Row): row is Sentence {
  return row.tokens !== undefined;
}

function backboneOf(spec: string, name: string, sha256: string | null): Backbone {
  return {
    ...{ spec, name, sha256, modality: "text", model: null, externalData: {}, imageInput: null },
    ...{ config: null, preprocessorConfig: null, tokenizer: null, layer: null, path: null, commit: null },
    ...{ licence: null, notes: [] },
  };
}

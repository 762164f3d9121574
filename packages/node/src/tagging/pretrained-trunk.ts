import {
  appendTagHead,
  build,
  cloneModel,
  cutAt,
  InputError,
  irVersionFor,
  type Model,
  opsetOf,
  type PretrainedTrunk,
  type Random,
  readModel,
  type TagHead,
} from "@graft-ml/core";
import { type BackboneOptions, resolveBackbone, type TokenizerFiles } from "../backbones/index.ts";
import type { JsonObject } from "../backbones/json.ts";
import { tokenRows } from "../multitask/token-rows.ts";
import { readRunJson, runFiles } from "../runs/folder.ts";
import { modelOf } from "../sources/network.ts";
import { VERSION } from "../version.ts";
import { type SubWords, subWords, TOKEN_PLACES } from "./sub-words.ts";

/** A pretrained encoder up to the states of tokens, with what feeds it. */
export interface EncoderTrunk {
  /** Inputs are the encoder's and `token_places`; one output, `token_states` [sentences, length, D]. */
  readonly model: Model;
  readonly spec: PretrainedTrunk;
  readonly feeder: SubWords;
  readonly name: string;
  readonly sha256: string;
  readonly commit: string | null;
  readonly licence: string | null;
  readonly notes: readonly string[];
}

/** Where and how an encoder is opened. */
export interface EncoderOptions {
  /** A layer with numbers for each sub-word; the last one where left out. */
  readonly layer?: string | null;
  /** Sub-words of a window; what the network takes, 256 at most, where left out. */
  readonly maxLength?: number | null;
  readonly backbone?: Omit<BackboneOptions, "modality">;
}

/** Name of the states of tokens in a model, by which the encoder is found again. */
export const TOKEN_STATES = "token_states";
/** Time and memory of attention grow with the square of a window, and few sentences are longer. */
const WINDOW = 256;

/** Opens a pretrained encoder of texts as a trunk. Throws an InputError where it has no numbers for each sub-word. */
export async function openEncoder(
  spec: string,
  { layer = null, maxLength = null, backbone: options = {} }: EncoderOptions,
): Promise<EncoderTrunk> {
  const backbone = await resolveBackbone(spec, { ...options, modality: "text" });
  const rows = tokenRows(modelOf(backbone), layer);
  const model = cloneModel(rows.model);
  const { graph } = model;
  const inputs = [...graph.inputs];
  const fixed = inputs.map(({ shape }) => shape?.[1]).filter((extent) => typeof extent === "number");
  const b = build(graph);
  for (const input of inputs) input.shape = ["windows", fixed[0] ?? "extent"];
  const places = b.input(TOKEN_PLACES, "int64", ["sentences", "length"]);
  const states = b.apply("Gather", [graph.outputs[0]!, places], { axis: 0 }, { name: TOKEN_STATES });
  const shape = ["sentences", "length", rows.dimension];
  graph.outputs = [Object.assign(states, { dtype: "float32" as const, shape })];
  const feeding = { tokenizer: backbone.tokenizer, config: backbone.config, inputs };
  const limited = subWords({
    ...feeding,
    ...(maxLength === null ? {} : { maxLength }),
    ...(fixed.length === 0 ? {} : { fixedLength: fixed[0]! }),
  });
  const window = maxLength ?? Math.min(limited.window, WINDOW);
  const feeder =
    window === limited.window || fixed.length > 0 ? limited : subWords({ ...feeding, maxLength: window });
  return {
    model,
    spec: { kind: "pretrained", layer: rows.layer, width: rows.dimension, window: feeder.window },
    feeder,
    name: backbone.name,
    sha256: backbone.sha256!,
    commit: backbone.commit,
    licence: backbone.licence?.id ?? null,
    notes: backbone.notes,
  };
}

/** The encoder of a tagger's RUN, without its head. */
export async function encoderOfRun(
  folder: string,
  about: { readonly spec: PretrainedTrunk; readonly bytes: Uint8Array; readonly sha256: string },
): Promise<EncoderTrunk> {
  const whole = readModel(about.bytes, { source: `${folder}/${runFiles.model}` });
  return {
    model: cutAt(whole, TOKEN_STATES),
    spec: about.spec,
    feeder: await feederOfRun(folder, whole),
    name: `run:${folder}`,
    sha256: about.sha256,
    commit: null,
    licence: null,
    notes: [],
  };
}

/** What feeds the model of a tagger's RUN that has a pretrained encoder. */
export async function feederOfRun(folder: string, { graph }: Model): Promise<SubWords> {
  const json = (await readRunJson(folder, "tokenizer.json")) as JsonObject | null;
  const config = (await readRunJson(folder, "tokenizer_config.json")) as JsonObject | null;
  if (json === null)
    throw new InputError(`${folder} has no tokenizer.json, which its encoder needs; restore the file`);
  const tokenizer: TokenizerFiles = { json, config };
  return subWords({ tokenizer, inputs: graph.inputs.filter(({ name }) => name !== TOKEN_PLACES) });
}

/** An encoder with a freshly drawn head on it. */
export function withTagHead({ model, spec }: EncoderTrunk, head: TagHead, random: Random): Model {
  const composed = cloneModel(model);
  const { graph } = composed;
  const states = graph.outputs[0]!;
  graph.outputs = [];
  appendTagHead(build(graph), states, spec.width, head, random);
  return {
    ...composed,
    irVersion: Math.max(composed.irVersion, irVersionFor(opsetOf(composed))),
    producer: { name: "graft", version: VERSION },
  };
}

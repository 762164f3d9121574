import { InputError, type TaggerSpec, type WordVectors } from "@graft-ml/core";
import { readRunBytes } from "../runs/folder.ts";
import { builtinVectors, namesVectors } from "../sources/vectors.ts";
import { readVectorsFile } from "../words/index.ts";
import { firstTagging, readTaggerConfig, type TaggerConfig, taskOf } from "./config.ts";
import { type EncoderOptions, type EncoderTrunk, encoderOfRun, openEncoder } from "./pretrained-trunk.ts";

/** What a tagger starts from: at most one of the three, none of them for "none". */
export interface TaggerBackbone {
  /** A tagger with a network of its own. */
  readonly source: {
    readonly spec: TaggerSpec;
    readonly config: TaggerConfig;
    readonly model: Uint8Array;
    readonly sha256: string;
  } | null;
  readonly vectors: WordVectors | null;
  /** A pretrained encoder of texts, or that of a tagger trained over one. */
  readonly encoder: EncoderTrunk | null;
}

/**
 * Opens a backbone by its spec; of a RUN with several tasks `task`, or the first that tags. Throws an
 * InputError where it is nothing that a tagger can start from.
 */
export async function openBackbone(
  spec: string,
  task: string | null = null,
  options: EncoderOptions = {},
): Promise<TaggerBackbone> {
  const none: TaggerBackbone = { source: null, vectors: null, encoder: null };
  if (spec === "none") return none;
  if (namesVectors(spec)) {
    const [kind, name] = [spec.slice(0, spec.indexOf(":")), spec.slice(spec.indexOf(":") + 1)];
    const path = kind === "builtin" ? builtinVectors(name) : name;
    if (path === null)
      throw new InputError(`--backbone ${spec}: this installation has no vectors of that name`);
    return { ...none, vectors: (await readVectorsFile(path)).vectors };
  }
  const folder = spec.startsWith("run:") ? spec.slice("run:".length) : null;
  const named = folder === null ? null : (task ?? (await firstTagging(folder)));
  if (folder !== null && (await taskOf(folder, named)) === "token-classification") {
    const { config, spec: own, file } = await readTaggerConfig(folder, named);
    const model = await readRunBytes(folder, file);
    const { sha256 } = config;
    if (own.trunk.kind === "pretrained")
      return { ...none, encoder: await encoderOfRun(folder, { spec: own.trunk, bytes: model, sha256 }) };
    return { ...none, source: { spec: own, config, model, sha256 } };
  }
  return { ...none, encoder: await openEncoder(spec, options) };
}

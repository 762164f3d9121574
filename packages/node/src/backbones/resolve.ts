import { createHash } from "node:crypto";
import { open, realpath } from "node:fs/promises";
import { basename, dirname, join, posix, resolve, sep } from "node:path";
import { externalFiles, InputError, readModel } from "@graft-ml/core";
import type { Backbone, BackboneOptions, TokenizerFiles } from "./backbone.ts";
import { builtinFolder } from "./builtin.ts";
import { chooseModel } from "./choice.ts";
import { hubFiles, localFiles, type ModelFiles } from "./files.ts";
import { type GraphInputs, graphInputs, requireModality } from "./inputs.ts";
import { type JsonObject, readJsonFile, TOKENIZER_LIMIT } from "./json.ts";
import { licenceFiles, licenceNote, readLicence } from "./licence.ts";
import { inferPreprocessing, requireSameSize } from "./pixels.ts";

/** A protobuf message, and so an ONNX file, holds less than 2 GiB; larger tensors lie in further files. */
const MAX_MODEL_BYTES = 2 ** 31;
const MAX_EXTERNAL_BYTES = 2 ** 32;

/**
 * Finds a backbone and reads all that belongs to it. `spec` is a path of an .onnx file or of a folder in the
 * hub's layout, `hf:owner/name[@revision][:file]`, `run:DIR` (a model Graft trained), `builtin:NAME` (one
 * that comes with the package) or `none` (no pretrained network).
 * Throws an InputError that names what is missing or does not fit, and how to mend it.
 */
export async function resolveBackbone(spec: string, options: BackboneOptions = {}): Promise<Backbone> {
  if (spec === "none") return noBackbone(options);
  const [, scheme, rest = ""] = /^(hf|run|builtin|vectors):(.*)$/s.exec(spec) ?? [];
  switch (scheme) {
    case "hf":
      return await readBackbone(spec, await hubFiles(spec, options), options);
    case "run":
      return await readRun(spec, rest, options);
    case "builtin":
      return await readBackbone(spec, { ...(await localFiles(builtinFolder(rest))), name: spec }, options);
    case "vectors":
      throw new InputError(
        `backbone ${spec}: ${scheme}: is not available in this version; use an .onnx file, a folder, hf:owner/name, run:DIR or none`,
      );
    default:
      if (spec.trim() === "")
        throw new InputError("the backbone is empty; pass a path, hf:owner/name or none");
      return await readBackbone(spec, await localFiles(spec), options);
  }
}

function noBackbone({ modality }: BackboneOptions): Backbone {
  return {
    spec: "none",
    name: "none",
    modality: modality ?? null,
    model: null,
    externalData: {},
    sha256: null,
    imageInput: null,
    config: null,
    preprocessorConfig: null,
    tokenizer: null,
    layer: null,
    path: null,
    commit: null,
    licence: null,
    notes: [],
  };
}

/** A model Graft trained: its config.json names the layer that its features came from. */
async function readRun(spec: string, folder: string, options: BackboneOptions): Promise<Backbone> {
  const files = await localFiles(folder === "" ? "." : folder);
  const missing = ["config.json", "model.onnx"].find((name) => !files.names.includes(name));
  if (missing !== undefined) {
    throw new InputError(
      `backbone ${spec}: ${files.where} has no ${missing}; run: takes the folder that graft train wrote`,
    );
  }
  const takesTokens = files.names.some((name) => name === "tagger.json" || name === "sentences.json");
  if (takesTokens && !files.names.includes("tokenizer.json"))
    throw new InputError(
      `backbone ${spec}: that run takes sentences of tokens; it is a source for taggers and for tasks of graft multitask ("backbone": "${spec}")`,
    );
  const [path] = await files.paths(["config.json"]);
  const { layer, backbone, head } = await readJsonFile(path!);
  if (head === undefined || backbone === undefined) {
    throw new InputError(
      `backbone ${spec}: ${path} is not a run's; for a network from elsewhere pass the folder itself, ${folder}`,
    );
  }
  if (typeof layer !== "string" || layer === "") {
    throw new InputError(
      `backbone ${spec}: that run was trained with the backbone ${JSON.stringify(backbone)} and has no layer to take features from; use a run with a network in it`,
    );
  }
  const name = `run:${basename(resolve(folder))}`;
  return { ...(await readBackbone(spec, { ...files, name, chosen: "model.onnx" }, options)), layer };
}

async function readBackbone(spec: string, files: ModelFiles, options: BackboneOptions): Promise<Backbone> {
  const { where } = files;
  const file = chooseModel(files);
  const has = (name: string) => files.names.includes(name);
  const described = ["config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"];
  // All at once, so that progress counts towards one total.
  const [path] = await files.paths([file, ...described.filter(has), ...licenceFiles(files.names)]);
  const json = async (name: string, limit?: number) =>
    has(name) ? await readJsonFile((await files.paths([name]))[0]!, limit) : null;

  const { model, externalData, sha256 } = await readModelFiles(files, file, path!);
  const { graph } = readModel(model, { source: path!, externalData });
  const inputs = graphInputs(graph);
  requireModality(where, inputs, options.modality);
  const config = await json("config.json");
  const pixels = await preprocessing(where, inputs, config, await json("preprocessor_config.json"), options);
  const tokenizer =
    inputs.modality === "text"
      ? tokenizerFiles(
          where,
          await json("tokenizer.json", TOKENIZER_LIMIT),
          await json("tokenizer_config.json"),
        )
      : null;
  const licence = await readLicence(files);
  await files.keep();
  const notes = [...files.notes, pixels?.note, licenceNote(files.name, licence)];
  return {
    spec,
    name: files.name,
    modality: inputs.modality,
    model,
    externalData,
    sha256,
    imageInput: inputs.image,
    config,
    preprocessorConfig: pixels?.config ?? null,
    tokenizer,
    layer: null,
    path: path!,
    commit: files.commit,
    licence,
    notes: notes.filter((note) => typeof note === "string"),
  };
}

async function preprocessing(
  where: string,
  { image }: GraphInputs,
  config: JsonObject | null,
  stated: JsonObject | null,
  options: BackboneOptions,
): Promise<{ config: JsonObject; note: string | null } | null> {
  if (image === null) return null;
  if (stated === null) return inferPreprocessing(where, image, config, options.assume);
  requireSameSize(where, image, stated);
  return { config: stated, note: null };
}

function tokenizerFiles(where: string, json: JsonObject | null, config: JsonObject | null): TokenizerFiles {
  if (json !== null) return { json, config };
  throw new InputError(
    `${where} has no tokenizer.json, without which texts cannot become the ids its network was trained on; make one with AutoTokenizer.from_pretrained(…).save_pretrained(…) in Python and put it beside the model`,
  );
}

/** The model file and the files its tensors lie in. */
async function readModelFiles(files: ModelFiles, file: string, path: string) {
  const model = await readBytes(path, MAX_MODEL_BYTES);
  const locations = externalFiles(model, path).toSorted();
  const paths = await files.paths(locations.map((location) => posix.join(posix.dirname(file), location)));
  await requireInside(path, locations, paths);
  const externalData: Record<string, Uint8Array> = {};
  for (const [i, location] of locations.entries()) {
    externalData[location] = await readBytes(paths[i]!, MAX_EXTERNAL_BYTES);
  }
  const lines = Object.entries({ [basename(file)]: model, ...externalData }).map(
    ([name, bytes]) => `${sha256Of(bytes)}  ${name}\n`,
  );
  return { model, externalData, sha256: locations.length === 0 ? sha256Of(model) : sha256Of(lines.join("")) };
}

/**
 * Throws an InputError where a link leads external data out of the model's folder: a file from elsewhere must
 * not get at others. The hub's cache links every file to one folder, where the model itself lies too.
 */
async function requireInside(
  model: string,
  locations: readonly string[],
  paths: readonly string[],
): Promise<void> {
  if (paths.length === 0) return;
  const folders = [await realpath(dirname(model)), dirname(await realpath(model))];
  for (const [i, path] of paths.entries()) {
    const real = await realpath(path);
    if (folders.some((folder) => real.startsWith(join(folder, sep)))) continue;
    throw new InputError(
      `${model}: its external data "${locations[i]}" is a link to ${real}, outside the model's folder; put the file itself there`,
    );
  }
}

/** A file's bytes; in pieces, because one read takes at most 2 GiB. */
async function readBytes(path: string, limit: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size >= limit)
      throw new InputError(`${path} has ${size} bytes; ${limit - 1} are the most that are read`);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30), at);
      if (bytesRead === 0) throw new InputError(`${path} became shorter while it was read`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

function sha256Of(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex");
}

import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { InputError } from "@graft-ml/core";
import {
  DEFAULT_REVISION,
  type HubSettings,
  hubSettings,
  isCommit,
  openSnapshot,
  parseHubReference,
} from "../hub/index.ts";
import type { BackboneOptions } from "./backbone.ts";

/** The files of one model, in a folder or in a repository of which files come when they are asked for. */
export interface ModelFiles {
  /** For messages: the folder, or "hf:owner/name". */
  readonly where: string;
  readonly name: string;
  /** Paths with "/" of what is there, as far as the hub's layout goes: the folder itself and `onnx/`. */
  readonly names: readonly string[];
  /** The model file, where the user named it. */
  readonly chosen: string | null;
  readonly commit: string | null;
  readonly notes: readonly string[];
  /** Where the named files lie on disk; throws an InputError where one is missing. */
  paths(names: readonly string[]): Promise<string[]>;
  /** To be called once the model is read whole. */
  keep(): Promise<void>;
}

/** Opens an .onnx file or a folder in the hub's layout. */
export async function localFiles(path: string): Promise<ModelFiles> {
  const there = await stat(path).catch(() => null);
  if (there === null) {
    const hint = /^[\w.-]+\/[\w.-]+$/.test(path) ? `; for a repository of the hub write hf:${path}` : "";
    throw new InputError(`backbone ${path}: there is no such file or folder${hint}`);
  }
  if (there.isDirectory()) return folderFiles(await snapshotFolder(path), null, basename(resolve(path)));
  refuseOtherFormats(path);
  const folder = dirname(path);
  const file = basename(path);
  const stem = file.slice(0, -extname(file).length);
  // In the hub's layout the model may lie in onnx/ and all that describes it one folder up.
  const isBelow = basename(resolve(folder)) === "onnx" && !existsSync(join(folder, "config.json"));
  const root = isBelow ? join(folder, "..") : folder;
  const name = stem === "model" ? basename(resolve(root)) : stem;
  return folderFiles(root, isBelow ? `onnx/${file}` : file, name);
}

/** Opens a repository of the hub. */
export async function hubFiles(spec: string, options: BackboneOptions): Promise<ModelFiles> {
  const reference = parseHubReference(spec);
  const given: Partial<Record<keyof HubSettings, unknown>> = {
    cache: options.cacheDir,
    offline: options.offline,
    refresh: options.refresh,
    onProgress: options.onProgress,
    signal: options.signal,
    ...options.hub,
  };
  const snapshot = await openSnapshot(reference, hubSettings(given as Partial<HubSettings>));
  return {
    where: `hf:${reference.repo}`,
    name: reference.repo,
    names: snapshot.names,
    chosen: reference.file,
    commit: snapshot.commit,
    notes: snapshot.notes,
    paths: snapshot.fetch,
    keep: snapshot.keep,
  };
}

async function folderFiles(folder: string, chosen: string | null, name: string): Promise<ModelFiles> {
  const below = async (part: string) => {
    const entries = await readdir(join(folder, part), { withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => (part ? `${part}/${entry.name}` : entry.name));
  };
  return {
    where: folder,
    name,
    names: [...(await below("")), ...(await below("onnx"))].sort(),
    chosen,
    commit: null,
    notes: [],
    async paths(names) {
      const paths = names.map((file) => join(folder, ...file.split("/")));
      const missing = paths.find((path) => !existsSync(path));
      if (missing !== undefined) throw new InputError(`${missing} is missing; the model needs it`);
      return paths;
    },
    async keep() {},
  };
}

/** Of a repository's folder in the hub's cache, the folder of the commit it stands at; any other folder as it is. */
async function snapshotFolder(path: string): Promise<string> {
  const snapshots = join(path, "snapshots");
  if (!existsSync(snapshots)) return path;
  const commits = (await readdir(snapshots)).filter(isCommit);
  const ref = await readFile(join(path, "refs", DEFAULT_REVISION), "utf8").catch(() => "");
  const commit = commits.find((one) => one === ref.trim()) ?? (commits.length === 1 ? commits[0]! : null);
  if (commit === null) {
    throw new InputError(
      `backbone ${path} holds the commits ${commits.join(", ") || "none"}; pass ${snapshots}/COMMIT`,
    );
  }
  return join(snapshots, commit);
}

/** Refuses what is not ONNX, before anything reads it. */
function refuseOtherFormats(path: string): void {
  const extension = extname(path).toLowerCase();
  if (extension === ".onnx") return;
  const what: Record<string, string> = {
    ".safetensors": "holds weights without the network they belong to",
    ".ort": "is ONNX Runtime's own format, which cannot be differentiated",
    ".tflite": "is a TensorFlow Lite model",
    ".keras": "is a Keras model, which may run code when loaded",
    ".h5": "is a Keras model, which may run code when loaded",
  };
  const pickles = [".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"];
  const is = pickles.includes(extension)
    ? "may be a pickle, which runs code when loaded"
    : (what[extension] ?? "is not an .onnx file");
  throw new InputError(
    `backbone ${path} ${is}; Graft reads ONNX only. Export it with torch.onnx.export or "optimum-cli export onnx", or find a repository of the hub that has an .onnx file`,
  );
}

import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InputError } from "@graft-ml/core";

/** What lies in a RUN folder; `metrics.json` is written last, so its presence says that the run is whole. */
export const runFiles = {
  model: "model.onnx",
  config: "config.json",
  golden: "golden.json",
  metrics: "metrics.json",
  report: "report.html",
  reportData: "report.json",
  card: "README.md",
  log: "log.jsonl",
  predictions: "predictions.jsonl",
  checkpoints: "checkpoints",
} as const;

/** Leftovers of a write that was killed. */
const UNFINISHED = /\.[0-9a-f]{12}\.part$/;

/**
 * Writes a file whole or not at all: under another name first, flushed to the disk, then renamed. A kill at
 * any moment leaves the old file or the new one.
 */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.part`;
  const file = await open(temporary, "w");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/**
 * Makes a folder ready to be written to as a RUN. A finished run in it is taken away, of an unfinished one
 * the checkpoints stay, to go on from; anything else that lies there is left alone and refused.
 */
export async function prepareRun(path: string): Promise<void> {
  const names = await namesIn(path);
  const foreign = names.filter((name) => !isOurs(name));
  if (foreign.length > 0) {
    throw new InputError(
      `${path} holds other files already (${foreign.slice(0, 3).join(", ")}${foreign.length > 3 ? ", …" : ""}); choose an empty or new folder for --output`,
    );
  }
  await mkdir(path, { recursive: true });
  const isFinished = names.includes(runFiles.metrics);
  // First of all: without this file the folder does not pass for a finished run while it is written again.
  await rm(join(path, runFiles.metrics), { force: true });
  for (const name of names)
    if (isFinished || name !== runFiles.checkpoints)
      await rm(join(path, name), { recursive: true, force: true });
}

function isOurs(name: string): boolean {
  return (Object.values(runFiles) as string[]).includes(name) || UNFINISHED.test(name) || TRAVELS.test(name);
}

/** Files of preprocessing, and of an adapter, that belong to a run. */
const TRAVELS =
  /^(task\.[\w-]+\.onnx|(preprocessor_config|tokenizer|tokenizer_config|tfidf|words|adapter_config|tagger)\.json|adapter_model\.safetensors|words\.txt)$/;

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR")
      throw new InputError(`${path} is a file; choose an empty or new folder for --output`);
    throw error;
  }
}

/** Reads a JSON file of a RUN; throws an InputError that says what the folder lacks. */
export async function readRunJson(folder: string, name: string): Promise<unknown> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw await missing(folder, name, error as NodeJS.ErrnoException);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path} is not JSON (${(error as Error).message}); train again`, { cause: error });
  }
}

/** Reads a file of a RUN as bytes. */
export async function readRunBytes(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, name));
  } catch (error) {
    throw await missing(folder, name, error as NodeJS.ErrnoException);
  }
}

async function missing(folder: string, name: string, error: NodeJS.ErrnoException): Promise<Error> {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") return error;
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => null,
  );
  if (isFolder === null)
    return new InputError(`${folder} does not exist; RUN is a folder that graft train wrote`);
  if (!isFolder)
    return new InputError(
      `${folder} is a file; RUN is the folder that graft train wrote, perhaps ${dirname(folder)}`,
    );
  return new InputError(
    `${folder} has no ${name}; RUN is a folder that graft train wrote, and wrote to the end`,
  );
}

/** JSON as every file of a run has it: two spaces, a line break at the end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

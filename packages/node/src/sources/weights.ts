import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  InputError,
  type Model,
  type Parameters,
  parametersOf,
  readModel,
  readSafetensors,
  type Tensor,
  type Transferred,
  transferParameters,
} from "@graft-ml/core";
import type { TokenizerFiles } from "../backbones/index.ts";
import { readJsonFile, TOKENIZER_LIMIT } from "../backbones/json.ts";

/** Names that the summary lists; all of them stand in a run's log.jsonl. */
const SHOWN = 20;

/** A model with the weights of another, and what came of it. */
export interface Initialised extends Transferred {
  /** A sentence for people: how much was taken, skipped and left as drawn. */
  readonly summary: string;
}

/**
 * A copy of a model with the weights that a RUN folder, an .onnx or a .safetensors file has for it, by name
 * and shape. Throws an InputError where the file has none for a parameter that is not allowed to stay as it
 * was drawn.
 */
export async function initialisedFrom(
  path: string,
  model: Model,
  allowMissing: readonly string[],
): Promise<Initialised> {
  const source = await weightsIn(path.replace(/^run:/, ""));
  const made = withHint(path, () => transferParameters(source, model, { allowMissing }));
  const { taken, skipped, missing } = made;
  const all = parametersOf(model).length;
  const reasons = [...new Set(skipped.map(({ why }) => why))].slice(0, 3).join("; ");
  const left = missing.slice(0, SHOWN).join(", ") + (missing.length > SHOWN ? " …" : "");
  const summary = [
    `${taken.length} of ${all} parameters are from ${path}`,
    skipped.length > 0 && `${skipped.length} of its own were skipped (${reasons})`,
    missing.length > 0 && `${missing.length} stay as they were drawn: ${left}`,
  ];
  return { ...made, summary: summary.filter((part) => part !== false).join(", ") };
}

/**
 * The tokenizer that lies beside weights. Throws an InputError where there is none: rows of an embedding mean
 * nothing without the vocabulary they were trained with.
 */
export async function tokenizerBeside(path: string): Promise<TokenizerFiles> {
  const bare = path.replace(/^run:/, "");
  const isFolder = await stat(bare).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const folder = isFolder ? bare : dirname(bare);
  const read = async (name: string) => {
    try {
      return await readJsonFile(join(folder, name), TOKENIZER_LIMIT);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return null;
    }
  };
  const json = await read("tokenizer.json");
  if (json === null)
    throw new InputError(
      `${path}: there is no tokenizer.json beside these weights, and embeddings mean nothing without their vocabulary; put it there`,
    );
  return { json, config: await read("tokenizer_config.json") };
}

async function weightsIn(path: string): Promise<Model | Parameters> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    const file = isFolder ? join(path, "model.onnx") : path;
    const bytes = await readFile(file);
    if (!/\.safetensors$/.test(file)) return readModel(bytes, { source: file });
    const { tensors } = readSafetensors(bytes, file);
    return tensors as ReadonlyMap<string, Tensor>;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw error;
    throw new InputError(
      `${path} has no weights to start from; give a RUN folder, an .onnx or a .safetensors file`,
    );
  }
}

function withHint(path: string, work: () => Transferred): Transferred {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${path}: ${error.message}; on the command line --allow-missing PATTERN allows it`, {
      cause: error,
    });
  }
}

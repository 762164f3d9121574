import { readFile, stat } from "node:fs/promises";
import { InputError } from "@graft-ml/core";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

const MEBIBYTE = 2 ** 20;

/** Reads a JSON file that holds an object, of at most `limit` bytes; throws an InputError that names the file. */
export async function readJsonFile(path: string, limit = 16 * MEBIBYTE): Promise<JsonObject> {
  const { size } = await stat(path);
  if (size > limit) {
    throw new InputError(`${path} has ${size} bytes; more than ${limit} are not read as JSON`);
  }
  const text = (await readFile(path, "utf8")).replace(/^\uFEFF/, "");
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(`${path} must hold a JSON object, got ${text.slice(0, 40)}`);
  }
  return value as JsonObject;
}

/** Tokenizers of large vocabularies reach tens of megabytes. */
export const TOKENIZER_LIMIT = 256 * MEBIBYTE;

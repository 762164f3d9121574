import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  type ReadVectorsOptions,
  readWordVectors,
  type VectorStorage,
  type VectorsRead,
  vectorFormatOf,
  type WordVectors,
  writeWordVectors,
} from "@graft-ml/core";
import { firstBytes, readBytes } from "../data/bytes.ts";

/** Most bytes of a packed file once unpacked. */
const MOST_UNPACKED = 2 ** 36;

/**
 * Reads a file of word vectors: word2vec's text or binary form, GloVe's text, fastText's `.vec` or `.bin`, or
 * NumPy's `.npz`, gzipped or not; known by its content. Throws an InputError that names the file and the
 * place where something is wrong.
 */
export async function readVectorsFile(path: string, options: ReadVectorsOptions = {}): Promise<VectorsRead> {
  const name = basename(path);
  const magic = await firstBytes(path, name, 2);
  const isPacked = magic[0] === 0x1f && magic[1] === 0x8b;
  const size = isPacked ? null : (await stat(path)).size;
  const chunks = () => readBytes(path, name, isPacked ? MOST_UNPACKED : Number.POSITIVE_INFINITY);
  return await readWordVectors({ name, size, chunks }, options);
}

/**
 * Writes word vectors in the form that the file's name asks for (`.txt`, `.vec`, `.bin`, `.glove`, `.npz`).
 * Its folder is made where there is none, and the file gets its name when it is complete. Throws an
 * InputError where the form cannot hold a word, or where the name asks for none.
 */
export async function writeVectorsFile(
  path: string,
  vectors: WordVectors,
  storage: VectorStorage = "float32",
): Promise<void> {
  const bytes = writeWordVectors(vectors, vectorFormatOf(path), storage);
  const part = `${path}.part`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await pipeline(Readable.from(bytes, { objectMode: true }), createWriteStream(part));
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

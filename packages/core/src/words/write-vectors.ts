import { InputError } from "../errors.ts";
import { writeBinaryVectors } from "./binary-vectors.ts";
import { type VectorStorage, writeNpzVectors } from "./npz-vectors.ts";
import { writeTextVectors } from "./text-vectors.ts";
import type { WordVectors } from "./word-vectors.ts";

/** Forms of a file of vectors that are written. */
export const VECTOR_FORMATS = ["word2vec-text", "word2vec-binary", "glove", "npz"] as const;
/** One of the forms that are written. */
export type VectorFormat = (typeof VECTOR_FORMATS)[number];

/**
 * The form that a file's name asks for: `.txt` and `.vec`, `.bin`, `.glove`, `.npz`. Throws an InputError for
 * other names.
 */
export function vectorFormatOf(path: string): VectorFormat {
  const ending = /\.(txt|vec|bin|glove|npz)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === "txt" || ending === "vec") return "word2vec-text";
  if (ending === "bin") return "word2vec-binary";
  if (ending === "glove" || ending === "npz") return ending;
  throw new InputError(
    `${path}: vectors are written as .txt or .vec (word2vec's text), .bin (its binary form), .glove or .npz; name the file so`,
  );
}

/** The bytes of a file of vectors. Throws an InputError where the form cannot hold them. */
export function writeWordVectors(
  vectors: WordVectors,
  format: VectorFormat,
  storage: VectorStorage = "float32",
): Iterable<Uint8Array> {
  if (storage !== "float32" && format !== "npz")
    throw new InputError(`${format} holds float32 alone; ${storage} is written as .npz`);
  if (format === "npz") return writeNpzVectors(vectors, storage);
  if (format === "word2vec-binary") return writeBinaryVectors(vectors);
  return writeTextVectors(vectors, { header: format === "word2vec-text" });
}

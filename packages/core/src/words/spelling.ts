import { InputError } from "../errors.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The word in the bytes [from, to) of a file; null where they are no UTF-8. */
export function readWord(bytes: Uint8Array, from: number, to: number): string | null {
  let isAscii = true;
  for (let i = from; i < to; i++) if (bytes[i]! > 127) isAscii = false;
  // A word of a few ASCII letters is made faster so than by the decoder.
  if (isAscii && to - from < 32) {
    let word = "";
    for (let i = from; i < to; i++) word += String.fromCharCode(bytes[i]!);
    return word;
  }
  try {
    return strict.decode(bytes.subarray(from, to));
  } catch {
    return null;
  }
}

/** The bytes of a word. */
export function spelled(word: string): Uint8Array {
  return encoder.encode(word);
}

/**
 * Throws an InputError that names the first word a file could not give back: one with blanks, or with half a
 * character.
 */
export function requireWritable(words: readonly string[], where: string): void {
  for (const word of words)
    if (word === "" || /[\s\0]/.test(word) || /[\uD800-\uDFFF]/u.test(word))
      throw new InputError(
        `the word ${JSON.stringify(word)} cannot be written to ${where} of vectors: it is empty, has a blank in it or half a character; write .npz, or take it out`,
      );
}

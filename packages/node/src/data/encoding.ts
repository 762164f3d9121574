import { isUtf8 } from "node:buffer";
import { TextDecoder } from "node:util";
import { fileError } from "./format.ts";

/** Turns bytes into text or says what is wrong with them. */
export interface Decoder {
  /** The name of the encoding, in lower case. */
  readonly encoding: string;
  /** The text of whole lines; null where the bytes are none in this encoding. */
  decode(bytes: Buffer): string | null;
}

/** The decoder of a named encoding; refuses names that nothing is known by. */
export function decoder(encoding: string, file: string): Decoder {
  if (/^utf-?8$/i.test(encoding)) {
    return { encoding: "utf-8", decode: (bytes) => (isUtf8(bytes) ? bytes.toString("utf8") : null) };
  }
  let strict: TextDecoder;
  try {
    strict = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  } catch {
    throw fileError(
      file,
      `there is no encoding "${encoding}"; pass one like utf-8, windows-1252, gb18030, big5 or shift_jis`,
    );
  }
  return {
    encoding: strict.encoding,
    decode(bytes) {
      try {
        return strict.decode(bytes);
      } catch {
        return null;
      }
    },
  };
}

/** The encoding that a byte-order mark announces, and the mark's length; null without one. */
export function byteOrderMark(bytes: Uint8Array): { encoding: string; length: number } | null {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return { encoding: "utf-8", length: 3 };
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { encoding: "utf-16le", length: 2 };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { encoding: "utf-16be", length: 2 };
  return null;
}

/** What is wrong with a line whose bytes are not text in `encoding`, and what to do about it. */
export function undecodable(line: Buffer, encoding: string): string {
  if (encoding !== "utf-8") {
    return `is no text in ${encoding}; pass the file's own encoding with --encoding, or correct the row`;
  }
  const at = firstInvalid(line);
  const byte = `0x${line[at]!.toString(16).padStart(2, "0")}`;
  const guess = likelyEncoding(line);
  const around = new TextDecoder(guess).decode(line.subarray(Math.max(0, at - 12), at + 12)).trim();
  return `byte ${byte} at position ${at + 1} is not UTF-8; if the file is ${guess} ("…${around}…"), pass --encoding ${guess}, else correct the row`;
}

/** Position of the first byte that is not well-formed UTF-8 (Unicode 16, table 3-7). */
function firstInvalid(bytes: Buffer): number {
  let low = 0;
  // Advance by characters: a prefix that ends between characters is valid exactly up to the first bad one.
  while (low < bytes.length) {
    const lead = bytes[low]!;
    const length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (!isUtf8(bytes.subarray(low, low + length))) return low;
    low += length;
  }
  return bytes.length - 1;
}

/** The encoding to suggest: GB 18030 where the bytes make Chinese of it, else windows-1252, which takes any byte. */
function likelyEncoding(line: Buffer): string {
  const chinese = decoder("gb18030", "").decode(line);
  const high = line.filter((byte) => byte >= 0x80).length;
  const han = chinese?.match(/\p{Script=Han}/gu)?.length ?? 0;
  return han >= 2 && han * 2 >= high * 0.7 && high > line.length / 4 ? "gb18030" : "windows-1252";
}

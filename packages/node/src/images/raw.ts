import { readFile, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type Input, InputError } from "@graft-ml/core";

const unpack = promisify(gunzip);

/** A file held whole, until another takes its place or it changes. */
interface Held {
  readonly size: number;
  readonly modified: number;
  readonly bytes: Promise<Uint8Array>;
}

const held = new Map<string, Held>();
/** Training and test file of a pair, and one more. */
const MOST_FILES = 3;
const MOST_BYTES = 2 ** 31 - 1;

/**
 * The bytes of an uncompressed image inside a file, [height, width, channels]. Files are read and unpacked
 * once and the last three are kept; a view of that memory is given, which must not be changed.
 */
export async function readRawImage(input: Extract<Input, { kind: "raw" }>): Promise<Uint8Array> {
  const { path, offset, height, width, channels } = input;
  const bytes = await unpacked(path);
  const end = offset + height * width * channels;
  if (end > bytes.length)
    throw new InputError(
      `${path}: holds ${bytes.length} bytes, but an image was to end at byte ${end}; read the data again`,
    );
  return bytes.subarray(offset, end);
}

async function unpacked(path: string): Promise<Uint8Array> {
  const { size, mtimeMs: modified } = await stat(path).catch((error: Error) => {
    throw new InputError(`${path} cannot be read: ${error.message}`, { cause: error });
  });
  const known = held.get(path);
  if (known?.size === size && known.modified === modified) return await known.bytes;
  const bytes = read(path);
  held.delete(path);
  held.set(path, { size, modified, bytes });
  bytes.catch(() => held.delete(path));
  for (const old of [...held.keys()].slice(0, Math.max(0, held.size - MOST_FILES))) held.delete(old);
  return await bytes;
}

async function read(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await unpack(bytes, { maxOutputLength: MOST_BYTES });
  } catch (error) {
    throw new InputError(`${path}: the gzip data are broken (${(error as Error).message}); fetch it again`);
  }
}

import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError, npyHeader, readNpyHeader } from "@graft-ml/core";

/** Bytes of a key: SHA-256. */
const KEY = 32;
const OPEN_FILES = 8;

/**
 * Feature rows by content, in a folder: segments of some hundred rows, each a `NAME.npy` [n, D] and a
 * `NAME.keys` of n SHA-256 sums that is written after it. A segment without keys is a leftover of a write
 * that was killed, and ignored. Names are made of the content, so that processes that fill one folder
 * together do no harm to each other.
 */
export interface Segments {
  readonly dimension: number | null;
  has(key: string): boolean;
  /** Keeps rows [keys.length, dimension]. */
  add(keys: readonly string[], values: Float32Array): Promise<void>;
  /** Copies the rows of `keys` into `into` [keys.length, dimension]. */
  read(keys: readonly string[], into: Float32Array): Promise<void>;
  close(): Promise<void>;
}

interface Place {
  readonly file: string;
  readonly row: number;
}

/** Opens the segments in a folder, which is made where it does not exist. */
export async function openSegments(folder: string): Promise<Segments> {
  await mkdir(folder, { recursive: true });
  const places = new Map<string, Place>();
  let dimension: number | null = null;
  const starts = new Map<string, number>();
  for (const name of (await readdir(folder)).sort()) {
    if (!name.endsWith(".keys")) continue;
    const keys = await readFile(join(folder, name));
    const file = name.replace(/keys$/, "npy");
    const header = await headerOf(join(folder, file)).catch(() => null);
    const count = keys.length / KEY;
    // Damaged or torn: as if it were not there, so that its rows are computed again.
    const isWhole =
      header !== null &&
      Number.isInteger(count) &&
      header.shape[0] === count &&
      header.isWhole &&
      isNamed(name, keys);
    if (!isWhole || (dimension !== null && dimension !== header.shape[1])) continue;
    dimension = header.shape[1]!;
    starts.set(file, header.start);
    for (let row = 0; row < count; row++)
      places.set(keys.toString("hex", row * KEY, (row + 1) * KEY), { file, row });
  }
  const handles = new Map<string, FileHandle>();
  const handle = async (file: string): Promise<FileHandle> => {
    const known = handles.get(file);
    if (known !== undefined) return known;
    const opened = await open(join(folder, file));
    handles.set(file, opened);
    for (const [old, one] of [...handles].slice(0, Math.max(0, handles.size - OPEN_FILES))) {
      handles.delete(old);
      await one.close();
    }
    return opened;
  };
  return {
    get dimension() {
      return dimension;
    },
    has: (key) => places.has(key),
    async add(keys, values) {
      if (keys.length === 0) return;
      const columns = values.length / keys.length;
      if (dimension !== null && dimension !== columns)
        throw new InputError(
          `features have ${columns} numbers a row where ${dimension} were kept before (${folder})`,
        );
      dimension = columns;
      const sums = Buffer.from(keys.join(""), "hex");
      const name = nameOf(sums);
      const header = npyHeader([keys.length, columns]);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      await place(join(folder, `${name}.npy`), [header, bytes]);
      await place(join(folder, `${name}.keys`), [sums]);
      starts.set(`${name}.npy`, header.length);
      for (const [row, key] of keys.entries()) places.set(key, { file: `${name}.npy`, row });
    },
    async read(keys, into) {
      const columns = dimension ?? 0;
      for (let from = 0; from < keys.length; ) {
        const { file, row } = places.get(keys[from]!)!;
        // Neighbours in the segment are read at once.
        let to = from + 1;
        for (let next: Place | undefined; to < keys.length; to++) {
          next = places.get(keys[to]!);
          if (next?.file !== file || next.row !== row + to - from) break;
        }
        const target = into.subarray(from * columns, to * columns);
        const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
        const { bytesRead } = await (await handle(file)).read(
          bytes,
          0,
          bytes.length,
          starts.get(file)! + row * columns * 4,
        );
        if (bytesRead !== bytes.length)
          throw new InputError(`${join(folder, file)} became shorter; delete ${folder}`);
        from = to;
      }
    },
    async close() {
      for (const one of handles.values()) await one.close();
      handles.clear();
    },
  };
}

function nameOf(keys: Uint8Array): string {
  return createHash("sha256").update(keys).digest("hex").slice(0, 32);
}

function isNamed(file: string, keys: Uint8Array): boolean {
  return file === `${nameOf(keys)}.keys`;
}

async function headerOf(path: string) {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(Math.min(size, 4096));
    await file.read(bytes, 0, bytes.length, 0);
    const header = readNpyHeader(bytes, path);
    const isWhole = size === header.start + 4 * header.shape.reduce((a, b) => a * b, 1);
    return { ...header, isWhole: isWhole && header.dtype === "float32" && header.shape.length === 2 };
  } finally {
    await file.close();
  }
}

/** Writes a file whole or not at all: under another name, flushed to the disk, renamed. */
export async function place(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.part`;
  const file = await open(temporary, "w");
  try {
    for await (const part of parts) await file.writeFile(part);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { fileError, limits } from "./format.ts";

const BLOCK = 2 ** 20;

/**
 * The bytes of a file, unpacked where it is gzip (known by its first bytes, not its name), in blocks of up to 1 MiB.
 * Throws an InputError where the file cannot be opened, is broken, or holds more than `limit` bytes once unpacked.
 */
export async function* readBytes(
  path: string,
  name: string,
  limit: number = limits.file,
): AsyncGenerator<Buffer, void> {
  const packed = await isGzip(path, name);
  const file = createReadStream(path, { highWaterMark: BLOCK });
  const stream = packed ? pipeline(file, createGunzip({ chunkSize: BLOCK }), () => {}) : file;
  let total = 0;
  try {
    for await (const chunk of stream) {
      total += (chunk as Buffer).length;
      if (total > limit) break;
      yield chunk as Buffer;
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith("Z_")) {
      throw fileError(name, `the gzip data are broken (${message}); fetch or pack the file again`);
    }
    if (code !== undefined && "syscall" in (error as object)) throw fileError(name, unreadable(code));
    throw error;
  } finally {
    file.destroy();
  }
  if (total > limit) {
    throw fileError(
      name,
      `holds more than ${size(limit)}${packed ? " once unpacked" : ""}; split it, or check that it is what it says`,
    );
  }
}

/** The first bytes of a file as they lie on the disk, at most `count`. */
export async function firstBytes(path: string, name: string, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  try {
    const file = await open(path);
    try {
      const { bytesRead } = await file.read(bytes, 0, count, 0);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw fileError(name, unreadable(code));
  }
}

async function isGzip(path: string, name: string): Promise<boolean> {
  const magic = await firstBytes(path, name, 2);
  return magic[0] === 0x1f && magic[1] === 0x8b;
}

function unreadable(code: string): string {
  if (code === "ENOENT") return "there is no such file; check the path";
  if (code === "EACCES" || code === "EPERM") return "this user may not read it; change its permissions";
  if (code === "EISDIR") return "is a folder where a file is expected";
  return `cannot be read (${code})`;
}

/** Bytes in words: "2 GiB". */
export function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 10 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

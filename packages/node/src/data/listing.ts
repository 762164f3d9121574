import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { naturalCompare } from "@graft-ml/core";
import { fileError } from "./format.ts";

/** What a folder holds, in natural order, without hidden files and what systems leave behind. */
export interface Listing {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

const leftBehind = new Set(["thumbs.db", "desktop.ini", "__macosx"]);
const MAX_DEPTH = 32;

export async function listFolder(path: string, name: string): Promise<Listing> {
  const folders: string[] = [];
  const files: string[] = [];
  try {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.name.startsWith(".") || leftBehind.has(entry.name.toLowerCase())) continue;
      const kind = entry.isSymbolicLink() ? await stat(join(path, entry.name)).catch(() => null) : entry;
      if (kind?.isDirectory()) folders.push(entry.name);
      else if (kind?.isFile()) files.push(entry.name);
    }
  } catch (error) {
    throw fileError(name, `this folder cannot be listed (${(error as NodeJS.ErrnoException).code})`);
  }
  return { folders: folders.sort(naturalCompare), files: files.sort(naturalCompare) };
}

/**
 * Every file under a folder as a path relative to it, with "/", in natural order; a link back up is followed
 * once.
 */
export async function* filesUnder(path: string, name: string): AsyncGenerator<string, void> {
  yield* walk(path, name, "", new Set(), 0);
}

async function* walk(
  root: string,
  name: string,
  inner: string,
  seen: Set<string>,
  depth: number,
): AsyncGenerator<string, void> {
  const real = await realpath(join(root, inner));
  if (seen.has(real)) return;
  seen.add(real);
  if (depth > MAX_DEPTH) throw fileError(name, `its folders are nested deeper than ${MAX_DEPTH}`);
  const { folders, files } = await listFolder(join(root, inner), name);
  for (const file of files) yield inner === "" ? file : `${inner}/${file}`;
  for (const folder of folders)
    yield* walk(root, name, inner === "" ? folder : `${inner}/${folder}`, seen, depth + 1);
}

/** What an ending says of a file: an image that can be decoded, one that cannot, a text, or something else. */
export function kindOfFile(name: string): "image" | "foreign image" | "text" | "other" {
  const ending = name.toLowerCase().split(".").at(-1)!;
  if (["jpg", "jpeg", "jfif", "png", "webp", "gif", "tif", "tiff", "avif", "bmp"].includes(ending))
    return "image";
  if (["heic", "heif", "svg", "ico", "psd", "raw", "cr2", "nef"].includes(ending)) return "foreign image";
  return ending === "txt" ? "text" : "other";
}

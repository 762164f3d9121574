import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/**
 * The hash a file's content is stored under: its SHA-256 where the repository keeps it in large-file storage,
 * otherwise git's blob hash, SHA-1 of "blob <size>\0" and the content. Lower-case hexadecimal, 64 or 40
 * digits.
 */
export type ContentHash = string;

/** Whether text, an ETag or the name of a blob, is such a hash. */
export function isContentHash(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** Whether a file's content has the hash; reads it once, in pieces. */
export async function hasContent(
  path: string,
  hash: ContentHash,
  signal: AbortSignal | null,
): Promise<boolean> {
  const isGit = hash.length === 40;
  const digest = createHash(isGit ? "sha1" : "sha256");
  if (isGit) digest.update(`blob ${(await stat(path)).size}\0`);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    digest.update(piece);
  }
  return digest.digest("hex") === hash;
}

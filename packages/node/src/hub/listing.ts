import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type ContentHash, isContentHash } from "./checksum.ts";
import { isRunning } from "./lock.ts";
import { isCommit } from "./reference.ts";
import { get, HubFailure, readJson, retrying } from "./request.ts";
import type { HubSettings } from "./settings.ts";

/** A file of a repository at a commit. */
export interface ListedFile {
  /** Bytes of its content. */
  readonly size: number;
  /** Hash of its content, under which the cache keeps it. */
  readonly hash: ContentHash;
}

/** Every file of a repository at one commit, by path. It never changes, so the cache keeps it for good. */
export type Listing = ReadonlyMap<string, ListedFile>;

/** An entry as Python's huggingface_hub writes it to `trees/<commit>.json`. */
interface TreeEntry {
  readonly size: number;
  readonly blob_id: string;
  readonly lfs_sha256?: string;
  readonly lfs_size?: number;
  readonly xet_hash?: string;
}

const FORMAT_VERSION = 1;
const MAX_JSON_BYTES = 32 * 2 ** 20;
const MAX_PAGES = 100;

/** The commit a branch or tag is at. */
export async function fetchCommit(settings: HubSettings, repo: string, revision: string): Promise<string> {
  const address = `${settings.endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}`;
  const info = await retrying(settings, () => getJson(settings, address));
  const sha = (info.value as { sha?: unknown } | null)?.sha;
  if (typeof sha !== "string" || !isCommit(sha)) throw unexpected(address, "names no commit");
  return sha;
}

/** Asks the hub for the files at a commit and keeps the answer in the cache's folder of the repository. */
export async function fetchListing(
  settings: HubSettings,
  repo: string,
  commit: string,
  folder: string,
): Promise<Listing> {
  const entries = new Map<string, TreeEntry>();
  let address = `${settings.endpoint}/api/models/${repo}/tree/${commit}?recursive=true`;
  for (let page = 0; address !== ""; page++) {
    if (page === MAX_PAGES) throw unexpected(address, `has more than ${MAX_PAGES} pages`);
    const { value, next } = await retrying(settings, () => getJson(settings, address));
    if (!Array.isArray(value)) throw unexpected(address, "is no list of files");
    for (const item of value) readItem(item, entries, address);
    address = next;
  }
  const path = treePath(folder, commit);
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, JSON.stringify({ format_version: FORMAT_VERSION, files: sorted(entries) }, null, 1));
  return toListing(entries);
}

/** The listing kept in the cache, by this client or by Python's; null where there is none that can be read. */
export async function cachedListing(folder: string, commit: string): Promise<Listing | null> {
  try {
    const text = await readFile(treePath(folder, commit), "utf8");
    const tree = JSON.parse(text) as { format_version?: unknown; files?: Record<string, TreeEntry> };
    if (tree.format_version !== FORMAT_VERSION) return null;
    return toListing(new Map(Object.entries(tree.files ?? {})));
  } catch {
    return null; // absent or damaged: the hub is asked again
  }
}

/**
 * Writes a small file so that a reader finds the old one or the new one, whole; takes away what a killed
 * writer left.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomUUID().slice(0, 8)}.tmp`;
  await writeFile(temporary, text);
  await rename(temporary, path);
  const beginning = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(beginning)) continue;
    const [, pid] = /^(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name.slice(beginning.length)) ?? [];
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dirname(path), name), { force: true });
  }
}

function treePath(folder: string, commit: string): string {
  return join(folder, "trees", `${commit}.json`);
}

async function getJson(settings: HubSettings, address: string): Promise<{ value: unknown; next: string }> {
  return await get(settings, address, {}, async (answer) => {
    const value = await readJson(answer, address, MAX_JSON_BYTES);
    const link = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    return { value, next: link === undefined ? "" : new URL(link, address).href };
  });
}

function readItem(item: unknown, entries: Map<string, TreeEntry>, address: string): void {
  const { type, path, size, oid, lfs, xetHash } = item as Record<string, unknown>;
  if (type !== "file") return;
  const stored = lfs as { oid?: unknown; size?: unknown } | undefined;
  if (typeof path !== "string" || typeof size !== "number" || typeof oid !== "string") {
    throw unexpected(address, "has an entry without path, size or hash");
  }
  entries.set(path, {
    size,
    blob_id: oid,
    ...(stored === undefined ? {} : { lfs_sha256: String(stored.oid), lfs_size: Number(stored.size) }),
    ...(typeof xetHash === "string" && /^[0-9a-f]{64}$/.test(xetHash) ? { xet_hash: xetHash } : {}),
  });
}

function toListing(entries: ReadonlyMap<string, TreeEntry>): Listing {
  const listing = new Map<string, ListedFile>();
  for (const [path, entry] of entries) {
    const hash = entry.lfs_sha256 ?? entry.blob_id;
    const size = entry.lfs_size ?? entry.size;
    if (!isContentHash(hash) || !Number.isSafeInteger(size) || size < 0) {
      throw new HubFailure(`the listing gives ${JSON.stringify(path)} no usable hash and size`, {
        passing: false,
      });
    }
    listing.set(path, { size, hash });
  }
  return listing;
}

function sorted(entries: ReadonlyMap<string, TreeEntry>): object {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function unexpected(address: string, why: string): HubFailure {
  return new HubFailure(`the answer of ${address} ${why}; is HF_ENDPOINT a hub?`, { passing: false });
}

import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { InputError } from "@graft-ml/core";
import { hasContent, isContentHash } from "./checksum.ts";
import { download } from "./download.ts";
import { explain } from "./explain.ts";
import { cachedListing, fetchCommit, fetchListing, type ListedFile, writeWhole } from "./listing.ts";
import { locked } from "./lock.ts";
import { type HubReference, isCommit, requireInside } from "./reference.ts";
import { HubFailure } from "./request.ts";
import type { HubSettings } from "./settings.ts";

/** A repository at one commit, as far as it is needed: files come to the cache when they are asked for. */
export interface Snapshot {
  readonly repo: string;
  readonly commit: string;
  /** Folder of this commit in the cache, with the repository's own file names. */
  readonly folder: string;
  /** Paths of the repository's files; where the hub cannot be asked, those in the cache. */
  readonly names: readonly string[];
  /** What people should know: the hub was out of reach, a damaged file was fetched again. */
  readonly notes: readonly string[];
  /** Bytes of a file, null where only its presence in the cache is known. */
  size(name: string): number | null;
  /**
   * Paths on disk of the named files, whose content was checked against its hash; those missing are fetched.
   * Throws an InputError where one can be neither found nor fetched.
   */
  fetch(names: readonly string[]): Promise<string[]>;
  /**
   * Makes this commit the one the revision stands for when offline. To be called once all that is needed is
   * there.
   */
  keep(): Promise<void>;
}

/**
 * Opens a repository in the cache, which has the layout of Python's huggingface_hub: `refs/<branch>` holds a commit,
 * `snapshots/<commit>/<path>` points to `blobs/<hash>`, `trees/<commit>.json` lists the files. The cache goes first: the
 * network is used for what it lacks only, so a branch stays at its commit until `settings.refresh`.
 */
export async function openSnapshot(reference: HubReference, settings: HubSettings): Promise<Snapshot> {
  const { repo, revision } = reference;
  const storage = join(settings.cache, `models--${repo.replace("/", "--")}`);
  const notes: string[] = [];
  const known = isCommit(revision) ? revision : await readRef(storage, revision);
  if (known !== null && (!settings.refresh || isCommit(revision))) {
    const listing = await cachedListing(storage, known);
    if (listing !== null) return snapshot({ reference, settings, storage, commit: known, listing, notes });
  }
  let failure: HubFailure | null = null;
  if (!settings.offline) {
    try {
      const isOpen = known === null || (settings.refresh && !isCommit(revision));
      const commit = isOpen ? await fetchCommit(settings, repo, revision) : known;
      const listing = await fetchListing(settings, repo, commit, storage);
      return snapshot({ reference, settings, storage, commit, listing, notes });
    } catch (error) {
      if (!(error instanceof HubFailure)) throw error;
      if (known === null || !error.passing) throw explain(error, reference, settings);
      failure = error;
      notes.push(`${error.message}; hf:${repo} is used as the cache has it`);
    }
  }
  const names = known === null ? [] : await filesUnder(join(storage, "snapshots", known));
  if (known === null || names.length === 0) {
    if (failure !== null) throw explain(failure, reference, settings);
    throw new InputError(
      `hf:${repo}: revision ${revision} is not in the cache (${settings.cache}) and the network is off; run once without HF_HUB_OFFLINE, or copy that folder from a machine that has it`,
    );
  }
  const listing = new Map(names.map((name) => [name, null]));
  return snapshot({ reference, settings, storage, commit: known, listing, notes });
}

interface Opened {
  readonly reference: HubReference;
  readonly settings: HubSettings;
  readonly storage: string;
  readonly commit: string;
  readonly listing: ReadonlyMap<string, ListedFile | null>;
  readonly notes: string[];
}

function snapshot(opened: Opened): Snapshot {
  const { reference, storage, commit, listing, notes } = opened;
  const { repo, revision } = reference;
  return {
    repo,
    commit,
    folder: join(storage, "snapshots", commit),
    names: [...listing.keys()],
    notes,
    size: (name) => listing.get(name)?.size ?? null,
    async fetch(names) {
      const missing: string[] = [];
      for (const name of names) {
        requireInside(`hf:${repo}`, name);
        if (!listing.has(name)) throw new InputError(`hf:${repo} has no file ${name} at ${revision}`);
        if (!(await isThere(opened, name))) missing.push(name);
      }
      if (missing.length > 0) await fetchAll(opened, missing);
      return names.map((name) => pointerOf(opened, name));
    },
    async keep() {
      if (isCommit(revision)) return;
      const path = join(storage, "refs", ...revision.split("/"));
      if ((await readRef(storage, revision)) === commit) return;
      await mkdir(dirname(path), { recursive: true });
      await writeWhole(path, commit);
    },
  };
}

/** Whether the cache has the file with its right content; removes one with another content. */
async function isThere(opened: Opened, name: string): Promise<boolean> {
  const pointer = pointerOf(opened, name);
  const target = await readlink(pointer).catch(() => null);
  const content = target === null ? pointer : join(dirname(pointer), target);
  if (!(await exists(content))) return false;
  const hash = opened.listing.get(name)?.hash ?? basename(content);
  // A file that was moved here for want of links, listed nowhere, has nothing to be checked against.
  if (!isContentHash(hash) || (await hasContent(content, hash, opened.settings.signal))) return true;
  if (opened.settings.offline) {
    throw new InputError(
      `${pointer}: the content is damaged (it is not what its hash ${hash} says); delete it and run once with the network on`,
    );
  }
  opened.notes.push(`${pointer} was damaged and is fetched again`);
  await rm(content, { force: true });
  await rm(pointer, { force: true });
  return false;
}

async function fetchAll(opened: Opened, names: readonly string[]): Promise<void> {
  const { reference, settings, commit, listing } = opened;
  const files = names.map((name) => ({ name, file: listing.get(name) ?? null }));
  const total = files.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
  let done = 0;
  for (const { name, file } of files) {
    if (settings.offline || file === null) {
      throw new InputError(
        `hf:${reference.repo}: ${name} is not in the cache (${settings.cache}) at ${commit} and the hub cannot be asked; run once with the network on`,
      );
    }
    if (file.size > settings.maxBytes) {
      throw new InputError(
        `hf:${reference.repo}: ${name} has ${file.size} bytes, more than the ${settings.maxBytes} that are fetched at most; download it by hand and pass the folder`,
      );
    }
    await fetchOne(opened, name, file, (there) =>
      settings.onProgress?.(`download hf:${reference.repo}`, done + there, total),
    );
    done += file.size;
  }
}

async function fetchOne(
  opened: Opened,
  name: string,
  file: ListedFile,
  onBytes: (there: number) => void,
): Promise<void> {
  const { reference, settings, storage, commit } = opened;
  const blob = join(storage, "blobs", file.hash);
  const lock = join(settings.cache, ".locks", basename(storage), `${file.hash}.graft.lock`);
  const encoded = name.split("/").map(encodeURIComponent).join("/");
  const address = `${settings.endpoint}/${reference.repo}/resolve/${commit}/${encoded}`;
  await mkdir(dirname(blob), { recursive: true });
  try {
    await locked(lock, settings.signal, async () => {
      if (!(await hasBlob(blob, file, settings))) {
        const partial = `${blob}.graft.incomplete`;
        await download(settings, address, file, partial, onBytes);
        await rename(partial, blob);
      }
      onBytes(file.size);
      await point(pointerOf(opened, name), blob, settings.symlinks);
    });
  } catch (error) {
    throw error instanceof HubFailure ? explain(error, reference, settings) : error;
  }
}

/**
 * Whether the blob is there: a file of the same content in another commit, or fetched by another process
 * meanwhile.
 */
async function hasBlob(blob: string, file: ListedFile, settings: HubSettings): Promise<boolean> {
  try {
    if ((await stat(blob)).size === file.size && (await hasContent(blob, file.hash, settings.signal)))
      return true;
    await rm(blob, { force: true });
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Lets `pointer` lead to `blob`: a relative link, or the file itself where the platform has no links. */
async function point(pointer: string, blob: string, symlinks: boolean): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  const target = relative(dirname(pointer), blob);
  if (symlinks) {
    if ((await readlink(pointer).catch(() => null)) === target) return;
    await rm(pointer, { force: true });
    try {
      await symlink(target, pointer);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return; // another process, the same commit: the same content
      if (code !== "EPERM" && code !== "ENOSYS" && code !== "EOPNOTSUPP") throw error;
    }
  }
  await rename(blob, pointer);
}

function pointerOf({ storage, commit }: Opened, name: string): string {
  return join(storage, "snapshots", commit, ...name.split("/"));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}

async function readRef(storage: string, revision: string): Promise<string | null> {
  try {
    const commit = (await readFile(join(storage, "refs", ...revision.split("/")), "utf8")).trim();
    return isCommit(commit) ? commit : null;
  } catch {
    return null;
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
  } catch {
    return [];
  }
}

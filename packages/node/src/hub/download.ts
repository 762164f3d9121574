import { type FileHandle, open, rm, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError } from "@graft-ml/core";
import { hasContent, isContentHash } from "./checksum.ts";
import type { ListedFile } from "./listing.ts";
import { type Answer, get, HubFailure, pause } from "./request.ts";
import type { HubSettings } from "./settings.ts";

const MAX_DAMAGED = 3;

/**
 * Brings a file's content to `path`, going on from what is already there, and returns once its hash is right.
 * What arrived stays on disk when this throws or the process dies, so the next call goes on from there.
 * `onBytes` is told how many bytes are there. Throws a HubFailure where the hub fails more than
 * `settings.attempts` times without progress.
 */
export async function download(
  settings: HubSettings,
  address: string,
  file: ListedFile,
  path: string,
  onBytes: (there: number) => void,
): Promise<void> {
  await requireSpace(address, file.size, path);
  let failures = 0;
  for (let damaged = 0; ; ) {
    const before = await sizeOf(path);
    try {
      await transfer(settings, address, file, path, onBytes);
    } catch (error) {
      if (!(error instanceof HubFailure) || !error.passing) throw error;
      failures = (await sizeOf(path)) > before ? 1 : failures + 1;
      if (failures >= settings.attempts) throw error;
      await pause(settings, failures, error);
      continue;
    }
    if (await hasContent(path, file.hash, settings.signal)) return;
    await rm(path, { force: true });
    onBytes(0);
    damaged++;
    if (damaged === MAX_DAMAGED) {
      throw new InputError(
        `${address} was received ${damaged} times, and never with the content the hub lists (hash ${file.hash}); something between here and the hub changes it`,
      );
    }
  }
}

/** One request for what is missing. */
async function transfer(
  settings: HubSettings,
  address: string,
  file: ListedFile,
  path: string,
  onBytes: (there: number) => void,
): Promise<void> {
  let have = await sizeOf(path);
  if (have > file.size) {
    await rm(path);
    have = 0;
  }
  onBytes(have);
  if (have === file.size && have > 0) return;
  const range: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
  await get(
    settings,
    address,
    range,
    async (answer) => {
      requireSame(address, answer, file);
      const start = startOf(answer, have, file.size);
      if (start === null) {
        await rm(path, { force: true });
        throw new HubFailure(`${address}: the hub cannot go on at byte ${have}`);
      }
      const output = await open(path, start === 0 ? "w" : "r+");
      try {
        await write(output, start, answer, file, address, onBytes);
      } finally {
        await output.close();
      }
    },
    [416],
  );
}

async function write(
  output: FileHandle,
  start: number,
  answer: Answer,
  file: ListedFile,
  address: string,
  onBytes: (there: number) => void,
): Promise<void> {
  let there = start;
  for await (const piece of answer.body()) {
    if (there + piece.length > file.size) {
      await output.truncate(0);
      throw new HubFailure(`${address} sends more than the ${file.size} bytes the hub lists`);
    }
    let written = 0;
    while (written < piece.length) {
      written += (await output.write(piece, written, piece.length - written, there + written)).bytesWritten;
    }
    there += piece.length;
    onBytes(there);
  }
  if (there < file.size) {
    throw new HubFailure(`${address}: the connection ended after ${there} of ${file.size} bytes`);
  }
}

/** Where the answer's bytes belong: 0 for the whole file, `have` for the missing part, null for anything else. */
function startOf(answer: Answer, have: number, size: number): number | null {
  if (answer.status === 200) return 0;
  if (answer.status === 416) return null;
  // A compressed part counts other bytes than ours.
  if ((answer.headers.get("content-encoding") ?? "identity") !== "identity") return null;
  const [, start, total] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get("content-range") ?? "") ?? [];
  return Number(start) === have && (total === "*" || Number(total) === size) ? have : null;
}

/** The hub announces the content's hash: another one means that its listing and its store disagree. */
function requireSame(address: string, answer: Answer, file: ListedFile): void {
  const tag = answer.first.get("x-linked-etag") ?? answer.first.get("etag") ?? "";
  const hash = tag.replace(/^W\//, "").replaceAll('"', "");
  if (isContentHash(hash) && hash !== file.hash) {
    throw new HubFailure(`${address} now has the content ${hash}, where the hub lists ${file.hash}`);
  }
}

async function requireSpace(address: string, size: number, path: string): Promise<void> {
  const missing = size - (await sizeOf(path));
  const { bavail, bsize } = await statfs(dirname(path));
  if (missing > bavail * bsize) {
    throw new InputError(
      `${address} needs ${missing} bytes more, but the disk of ${dirname(path)} has ${bavail * bsize} left; free some or set HF_HOME to another disk`,
    );
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

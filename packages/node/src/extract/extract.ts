import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  InputError,
  type LoadOptions,
  type Matrix,
  matrix,
  type Preprocessor,
  type Row,
  type Runtime,
  type Session,
} from "@graft-ml/core";
import { compute, named } from "./compute.ts";
import { contentHash } from "./content.ts";
import { type FeatureFormat, writeOutput } from "./output.ts";
import { openSegments, type Segments } from "./segments.ts";

export interface ExtractOptions {
  readonly rows: readonly Row[];
  /** A network cut at a layer: one output, `features` [batch, D]. */
  readonly model: Uint8Array;
  readonly externalData?: LoadOptions["externalData"];
  readonly preprocessor: Preprocessor;
  readonly runtime: Runtime;
  /** Names what `model` was cut from and where: with the preprocessing they make the cache's key. */
  readonly modelHash: string;
  readonly layer: string;
  /** Folder of the cache; null keeps nothing beyond this call, unless `output` does. */
  readonly cache: string | null;
  /** Folder for feature files and manifest.json; without it features are only returned. */
  readonly output?: string;
  readonly format?: FeatureFormat;
  /** Rows a run of the network, and part of the cache's key; `batchOf` where left out. */
  readonly batchSize?: number;
  /** At a row that cannot be read: stop with an InputError that names it, or leave it out and list it. */
  readonly onError?: "stop" | "skip";
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Features of the rows that could be read, in order, on disk until they are asked for. */
export interface ExtractedFeatures {
  /** Number of rows kept, N. */
  readonly rows: number;
  /** D; 0 where no row was kept. */
  readonly dimension: number;
  /** Row numbers kept [N], ascending. */
  readonly kept: Int32Array;
  readonly skipped: readonly string[];
  /** Rows whose features were computed now; the others were read or are equal to one of these. */
  readonly computed: number;
  readonly seconds: number;
  /** Rows a second, computed or read. */
  readonly itemsPerSecond: number;
  /** All features [N, D] in memory. */
  matrix(): Promise<Matrix>;
  /** Features in blocks of at most `size` rows, for sets that do not fit in memory. */
  blocks(size: number): AsyncGenerator<Matrix, void>;
  /** Lets go of files; temporary ones are deleted. */
  close(): Promise<void>;
}

/** After so many rows, bytes or milliseconds, what is computed goes to the disk: a kill loses no more than that. */
const SEGMENT_ROWS = 1024;
const SEGMENT_BYTES = 2 ** 24;
const SEGMENT_MS = 2000;
/** Changes when equal settings come to give other features. */
const VERSION = 1;

/**
 * Features of rows at one layer of a network. Rows stream through: decoding overlaps with the network, and
 * memory holds a few batches whatever the number of rows. What is computed is kept by the content of the row,
 * the preprocessing, the network and the layer, so a second call reads, a changed pixel computes that row,
 * and a killed call goes on where it was, with the same bytes at the end. Throws an InputError that names the
 * row at fault.
 */
export async function extractFeatures(options: ExtractOptions): Promise<ExtractedFeatures> {
  const { rows, onError = "stop", onProgress, signal, output } = options;
  const begin = performance.now();
  const temporary =
    options.cache === null && output === undefined ? await mkdtemp(join(tmpdir(), "graft-")) : null;
  const root = options.cache ?? temporary ?? join(output!, ".work");
  const segments = await openSegments(join(root, cacheKey(options)));
  const network = lazily(() => {
    const { runtime, model, externalData } = options;
    return runtime.load(model, externalData === undefined ? {} : { externalData });
  });
  const release = async () => {
    await network.close();
    await segments.close();
    if (temporary !== null) await rm(temporary, { recursive: true, force: true });
  };
  try {
    const failures = new Map<number, string>();
    const keys = await contentKeys(rows, onError, failures, signal, (key) => {
      // The network loads while the rest is looked up.
      if (!segments.has(key)) void network.get();
    });
    const onDone = (done: number) => onProgress?.(done, rows.length);
    const computed = await fill(options, network.get, segments, keys, failures, onDone);
    await network.close();
    for (const [i, key] of keys.entries()) {
      // A row equal to one that could not be read.
      if (key !== null && !segments.has(key) && !failures.has(i))
        failures.set(i, `${rows[i]!.where}: as an equal row before`);
    }
    const kept = Int32Array.from([...rows.keys()].filter((i) => !failures.has(i)));
    const order = (from: number, to: number) => Array.from(kept.subarray(from, to), (i) => keys[i]!);
    const dimension = segments.dimension ?? 0;
    const read = async (from: number, to: number): Promise<Matrix> => {
      const block = matrix(to - from, dimension);
      await segments.read(order(from, to), block.data);
      return block;
    };
    if (output !== undefined) await writeOutput({ ...options, output, kept, dimension, read });
    const seconds = (performance.now() - begin) / 1000;
    return {
      rows: kept.length,
      dimension,
      kept,
      skipped: [...failures.entries()].sort(([a], [b]) => a - b).map(([, reason]) => reason),
      computed,
      seconds,
      itemsPerSecond: rows.length / Math.max(seconds, 1e-9),
      matrix: () => read(0, kept.length),
      async *blocks(size) {
        for (let at = 0; at < kept.length; at += size) yield await read(at, Math.min(kept.length, at + size));
      },
      async close() {
        await release();
        if (onlyOutput(options)) await rm(join(output!, ".work"), { recursive: true, force: true });
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

function onlyOutput({ cache, output }: ExtractOptions): boolean {
  return cache === null && output !== undefined;
}

/**
 * Rows a run of a network where nothing else is asked for. Of images two: a convolutional network's maps of
 * more do not stay in a core's cache (docs/extraction.md has the figures).
 */
export function batchOf(kind: Preprocessor["kind"]): number {
  return kind === "image" ? 2 : 8;
}

/** Folder of the cache for one network, layer, preprocessing and batch size. */
function cacheKey({
  modelHash,
  layer,
  preprocessor,
  batchSize = batchOf(preprocessor.kind),
  runtime,
}: ExtractOptions): string {
  const parts = [VERSION, modelHash, layer, preprocessor.fingerprint, batchSize, runtime.device];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 40);
}

/** Something made when it is first asked for. */
function lazily(make: () => Promise<Session>) {
  let made: Promise<Session> | null = null;
  return {
    get(): Promise<Session> {
      if (made === null) {
        made = make();
        made.catch(() => {}); // whoever awaits it hears of it
      }
      return made;
    },
    async close(): Promise<void> {
      const session = await made?.catch(() => null);
      made = null;
      await session?.close();
    },
  };
}

const HASHES_IN_FLIGHT = 8;

async function contentKeys(
  rows: readonly Row[],
  onError: "stop" | "skip",
  failures: Map<number, string>,
  signal: AbortSignal | undefined,
  onKey: (key: string) => void,
): Promise<(string | null)[]> {
  const keys = Array<string | null>(rows.length).fill(null);
  let next = 0;
  const lane = async () => {
    while (next < rows.length) {
      signal?.throwIfAborted();
      const i = next++;
      try {
        const key = await contentHash(rows[i]!.input);
        keys[i] = key;
        onKey(key);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        const reason = named(rows[i]!, error);
        if (onError === "stop") throw reason;
        failures.set(i, reason.message);
      }
    }
  };
  await Promise.all(Array.from({ length: HASHES_IN_FLIGHT }, lane));
  return keys;
}

/** Computes what is not kept yet; returns how many rows that were. */
async function fill(
  options: ExtractOptions,
  network: () => Promise<Session>,
  segments: Segments,
  keys: readonly (string | null)[],
  failures: Map<number, string>,
  onDone: (done: number) => void,
): Promise<number> {
  const { rows, runtime, preprocessor, onError = "stop", signal } = options;
  const { batchSize = batchOf(preprocessor.kind) } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new InputError(`batchSize must be a whole number from 1, got ${batchSize}`);
  const wanted: { index: number; key: string }[] = [];
  const listed = new Set<string>();
  for (const [index, key] of keys.entries()) {
    if (key === null || segments.has(key) || listed.has(key)) continue;
    listed.add(key);
    wanted.push({ index, key });
  }
  let done = rows.length - wanted.length;
  onDone(done);
  if (wanted.length === 0) return 0;

  let pending: { keys: string[]; values: Float32Array[] } = { keys: [], values: [] };
  let flushed = performance.now();
  const flush = async () => {
    const { keys: all, values } = pending;
    pending = { keys: [], values: [] };
    flushed = performance.now();
    const joined = new Float32Array(values.reduce((sum, one) => sum + one.length, 0));
    let at = 0;
    for (const one of values) {
      joined.set(one, at);
      at += one.length;
    }
    await segments.add(all, joined);
  };
  let computed = 0;
  try {
    await compute(wanted, {
      rows,
      preprocessor,
      session: network(),
      lanes: runtime.lanes ?? 1,
      batchSize,
      outputs: ["features"],
      onError,
      signal,
      async onBatch(batch, { features }) {
        const { data } = features!;
        pending.keys.push(...batch.map(({ key }) => key));
        pending.values.push(data);
        computed += batch.length;
        onDone((done += batch.length));
        const isFull =
          pending.keys.length >= SEGMENT_ROWS ||
          pending.keys.length * data.byteLength >= SEGMENT_BYTES * batch.length;
        if (isFull || performance.now() - flushed > SEGMENT_MS) await flush();
      },
      onSkip({ index }, reason) {
        failures.set(index, reason);
        onDone(++done);
      },
    });
  } finally {
    if (pending.keys.length > 0) await flush(); // also where it was stopped: the next call goes on from here
  }
  return computed;
}

import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Tokenize, type Vocabulary, WordCounter } from "@graft-ml/core";
import { writeWhole } from "../runs/folder.ts";

/** A corpus as row numbers of its vocabulary on the disk: int32, −1 after every text. */
export interface EncodedCorpus {
  readonly path: string;
  /** Numbers in the file, marks between texts among them. */
  readonly length: number;
  readonly vocabulary: Vocabulary;
  /** Words of the corpus, and those that have a row. */
  readonly tokens: number;
  readonly kept: number;
  readonly distinct: number;
}

/** What an encoding is made with. */
export interface EncodeOptions {
  readonly folder: string;
  /** All that must be the same for an encoding to be used again. */
  readonly about: object;
  readonly tokenize: Tokenize;
  readonly minCount: number;
  readonly maxWords: number | null;
  /** Words that have a row however rare they are. */
  readonly onProgress?: (tokens: number) => void;
  readonly signal?: AbortSignal;
}

const BUFFER = 2 ** 18;
const END = -1;

/**
 * Reads a corpus once: words are counted and written by number of first sight, then numbered anew by frequency, rare ones left
 * out. One that lies in the folder already, made from the same, is used as it is.
 */
export async function encodeCorpus(
  texts: () => AsyncIterable<string>,
  options: EncodeOptions,
): Promise<EncodedCorpus> {
  const { folder, about, tokenize, minCount, maxWords, onProgress, signal } = options;
  await mkdir(folder, { recursive: true });
  const key = createHash("sha256").update(JSON.stringify(about)).digest("hex");
  const manifest = join(folder, "corpus.json");
  const path = join(folder, "corpus.i32");
  const before = await readFile(manifest, "utf8").catch(() => null);
  if (before !== null) {
    const found = JSON.parse(before) as StoredCorpus;
    if (found.key === key) return opened(found, path);
  }
  await rm(manifest, { force: true });
  const first = join(folder, "first.i32");
  const counter = new WordCounter();
  const out = await numberWriter(first);
  for await (const text of texts()) {
    signal?.throwIfAborted();
    const length = out.pending();
    tokenize(text, (token) => out.put(counter.add(token)));
    if (out.pending() !== length) out.put(END);
    if (out.pending() >= BUFFER) {
      await out.flush();
      onProgress?.(counter.total);
    }
  }
  await out.close();
  const { vocabulary, rows } = counter.finish(minCount, maxWords);
  const { length, kept } = await renumbered(first, path, rows);
  await rm(first);
  const stored: StoredCorpus = {
    key,
    length,
    tokens: counter.total,
    kept,
    distinct: counter.distinct,
    words: vocabulary.words,
    counts: [...vocabulary.counts],
  };
  await writeWhole(manifest, JSON.stringify(stored));
  return opened(stored, path);
}

interface StoredCorpus {
  readonly key: string;
  readonly length: number;
  readonly tokens: number;
  readonly kept: number;
  readonly distinct: number;
  readonly words: readonly string[];
  readonly counts: readonly number[];
}

function opened({ words, counts, ...rest }: StoredCorpus, path: string): EncodedCorpus {
  return { ...rest, path, vocabulary: { words, counts: Float64Array.from(counts) } };
}

/** Numbers [from, to) of an encoded corpus. */
export async function readTokens(file: FileHandle, from: number, to: number): Promise<Int32Array> {
  const tokens = new Int32Array(to - from);
  const bytes = new Uint8Array(tokens.buffer);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, 4 * from + done);
    if (bytesRead === 0) throw new Error("the encoded corpus is shorter than it was");
    done += bytesRead;
  }
  return tokens;
}

async function renumbered(
  from: string,
  to: string,
  rows: Int32Array,
): Promise<{ length: number; kept: number }> {
  const source = await open(from);
  const out = await numberWriter(to);
  try {
    const total = (await source.stat()).size / 4;
    let kept = 0;
    let last = END;
    for (let at = 0; at < total; at += BUFFER) {
      const block = await readTokens(source, at, Math.min(total, at + BUFFER));
      for (let i = 0; i < block.length; i++) {
        const row = block[i] === END ? END : rows[block[i]!]!;
        // A word without a row closes the gap; of texts without any word no mark stays.
        if (row === END && (block[i] !== END || last === END)) continue;
        if (row !== END) kept++;
        out.put((last = row));
      }
      await out.flush();
    }
    return { length: await out.close(), kept };
  } finally {
    await source.close();
  }
}

async function numberWriter(path: string) {
  const file = await open(path, "w");
  let numbers = new Int32Array(2 * BUFFER);
  let count = 0;
  let written = 0;
  const flush = async () => {
    await file.writeFile(new Uint8Array(numbers.buffer, 0, 4 * count));
    written += count;
    count = 0;
  };
  return {
    put(number: number) {
      if (count === numbers.length) {
        const larger = new Int32Array(2 * count);
        larger.set(numbers);
        numbers = larger;
      }
      numbers[count++] = number;
    },
    pending: () => count,
    flush,
    async close() {
      await flush();
      await file.close();
      return written;
    },
  };
}

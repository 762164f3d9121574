import { createHash } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Tokenize, type Vocabulary, WordCounter } from "@graft-ml/core";
import { writeWhole } from "../runs/folder.ts";
import { numberWriter, readNumbers } from "./numbers.ts";
import { joinPhrases } from "./phrases.ts";

/** A corpus as row numbers of its vocabulary on the disk: int32, −1 after every text. */
export interface EncodedCorpus {
  readonly path: string;
  /** Numbers in the file, marks between texts among them. */
  readonly length: number;
  readonly vocabulary: Vocabulary;
  /** Words of the corpus, a phrase counted once, and those that have a row. */
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
  /** Passes that join pairs of words, and the score from which on they do. */
  readonly phrases: number;
  readonly phraseThreshold: number;
  readonly onProgress?: (tokens: number) => void;
  readonly signal?: AbortSignal;
}

/** Numbers held before they are written. */
const BUFFER = 2 ** 18;
const END = -1;

/**
 * Reads a corpus once: words are counted and written by number of first sight, joined to phrases where asked,
 * then numbered anew by frequency, rare ones left out. One that lies in the folder already, made from the
 * same, is used as it is.
 */
export async function encodeCorpus(
  texts: () => AsyncIterable<string>,
  options: EncodeOptions,
): Promise<EncodedCorpus> {
  const { folder, about, tokenize, minCount, maxWords, phrases, phraseThreshold, onProgress, signal } =
    options;
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
  let counter = new WordCounter();
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
  for (let pass = 0; pass < phrases; pass++) {
    signal?.throwIfAborted();
    counter = await joinPhrases(first, counter, { least: minCount, threshold: phraseThreshold });
  }
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

async function renumbered(
  from: string,
  to: string,
  rows: Int32Array,
): Promise<{ length: number; kept: number }> {
  const out = await numberWriter(to);
  let kept = 0;
  let last = END;
  for await (const block of readNumbers(from)) {
    for (const number of block) {
      const row = number === END ? END : rows[number]!;
      // A word without a row closes the gap; of texts without any word no mark stays.
      if (row === END && (number !== END || last === END)) continue;
      if (row !== END) kept++;
      out.put((last = row));
    }
    await out.flush();
  }
  return { length: await out.close(), kept };
}

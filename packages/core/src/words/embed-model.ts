import { InputError } from "../errors.ts";
import { random } from "../random.ts";
import { type BlockTrainer, blockTrainer, type EmbedTables } from "./embed-block.ts";
import { contextsOf, trainKernel } from "./embed-kernel.ts";
import { type EmbedLayout, embedLayout } from "./embed-memory.ts";
import type { EmbedSettings } from "./embed-options.ts";
import { huffmanTree } from "./huffman.ts";
import { subwordBuckets } from "./subwords.ts";
import type { Vocabulary } from "./vocabulary.ts";
import { type WordVectors, wordVectors } from "./word-vectors.ts";

/** Word vectors in training: their memory, and what is known of the words. */
export interface EmbedModel {
  readonly settings: EmbedSettings;
  readonly vocabulary: Vocabulary;
  readonly tables: EmbedTables;
  readonly layout: EmbedLayout;
  /** Shared between threads where there are several. */
  readonly memory: WebAssembly.Memory;
  /** All that training changes, inputs and then outputs, as one row of numbers over the memory. */
  readonly parameters: Float32Array;
  /** The vectors as they are now, copied. */
  vectors(): WordVectors;
}

/** What a thread needs to train on a model's memory, to be sent to it. */
export interface EmbedJob {
  readonly settings: EmbedSettings;
  readonly tables: EmbedTables;
  readonly words: number;
  readonly threads: number;
  readonly memory: WebAssembly.Memory;
}

/**
 * A model with inputs drawn from ±½/D and outputs at 0, as word2vec begins. Throws an InputError where it
 * needs more memory than there is.
 */
export function embedModel(
  settings: EmbedSettings,
  vocabulary: Vocabulary,
  { threads = 1, seed = 0 }: { readonly threads?: number; readonly seed?: number } = {},
): EmbedModel {
  if (settings.negative === 0 && !settings.hierarchical)
    throw new InputError("embed: --negative 0 leaves nothing to learn from; add --hierarchical");
  if (settings.longest < settings.shortest)
    throw new InputError(
      `embed: --longest ${settings.longest} is below --shortest ${settings.shortest}; sequences need a length`,
    );
  const { words, counts } = vocabulary;
  const { dim } = settings;
  const layout = embedLayout(words.length, settings, threads);
  const memory = memoryOf(layout.pages, threads > 1);
  const columns = layout.stride / 4;
  const rows = layout.inputRows + layout.outputRows;
  const parameters = new Float32Array(memory.buffer, layout.inputs, rows * columns);
  const source = random(seed).fork("vectors");
  for (let i = 0; i < layout.inputRows; i++)
    for (let d = 0; d < dim; d++) parameters[i * columns + d] = (source.uniform() - 0.5) / dim;
  const tables: EmbedTables = {
    counts,
    tree: settings.hierarchical ? huffmanTree(counts) : null,
    parts: settings.subwords ? partsOf(words, settings) : null,
  };
  const rowInto = (i: number, into: Float32Array, at: number) => {
    for (let d = 0; d < dim; d++) into[at + d]! += parameters[i * columns + d]!;
  };
  return {
    settings,
    vocabulary,
    tables,
    layout,
    memory,
    parameters,
    vectors() {
      const vectors = new Float32Array(words.length * dim);
      for (let i = 0; i < words.length; i++) {
        rowInto(i, vectors, i * dim);
        if (tables.parts === null) continue;
        const { offsets, buckets } = tables.parts;
        const [from, to] = [offsets[i]!, offsets[i + 1]!];
        for (let k = from; k < to; k++) rowInto(words.length + buckets[k]!, vectors, i * dim);
        for (let d = i * dim; d < (i + 1) * dim; d++) vectors[d]! /= 1 + to - from;
      }
      if (tables.parts === null) return wordVectors({ words, dimension: dim, vectors, counts });
      const { shortest, longest, buckets } = settings;
      const table = new Float32Array(buckets * dim);
      for (let b = 0; b < buckets; b++) rowInto(words.length + b, table, b * dim);
      return wordVectors({
        words,
        dimension: dim,
        vectors,
        counts,
        subwords: { shortest, longest, buckets, table },
      });
    },
  };
}

/** What another thread is sent to train on the same memory. */
export function embedJob({ settings, tables, vocabulary, layout, memory }: EmbedModel): EmbedJob {
  return { settings, tables, words: vocabulary.words.length, threads: layout.threads, memory };
}

/** The trainer of one of a job's threads. Throws an InputError where the platform has no vector instructions. */
export function embedWorker(
  { settings, tables, words, threads, memory }: EmbedJob,
  thread: number,
): BlockTrainer {
  const layout = embedLayout(words, settings, threads);
  const kernel = trainKernel(settings.dim, contextsOf(settings.window), memory, threads > 1);
  if (kernel === null)
    throw new InputError("this platform has no WebAssembly with vector instructions, which training needs");
  return blockTrainer(settings, tables, layout, kernel, memory.buffer, thread);
}

function partsOf(words: readonly string[], settings: EmbedSettings): NonNullable<EmbedTables["parts"]> {
  const offsets = new Int32Array(words.length + 1);
  const all: number[] = [];
  for (const [i, word] of words.entries()) {
    for (const bucket of subwordBuckets(word, settings)) all.push(bucket);
    offsets[i + 1] = all.length;
  }
  return { offsets, buckets: Int32Array.from(all) };
}

function memoryOf(pages: number, isShared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({
      initial: pages,
      maximum: isShared ? 65_536 : pages,
      ...(isShared ? { shared: true } : {}),
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(
      `training needs ${(pages / 16_384).toFixed(1)} GiB of memory, which this machine does not give; raise --min-count, or lower --dim`,
    );
  }
}

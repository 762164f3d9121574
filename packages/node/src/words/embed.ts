import { createHash } from "node:crypto";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type EmbedModel,
  type EmbedSettings,
  embedModel,
  embedOptions,
  InputError,
  type MovedWord,
  random,
  resolveSettings,
  startFrom,
  startRate,
  type TokenKind,
  type VectorStorage,
  vectorFormatOf,
  type WordAnchor,
  type WordVectors,
  wordTokenizer,
} from "@graft-ml/core";
import { writeWhole } from "../runs/folder.ts";
import { chooseAnchor, continuedFrom, withOthersOf } from "./continuation.ts";
import { type CorpusOptions, corpusFiles, corpusTexts } from "./corpus.ts";
import { type EmbedBlock, embedThreads } from "./embed-threads.ts";
import { type EncodedCorpus, encodeCorpus } from "./encoded-corpus.ts";
import { readTokens } from "./numbers.ts";
import { writeVectorsFile } from "./vector-files.ts";

/** What `embed` is given beside the settings of training. */
export interface EmbedOptions extends CorpusOptions {
  /** Files and folders of text. */
  readonly corpus: readonly string[];
  /** The file to write, its form by its ending. */
  readonly output: string;
  readonly settings?: Partial<EmbedSettings>;
  readonly storage?: VectorStorage;
  readonly tokens?: TokenKind;
  readonly threads?: number;
  readonly seed?: number;
  /** Vectors to go on from; the length of theirs is that of the result. */
  readonly from?: WordVectors | null;
  /** How strongly their words are held where they are; chosen by the loss of held-out text where left out. */
  readonly anchor?: number | null;
  /** Seconds between checkpoints. */
  readonly checkpointSeconds?: number;
  readonly onProgress?: (task: string, done: number, total: number | null) => void;
}

/** What came of it. */
export interface Embedded {
  readonly vectors: WordVectors;
  readonly corpus: Pick<EncodedCorpus, "tokens" | "kept" | "distinct">;
  readonly seconds: number;
  /** Words of the corpus trained on in a second, all threads together, passes counted each. */
  readonly wordsPerSecond: number;
  /** Share of the training that was done before by a run that was stopped. */
  readonly resumed: number;
  /** What became of the vectors that were gone on from; null where there were none. */
  readonly continued: Continued | null;
}

/** How vectors were gone on from. */
export interface Continued {
  /** Words that had a vector, words that are new, and words of the given vectors that the corpus does not have. */
  readonly old: number;
  readonly added: number;
  readonly untouched: number;
  readonly anchor: number;
  /** Loss of held-out text by strength, where the strength was chosen. */
  readonly losses: readonly { readonly anchor: number; readonly loss: number }[];
  /** The old words that moved farthest, each with a text it is in. */
  readonly moved: readonly (MovedWord & { readonly example: string | null })[];
}

/**
 * Numbers of the corpus a block, and blocks a thread takes before all wait for each other: more where there
 * are others to wait for, fewer where words are to be drawn back in between.
 */
const BLOCK = 16_384;
const ROUND = 32;
const LONG_ROUND = 128;

/**
 * Trains word vectors on a corpus and writes them. What is needed to go on after a kill lies in OUTPUT.work
 * until the file is written: the corpus as numbers, and every so often all that was learnt. One thread gives
 * the same bytes for the same seed, stopped or not.
 */
export async function embed(options: EmbedOptions): Promise<Embedded> {
  const { output, storage = "float32", seed = 0, threads = 1, tokens = "words", signal } = options;
  const { from = null } = options;
  const asked = resolveSettings("embed", embedOptions, options.settings ?? {});
  const settings = from === null ? asked : settingsOf(from, asked);
  const format = vectorFormatOf(output); // refused before an hour of work
  if (storage !== "float32" && format !== "npz")
    throw new InputError(`embed: ${storage} is written as .npz; name the output so`);
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= 256))
    throw new InputError(`embed: threads must be a whole number from 1 to 256, got ${threads}`);
  const folder = `${output}.work`;
  await mkdir(folder, { recursive: true });
  const files = await corpusFiles(options.corpus);
  const { minCount, maxWords, phrases, phraseThreshold } = settings;
  const about = {
    files: files.map(({ path, size, changed }) => [path, size, changed]),
    ...{ minCount, maxWords, phrases, phraseThreshold, tokens },
    ...{ text: options.text, encoding: options.encoding, lines: options.lines },
  };
  const corpus = await encodeCorpus(() => corpusTexts(files, options), {
    folder,
    about,
    tokenize: wordTokenizer(tokens),
    ...{ minCount, maxWords, phrases, phraseThreshold },
    onProgress: (done) => options.onProgress?.("read", done, null),
    ...(signal === undefined ? {} : { signal }),
  });
  const model = embedModel(settings, corpus.vocabulary, { threads, seed });
  const choice =
    from === null ? null : await chooseAnchor(corpus, from, options.anchor ?? null, settings, seed);
  const start = from === null ? null : startFrom(model, from);
  const pulled = start === null ? null : { start, strength: choice!.anchor };
  const key = createHash("sha256")
    .update(JSON.stringify({ about, settings, seed, anchor: choice?.anchor ?? null }))
    .update(from === null ? "" : from.words.join("\n"))
    .digest("hex");
  const resumed = await trainOn(model, corpus, { ...options, folder, key, seed, threads, pulled });
  const learnt = model.vectors();
  const vectors = from === null ? learnt : withOthersOf(learnt, from);
  const continued =
    from === null
      ? null
      : await continuedFrom(from, learnt, choice!, () => corpusTexts(files, options), tokens);
  await writeVectorsFile(output, vectors, storage);
  await rm(folder, { recursive: true, force: true });
  const { tokens: total, kept, distinct } = corpus;
  return { vectors, corpus: { tokens: total, kept, distinct }, ...resumed, continued };
}

/** The settings with the shape of the vectors gone on from: what was asked for otherwise cannot be had. */
function settingsOf({ dimension, subwords }: WordVectors, asked: EmbedSettings): EmbedSettings {
  if (subwords === null && asked.subwords)
    throw new InputError(
      "embed: the vectors gone on from have no sub-words, which cannot be added to them; leave out --subwords",
    );
  const { shortest, longest, buckets } = subwords ?? asked;
  const shape = { dim: dimension, shortest, longest, buckets };
  for (const name of ["dim", "shortest", "longest", "buckets"] as const)
    if (asked[name] !== embedOptions[name].default && asked[name] !== shape[name])
      throw new InputError(
        `embed: ${name} is ${shape[name]} in the vectors gone on from, got ${asked[name]}; leave it out`,
      );
  return { ...asked, ...shape, subwords: subwords !== null };
}

interface Training extends EmbedOptions {
  readonly folder: string;
  readonly key: string;
  readonly seed: number;
  readonly threads: number;
  readonly pulled: { readonly start: WordAnchor; readonly strength: number } | null;
}

/**
 * All passes over the corpus, from where a run with the same key was stopped. Each pass takes the blocks in
 * an order of its own: where they came as they are in the corpus, the last of its files would be what the
 * vectors know best: with 100 novels before 20 000 reviews three of a hundred analogies were lost.
 */
async function trainOn(
  model: EmbedModel,
  corpus: EncodedCorpus,
  { folder, key, seed, threads, pulled, checkpointSeconds = 60, onProgress, signal }: Training,
): Promise<Pick<Embedded, "seconds" | "wordsPerSecond" | "resumed">> {
  const blocks = Math.ceil(corpus.length / BLOCK);
  const total = blocks * model.settings.epochs;
  const state = stateIn(folder, key, model);
  const first = await state.load();
  const words = (block: number) => Math.round((block / blocks) * corpus.tokens);
  const order = (epoch: number) => random(seed).fork(`order ${epoch}`).permutation(blocks);
  const workers = await embedThreads(model, corpus.path);
  const begin = performance.now();
  const size = threads * (threads > 1 && pulled === null ? LONG_ROUND : ROUND);
  let saved = begin;
  let places = order(Math.floor(first / blocks));
  try {
    for (let at = first; at < total; ) {
      const round: EmbedBlock[] = [];
      for (; round.length < size && at < total; at++) {
        const epoch = Math.floor(at / blocks);
        if (at % blocks === 0) places = order(epoch);
        const block = places[at % blocks]!;
        round.push({
          from: block * BLOCK,
          to: Math.min(corpus.length, (block + 1) * BLOCK),
          progress: [at / total, (at + 1) / total],
          random: [seed, epoch, block],
        });
      }
      await workers.train(round);
      if (pulled !== null) await pullBack(corpus, round, pulled, model.settings);
      onProgress?.("train", words(at) - words(first), words(total) - words(first));
      await new Promise((resolve) => setImmediate(resolve)); // signals come in
      const isStopped = signal?.aborted ?? false;
      if ((isStopped || performance.now() - saved > 1000 * checkpointSeconds) && at < total) {
        await state.save(at);
        saved = performance.now();
      }
      signal?.throwIfAborted();
    }
  } finally {
    await workers.close();
  }
  const seconds = (performance.now() - begin) / 1000;
  return {
    seconds,
    wordsPerSecond: (words(total) - words(first)) / seconds,
    resumed: first / total,
  };
}

/** Draws the old words of a round back to where they were. */
async function pullBack(
  corpus: EncodedCorpus,
  round: readonly EmbedBlock[],
  { start, strength }: NonNullable<Training["pulled"]>,
  settings: EmbedSettings,
): Promise<void> {
  const file = await open(corpus.path);
  try {
    for (const { from, to, progress } of round)
      start.pull(await readTokens(file, from, to), startRate(settings) * (1 - progress[0]), strength);
  } finally {
    await file.close();
  }
}

/** What was learnt up to a block, in two files of which one is always whole. */
function stateIn(folder: string, key: string, { parameters }: EmbedModel) {
  const manifest = join(folder, "state.json");
  const bytes = new Uint8Array(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  let turn = 0;
  return {
    async load(): Promise<number> {
      const text = await readFile(manifest, "utf8").catch(() => null);
      if (text === null) return 0;
      const found = JSON.parse(text) as { key: string; at: number; file: string; size: number };
      if (found.key !== key || found.size !== bytes.length) return 0;
      const saved = await readFile(join(folder, found.file));
      if (saved.length !== bytes.length) return 0;
      bytes.set(saved);
      turn = found.file === "state-0.f32" ? 1 : 0;
      return found.at;
    },
    async save(at: number): Promise<void> {
      const file = `state-${turn}.f32`;
      await writeFile(join(folder, file), Uint8Array.from(bytes), { flush: true });
      await writeWhole(manifest, JSON.stringify({ key, at, file, size: bytes.length }));
      turn = 1 - turn;
    },
  };
}

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import {
  fitWordMean,
  InputError,
  type Row,
  type Runtime,
  subwordBuckets,
  type TokenKind,
  takeWords,
  WORD_POOLINGS,
  type WordPooling,
  type WordSequences,
  type WordVectors,
  wordTokenizer,
  wordVectors,
  writeModel,
} from "@graft-ml/core";
import { extractFeatures } from "../extract/index.ts";
import { wordsPreprocessor } from "../texts/index.ts";
import { coverageOf, coverageSentence, readVectorsFile } from "../words/index.ts";
import { extractedFrom } from "./extracted.ts";
import type { Source } from "./source.ts";

/** Word vectors in the package, by the name after `builtin:`. */
const BUILTIN: Readonly<Record<string, { readonly tokens: TokenKind }>> = {
  text: { tokens: "words" },
  "text-zh": { tokens: "characters" },
};

/** The commonest words that go into a model, beside those of the training texts. */
export const MOST_WORDS = 100_000;
/** Numbers of the vectors of character sequences that go into a model: a quarter of a gigabyte. */
const MOST_SEQUENCE_NUMBERS = 2 ** 26;
/** Rows a run: the work of a row is small. */
const BATCH = 64;
/** What the layer of word vectors is called; the ways to pool follow. */
const LAYER = "words";

/** Whether a spec names word vectors. */
export function namesVectors(spec: string): boolean {
  return spec.startsWith("vectors:") || /^builtin:text(-|$)/.test(spec);
}

/** Path of a built-in file of vectors; null where this installation has none of the name. */
export function builtinVectors(name: string): string | null {
  if (!Object.hasOwn(BUILTIN, name)) return null;
  const path = fileURLToPath(new URL(`../../builtin/${name}/vectors.npz`, import.meta.url));
  return existsSync(path) ? path : null;
}

/**
 * The sources over word vectors: a text is the mean of its words' vectors. Without a layer there is one for
 * each way to take the mean, to choose from on training rows, the plain one first; a layer `words.mean`,
 * `words.sif` or `words.tfidf` is that way alone. Words of the training rows and the commonest others are
 * kept. Throws an InputError where the file is none, NoWordKnown where no training text holds a word it
 * knows.
 */
export async function vectorSources(
  spec: string,
  layer: string | null,
  {
    training,
    runtime,
    cache,
  }: { readonly training: readonly Row[]; readonly runtime: Runtime; readonly cache: string | null },
): Promise<Source[]> {
  const { vectors: all, kind, name, notes: found } = await openVectors(spec);
  const texts = training.flatMap(({ input }) => (input.kind === "text" ? [input.text] : []));
  const vectors = withWordsOf(all, texts, kind);
  const sha256 = hashOf(vectors);
  const sequences = sequencesOf(vectors);
  const notes = [...found, coverageSentence(coverageOf(vectors, texts, kind), "the training texts'")];
  return poolingsOf(spec, layer).map((pooling): Source => {
    const fitted = fitWordMean(
      {
        words: vectors.words,
        dimension: vectors.dimension,
        vectors: vectors.vectors,
        counts: vectors.counts,
        sequences,
      },
      texts,
      { pooling, tokens: kind },
    );
    const trunk = fitted.trunk();
    const preprocessor = wordsPreprocessor(fitted.mean);
    let bytes: Uint8Array | null = null;
    return {
      spec,
      name,
      modality: "text",
      sha256,
      commit: null,
      licence: null,
      layer: `${LAYER}.${pooling}`,
      pooling: "auto",
      framing: "stated",
      dimension: vectors.dimension,
      trunk,
      preprocessor,
      batchSize: BATCH,
      notes,
      ...extractedFrom((rows, { onError = "fail", ...reading }) => {
        bytes ??= writeModel(trunk);
        return extractFeatures({
          rows,
          model: bytes,
          preprocessor,
          runtime,
          modelHash: createHash("sha256").update(bytes).digest("hex"),
          layer: `${LAYER}.${pooling}`,
          cache,
          batchSize: BATCH,
          onError: onError === "skip" ? "skip" : "stop",
          ...reading,
        });
      }),
    };
  });
}

/** Word vectors by their spec, and what texts are split into for them. */
export interface OpenedVectors {
  readonly vectors: WordVectors;
  readonly kind: TokenKind;
  /** For people: the file, or builtin:NAME. */
  readonly name: string;
  readonly notes: readonly string[];
}

/** Reads `vectors:FILE` or `builtin:NAME`. Throws an InputError where there is no such file, or no vectors in it. */
export async function openVectors(spec: string): Promise<OpenedVectors> {
  const { path, tokens } = located(spec);
  const { vectors, skippedCount } = await readVectorsFile(path, { onError: "skip" });
  const notes =
    skippedCount > 0 ? [`${basename(path)}: ${skippedCount} rows could not be taken and were left out`] : [];
  const name = spec.startsWith("builtin:") ? spec : basename(path);
  return { vectors, kind: tokens ?? kindOf(vectors), name, notes };
}

function located(spec: string): { path: string; tokens: TokenKind | null } {
  if (spec.startsWith("vectors:")) return { path: spec.slice("vectors:".length), tokens: null };
  const name = spec.slice("builtin:".length);
  const path = builtinVectors(name);
  if (path === null)
    throw new InputError(
      `backbone ${spec}: this installation has no such vectors; there are ${
        Object.keys(BUILTIN)
          .filter((one) => builtinVectors(one) !== null)
          .map((one) => `builtin:${one}`)
          .join(", ") || "none"
      }`,
    );
  return { path, tokens: BUILTIN[name]!.tokens };
}

function poolingsOf(spec: string, layer: string | null): readonly WordPooling[] {
  if (layer === null || layer === "auto") return WORD_POOLINGS;
  const wanted = WORD_POOLINGS.find((pooling) => layer === `${LAYER}.${pooling}`);
  if (wanted !== undefined) return [wanted];
  throw new InputError(
    `layer "${layer}": ${spec} has ${WORD_POOLINGS.map((pooling) => `${LAYER}.${pooling}`).join(", ")}`,
  );
}

/** What texts are split into for vectors: signs where all their Chinese words are single ones. */
export function kindOf({ words }: WordVectors): TokenKind {
  const unspaced = words.filter((word) => /\p{Script=Han}/u.test(word));
  const single = unspaced.filter((word) => [...word].length === 1).length;
  return unspaced.length > 0 && single === unspaced.length ? "characters" : "words";
}

/** The commonest words, and those of the texts, also such as sub-words make up. */
function withWordsOf(all: WordVectors, texts: readonly string[], kind: TokenKind): WordVectors {
  const rows = new Set(Array.from({ length: Math.min(MOST_WORDS, all.words.length) }, (_, i) => i));
  const made: string[] = [];
  for (const token of tokensOf(texts, kind)) {
    const row = all.indexOf(token);
    if (row >= 0) rows.add(row);
    else if (all.vectorOf(token) !== null) made.push(token);
  }
  if (rows.size === all.words.length && made.length === 0) return all;
  const taken = takeWords(
    all,
    [...rows].sort((a, b) => a - b),
  );
  const { dimension, counts, subwords } = all;
  const vectors = new Float32Array(taken.vectors.length + made.length * dimension);
  vectors.set(taken.vectors);
  for (const [i, word] of made.entries())
    vectors.set(all.vectorOf(word)!, taken.vectors.length + i * dimension);
  return wordVectors({
    words: [...taken.words, ...made],
    dimension,
    vectors,
    counts: counts && Float64Array.from([...taken.counts!, ...made.map(() => 1)]),
    subwords,
  });
}

/**
 * The vectors of character sequences that words of the file have; null where it has none, or more than a
 * model should carry.
 */
function sequencesOf({ words, dimension, subwords }: WordVectors): WordSequences | null {
  if (subwords === null) return null;
  const seen = new Set<number>();
  for (const word of words) for (const bucket of subwordBuckets(word, subwords)) seen.add(bucket);
  if (seen.size * dimension > MOST_SEQUENCE_NUMBERS) return null;
  const kept = Int32Array.from(seen).sort();
  const vectors = new Float32Array(kept.length * dimension);
  for (const [i, bucket] of kept.entries())
    vectors.set(subwords.table.subarray(bucket * dimension, (bucket + 1) * dimension), i * dimension);
  const { shortest, longest, buckets } = subwords;
  return { shape: { shortest, longest, buckets }, kept, vectors };
}

function tokensOf(texts: readonly string[], kind: TokenKind): Set<string> {
  const tokens = new Set<string>();
  const tokenize = wordTokenizer(kind);
  for (const text of texts) tokenize(text, (token) => tokens.add(token));
  return tokens;
}

function hashOf({ words, vectors }: WordVectors): string {
  const bytes = new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength);
  return createHash("sha256").update(words.join("\n")).update(bytes).digest("hex");
}

import { open } from "node:fs/promises";
import {
  type EmbedSettings,
  embedJob,
  embedModel,
  embedWorker,
  heldOutLoss,
  movedWords,
  PHRASE_MARK,
  random,
  startFrom,
  startRate,
  type TokenKind,
  type WordVectors,
  wordTokenizer,
  wordVectors,
} from "@graft-ml/core";
import type { Continued } from "./embed.ts";
import type { EncodedCorpus } from "./encoded-corpus.ts";
import { readTokens } from "./numbers.ts";

/** How strongly words may be held: not at all, to hardly moving. */
const STRENGTHS = [0, 0.01, 0.1, 1];
/** Numbers of the corpus that a strength is tried on, and that its loss is taken from. */
const TRIED = 1_000_000;
const HELD_OUT = 50_000;
/** Noise words that the loss goes round. */
const NOISE = 4096;
/** Times a word must have come to be called moved. */
const SEEN = 20;

/**
 * The strength of the anchor by the loss of text that was not trained on: one pass over a part of the corpus
 * for each.
 */
export async function chooseAnchor(
  corpus: EncodedCorpus,
  from: WordVectors,
  given: number | null,
  settings: EmbedSettings,
  seed: number,
): Promise<Pick<Continued, "anchor" | "losses">> {
  if (given !== null) return { anchor: given, losses: [] };
  if (settings.negative === 0) return { anchor: STRENGTHS[1]!, losses: [] }; // the loss is that of noise words
  const file = await open(corpus.path);
  try {
    const length = Math.min(corpus.length, TRIED + HELD_OUT);
    const held = Math.min(HELD_OUT, Math.floor(length / 5));
    const tokens = await readTokens(file, 0, length - held);
    const rest = await readTokens(file, length - held, length);
    const words = corpus.vocabulary.words.length;
    const source = random(seed).fork("held out");
    const noise = Int32Array.from({ length: NOISE }, () => source.integer(words));
    const losses = STRENGTHS.map((anchor) => {
      const model = embedModel(settings, corpus.vocabulary, { seed });
      const start = startFrom(model, from);
      const trainer = embedWorker(embedJob(model), 0);
      const step = 65_536;
      for (let at = 0; at < tokens.length; at += step) {
        const block = tokens.subarray(at, at + step);
        const progress = [at / tokens.length, Math.min(1, (at + step) / tokens.length)] as const;
        trainer.train(block, progress, random(seed).fork(`try/${at}`));
        start.pull(block, startRate(settings) * (1 - progress[0]), anchor);
      }
      return { anchor, loss: heldOutLoss(model, rest, noise) };
    });
    const best = losses.reduce((a, b) => (b.loss < a.loss ? b : a));
    return { anchor: best.anchor, losses };
  } finally {
    await file.close();
  }
}

/** The learnt words, then those of the given vectors that the corpus does not have, as they were. */
export function withOthersOf(learnt: WordVectors, from: WordVectors): WordVectors {
  const others = from.words.flatMap((word, i) => (learnt.indexOf(word) < 0 ? [i] : []));
  const { dimension } = learnt;
  const all = new Float32Array((learnt.words.length + others.length) * dimension);
  all.set(learnt.vectors);
  for (const [k, i] of others.entries())
    all.set(from.vectors.subarray(i * dimension, (i + 1) * dimension), (learnt.words.length + k) * dimension);
  const counts = new Float64Array(learnt.words.length + others.length);
  counts.set(learnt.counts ?? []);
  return wordVectors({
    words: [...learnt.words, ...others.map((i) => from.words[i]!)],
    dimension,
    vectors: all,
    counts,
    subwords: learnt.subwords,
  });
}

/** What became of given vectors: how many words were there, and which moved, with a text that has them. */
export async function continuedFrom(
  from: WordVectors,
  learnt: WordVectors,
  choice: Pick<Continued, "anchor" | "losses">,
  texts: () => AsyncIterable<string>,
  tokens: TokenKind,
): Promise<Continued> {
  const old = learnt.words.filter((word) => from.indexOf(word) >= 0).length;
  const moved = movedWords(from, learnt, SEEN);
  const examples = await examplesOf(new Set(moved.map(({ word }) => word)), texts, tokens);
  return {
    ...choice,
    old,
    added: learnt.words.length - old,
    untouched: from.words.length - old,
    moved: moved.map((one) => ({ ...one, example: examples.get(one.word) ?? null })),
  };
}

/** A text that holds each word, cut to what stands around it. */
async function examplesOf(
  wanted: Set<string>,
  texts: () => AsyncIterable<string>,
  kind: TokenKind,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const tokenize = wordTokenizer(kind);
  if (wanted.size === 0) return found;
  const spoken = (word: string) => word.replaceAll(PHRASE_MARK, " ");
  const phrases = [...wanted].filter((word) => word.includes(PHRASE_MARK));
  for await (const text of texts()) {
    const here: string[] = [];
    tokenize(text, (token) => {
      if (wanted.has(token) && !found.has(token)) here.push(token);
    });
    const lower = text.toLowerCase();
    for (const phrase of phrases) if (!found.has(phrase) && lower.includes(spoken(phrase))) here.push(phrase);
    for (const word of here) {
      const at = Math.max(0, lower.indexOf(spoken(word)));
      const from = Math.max(0, at - 60);
      found.set(
        word,
        text
          .slice(from, at + 80)
          .replace(/\s+/g, " ")
          .trim(),
      );
    }
    if (found.size === wanted.size) break;
  }
  return found;
}

import { describe, expect, test } from "vitest";
import { resolveSettings } from "../options.ts";
import { random } from "../random.ts";
import { embedJob, embedModel, embedWorker } from "./embed-model.ts";
import { type EmbedSettings, embedOptions } from "./embed-options.ts";
import { huffmanTree } from "./huffman.ts";
import { nearestWords } from "./nearest.ts";
import { noiseOf, sampleChances } from "./noise.ts";
import { WordCounter } from "./vocabulary.ts";
import { wordIndex } from "./word-index.ts";

/** Sentences of which each holds words of one of four subjects: words of a subject belong together. */
function subjects(sentences: number) {
  const source = random(5);
  const counter = new WordCounter();
  const tokens: number[] = [];
  for (let i = 0; i < sentences; i++) {
    const subject = source.integer(4);
    for (let k = 0; k < 8; k++) tokens.push(counter.add(`${"abcd"[subject]}${source.integer(6)}ing`));
    tokens.push(-1);
  }
  const { vocabulary, rows } = counter.finish(1, null);
  return { vocabulary, ids: Int32Array.from(tokens, (token) => (token < 0 ? -1 : rows[token]!)) };
}

const { vocabulary, ids } = subjects(3000);

function trained(given: Partial<EmbedSettings>, seed = 1) {
  const settings = resolveSettings("embed", embedOptions, { dim: 12, sample: 0, window: 3, ...given });
  const model = embedModel(settings, vocabulary, { seed });
  const trainer = embedWorker(embedJob(model), 0);
  for (let epoch = 0; epoch < 3; epoch++)
    trainer.train(ids, [epoch / 3, (epoch + 1) / 3], random(seed).fork(epoch));
  return model;
}

/** Share of the five nearest words that are of the word's own subject. */
function purity(given: Partial<EmbedSettings>): number {
  const index = wordIndex(trained(given).vectors());
  const right = vocabulary.words.flatMap((word) =>
    nearestWords(index, word, 5).map((near) => (near.word[0] === word[0] ? 1 : 0) as number),
  );
  return right.reduce((sum, one) => sum + one, 0) / right.length;
}

describe("words of one subject come to lie together", () => {
  const ways: Partial<EmbedSettings>[] = [
    { method: "skipgram" },
    { method: "cbow" },
    { method: "skipgram", negative: 0, hierarchical: true },
    { method: "cbow", negative: 3, hierarchical: true },
    { method: "skipgram", subwords: true, buckets: 500 },
    { method: "cbow", subwords: true, buckets: 500 },
    { method: "skipgram", negative: 17 },
  ];
  test.each(ways)("with %o", (given) => {
    expect(purity({ rate: 0.05, ...given })).toBeGreaterThan(0.95);
  });
});

test("one seed gives the same numbers, another one others", () => {
  const [a, b, c] = [trained({}), trained({}), trained({}, 2)];
  expect(a.parameters).toEqual(b.parameters);
  expect(a.parameters).not.toEqual(c.parameters);
});

test("sub-words make up a word that was never seen", () => {
  const vectors = trained({ subwords: true, buckets: 500 }).vectors();
  expect(vectors.indexOf("a9ing")).toBe(-1);
  const near = nearestWords(wordIndex(vectors), "a9ing", 3);
  expect(near).toHaveLength(3);
  expect(near[0]!.score).toBeGreaterThan(0);
  const word = vocabulary.words[0]!;
  expect(vectors.vectorOf(word)).toHaveLength(12);
});

test("words are counted, cut at a least count and a greatest number, and put in order", () => {
  const counter = new WordCounter();
  for (const word of "b a b c b a d".split(" ")) counter.add(word);
  const { vocabulary: found, rows } = counter.finish(1, 3);
  expect(found.words).toEqual(["b", "a", "c"]);
  expect([...found.counts]).toEqual([3, 2, 1]);
  expect([...rows]).toEqual([0, 1, 2, -1]);
  expect(() => counter.finish(3, null)).toThrow(/7 words, of which 1 occur 3 times/);
  const forgetful = new WordCounter(4);
  for (const word of "x x y y z x w v u x".split(" ")) forgetful.add(word);
  expect(forgetful.finish(2, null).vocabulary.words).toEqual(["x", "y"]);
  expect(forgetful.forgotten).toBeGreaterThan(0);
});

test("noise words come as often as counts to the power of three quarters say", () => {
  const counts = Float64Array.of(1000, 100, 10, 1, 1);
  const { kept, other } = noiseOf(counts);
  const chance = new Float64Array(5);
  for (let i = 0; i < 5; i++) {
    chance[i]! += kept[i]! / 2 ** 32 / 5;
    chance[other[i]!]! += (1 - kept[i]! / 2 ** 32) / 5;
  }
  const total = counts.reduce((sum, count) => sum + count ** 0.75, 0);
  for (let i = 0; i < 5; i++) expect(chance[i]).toBeCloseTo(counts[i]! ** 0.75 / total, 8);
});

test("common words are passed over as word2vec passes over them", () => {
  const [often, seldom] = sampleChances(Float64Array.of(99_000, 1000), 0.01);
  const ratio = 0.01 / 0.99;
  expect(often! / 2 ** 32).toBeCloseTo(Math.sqrt(ratio) + ratio, 10);
  expect(seldom).toBe(2 ** 32);
  expect([...sampleChances(Float64Array.of(5, 1), 0)]).toEqual([2 ** 32, 2 ** 32]);
});

test("the tree's ways are prefixes of no other, shorter for common words, and as long together as Huffman's are", () => {
  const { offsets, nodes, turns } = huffmanTree(Float64Array.of(40, 30, 15, 10, 5));
  const ways = [0, 1, 2, 3, 4].map((i) => [...turns.subarray(offsets[i]!, offsets[i + 1]!)].join(""));
  expect(ways.map((way) => way.length)).toEqual([1, 2, 3, 4, 4]);
  for (const a of ways) for (const b of ways) if (a !== b) expect(b.startsWith(a)).toBe(false);
  expect(new Set(nodes)).toEqual(new Set([0, 1, 2, 3]));
  // All ways begin at the root.
  for (let i = 0; i < 5; i++) expect(nodes[offsets[i]!]).toBe(3);
});

test("settings that leave nothing to learn from are refused", () => {
  expect(() => trained({ negative: 0 })).toThrow(/--hierarchical/);
  expect(() => trained({ subwords: true, shortest: 5, longest: 4 })).toThrow(/below --shortest/);
  expect(() => trained({ subwords: true, dim: 4000, buckets: 2 ** 22 })).toThrow(/GiB to be trained/);
});

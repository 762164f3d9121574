import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Scheme } from "../spans.ts";
import { taggingScores } from "./tagging.ts";

interface Case {
  readonly scheme: Scheme;
  readonly gold: readonly string[];
  readonly predicted: readonly string[];
  readonly strict: Record<"precision" | "recall" | "f1", number>;
  readonly lenient?: { f1: number; report: Record<string, Record<string, number>> };
  readonly conlleval?: {
    accuracy: number;
    counts: number[];
    precision: number;
    recall: number;
    f1: number;
    perType: Record<string, number[]>;
  };
}

const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/tagging.json", import.meta.url), "utf8"),
) as { cases: Case[] };

describe.each(golden.cases.map((one, i) => [`${one.scheme} ${i}`, one] as const))("%s", (_, one) => {
  const sentences = one.gold.map((line, i) => ({
    gold: line.split(" "),
    predicted: one.predicted[i]!.split(" "),
  }));
  const scores = taggingScores(sentences, { scheme: one.scheme, seed: 0, replicates: 50 });
  const spans = scores.spans!;
  test("strict scores are seqeval's", () => {
    expect(spans.strict.precision).toBeCloseTo(one.strict.precision, 12);
    expect(spans.strict.recall).toBeCloseTo(one.strict.recall, 12);
    expect(spans.strict.f1).toBeCloseTo(one.strict.f1, 12);
  });
  test.skipIf(!one.lenient)("lenient scores are seqeval's, type by type", () => {
    expect(spans.f1).toBeCloseTo(one.lenient!.f1, 12);
    for (const { type, precision, recall, f1, gold } of spans.perType) {
      const of = one.lenient!.report[type]!;
      expect([precision, recall, f1]).toEqual(
        ["precision", "recall", "f1-score"].map((name) => expect.closeTo(of[name]!, 12)),
      );
      expect(gold).toBe(of.support);
    }
  });
  test.skipIf(!one.conlleval)("they are conlleval's, count by count", () => {
    const expected = one.conlleval!;
    expect(scores.accuracy).toBeCloseTo(expected.accuracy, 12);
    expect([spans.gold, spans.predicted, spans.right]).toEqual(expected.counts);
    expect(spans.f1).toBeCloseTo(expected.f1, 12);
    for (const { type, gold, predicted, right } of spans.perType)
      expect([gold, predicted, right]).toEqual(expected.perType[type]);
  });
  test("the interval holds the score", () => {
    expect(spans.interval[0]).toBeLessThan(spans.f1);
    expect(spans.interval[1]).toBeGreaterThan(spans.f1);
  });
});

describe("tags without spans", () => {
  const sentences = [
    { gold: ["N", "V", "N"], predicted: ["N", "N", "N"], unseen: [false, true, true] },
    { gold: ["V"], predicted: ["V"], unseen: [false] },
  ];
  const scores = taggingScores(sentences, { scheme: null, seed: 1, replicates: 100 });
  test("are scored by token, by sentence, by tag and on unseen tokens", () => {
    expect(scores).toMatchObject({
      sentences: 2,
      tokens: 4,
      accuracy: 0.75,
      sentenceAccuracy: 0.5,
      spans: null,
      unseen: { tokens: 2, accuracy: 0.5 },
      confused: [{ gold: "V", predicted: "N", tokens: 1 }],
    });
    expect(scores.perTag).toEqual([
      { name: "N", precision: 2 / 3, recall: 1, f1: 0.8, support: 2 },
      { name: "V", precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
    ]);
    expect(scores.macroF1).toBeCloseTo((0.8 + 2 / 3) / 2, 12);
  });
  test("want a tag a token", () => {
    expect(() => taggingScores([{ gold: ["N"], predicted: [] }], { scheme: null, seed: 0 })).toThrow(
      /0 tags were predicted for 1 tokens/,
    );
    expect(() => taggingScores([], { scheme: null, seed: 0 })).toThrow(/no sentence to score/);
  });
});

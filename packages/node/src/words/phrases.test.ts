import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PairCounter, phraseScore, random, WordCounter } from "@graft-ml/core";
import { afterAll, describe, expect, test } from "vitest";
import { numberWriter, readNumbers } from "./numbers.ts";
import { joinPhrases } from "./phrases.ts";

const folder = mkdtempSync(join(tmpdir(), "graft-phrases-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Golden {
  readonly least: number;
  readonly threshold: number;
  readonly texts: readonly string[];
  readonly passes: readonly {
    readonly scores: Readonly<Record<string, number>>;
    readonly entries: number;
    readonly texts: readonly string[];
  }[];
}
const golden: Golden = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../../../test/golden/phrases.json", import.meta.url)), "utf8"),
);

/** The texts as a file of numbers, and the counter of their words. */
async function written(name: string, texts: readonly string[]) {
  const counter = new WordCounter();
  const path = join(folder, name);
  const out = await numberWriter(path);
  for (const text of texts) {
    for (const word of text.split(" ")) out.put(counter.add(word));
    out.put(-1);
  }
  await out.close();
  return { counter, path };
}

async function readBack(path: string, counter: WordCounter): Promise<string[]> {
  const words = counter.words();
  const texts: string[][] = [[]];
  for await (const block of readNumbers(path))
    for (const number of block)
      if (number < 0) texts.push([]);
      else texts.at(-1)!.push(words[number]!);
  return texts.slice(0, -1).map((text) => text.join(" "));
}

describe("phrases", () => {
  test("are joined as gensim joins them, in one pass and in two", async () => {
    const { least, threshold, texts, passes } = golden;
    let { counter, path } = await written("golden.i32", texts);
    for (const pass of passes) {
      counter = await joinPhrases(path, counter, { least, threshold });
      expect(await readBack(path, counter)).toEqual(pass.texts);
    }
    expect(counter.words()).toContain("new_york_times");
    expect(counter.words()).toContain("prime_minister_of_japan");
  });

  test("have gensim's scores", () => {
    const { least, texts, passes } = golden;
    const numbers = new Map<string, number>();
    const counts: number[] = [];
    const pairs = new PairCounter();
    for (const text of texts) {
      let last = -1;
      for (const word of text.split(" ")) {
        const number = numbers.get(word) ?? numbers.size;
        numbers.set(word, number);
        counts[number] = (counts[number] ?? 0) + 1;
        if (last >= 0) pairs.add(last, number);
        last = number;
      }
    }
    const N = numbers.size + pairs.size;
    expect(N).toBe(passes[0]!.entries);
    for (const [phrase, score] of Object.entries(passes[0]!.scores)) {
      const [a, b] = phrase.split("_").map((word) => numbers.get(word)!) as [number, number];
      expect(phraseScore(pairs.count(a, b), counts[a]!, counts[b]!, least, N)).toBeCloseTo(score, 8);
    }
  });

  test("never reach from one text into the next, nor over a word that was forgotten", async () => {
    const { counter, path } = await written("ends.i32", Array(50).fill("b a").concat(Array(9).fill("x")));
    const joined = await joinPhrases(path, counter, { least: 1, threshold: 0.05 });
    expect(new Set(await readBack(path, joined))).toEqual(new Set(["b_a", "x"]));
    const out = await numberWriter(path);
    const few = new WordCounter(2);
    const line = ["p", "p", "q", "q", "once", "p", "q"].map((word) => few.add(word));
    for (const number of line) out.put(number);
    await out.close();
    expect(few.forgotten).toBeGreaterThan(0);
    expect((await joinPhrases(path, few, { least: 0, threshold: 0 })).words().join(" ")).not.toMatch(/once/);
  });

  test("are counted rightly when there are many, and the commonest are kept when there are too many", () => {
    const source = random(2);
    const [all, few] = [new PairCounter(), new PairCounter(2000)];
    const expected = new Map<string, number>();
    for (let i = 0; i < 120_000; i++) {
      const pair = i % 4 === 0 ? ([5, 6] as const) : ([source.integer(500), source.integer(500)] as const);
      expected.set(pair.join(), (expected.get(pair.join()) ?? 0) + 1);
      all.add(...pair);
      few.add(...pair);
    }
    expect(all.size).toBe(expected.size);
    for (const [pair, count] of expected) {
      const [a, b] = pair.split(",").map(Number) as [number, number];
      expect(all.count(a, b)).toBe(count);
    }
    expect(all.count(600, 1)).toBe(0);
    expect(few.size).toBeLessThanOrEqual(2000);
    expect(few.count(5, 6)).toBe(expected.get("5,6"));
  });
});

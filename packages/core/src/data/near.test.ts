import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import type { Row } from "./dataset.ts";
import { nearGroups, nearKeys } from "./near.ts";
import { imagePrint, nearImages, PRINT_SIDE } from "./near-images.ts";
import { comparableText, nearTexts } from "./near-texts.ts";
import { splitDataset } from "./split.ts";

const words =
  "the parcel came late again and nobody at your office answers when I call about my refund".split(" ");

describe("near duplicates among texts", () => {
  it("differ in case, punctuation, white space and width alone, or in a few letters", () => {
    const texts = [
      "Where is my parcel? It was due on Monday.",
      "A quite different sentence about the weather in May.",
      "WHERE IS MY PARCEL -- it was due on Monday",
      "Where is my parcel? It was due on Mondays.",
      "Ｗｈｅｒｅ is my parcel? It was due on Monday.",
      "Where is her letter? It was sent on Friday.",
    ];
    expect(nearGroups(texts.length, nearTexts(texts)).map((group) => group.rows)).toEqual([[0, 2, 3, 4]]);
    expect(nearTexts(texts)[0]).toEqual({ a: 0, b: 2, similarity: 1 });
  });

  it("are found in Chinese, by characters", () => {
    const texts = [
      "质量很好，舒服，尺寸大小合适，和卖家描述相符，发货快，满意。",
      "质量很好穿着舒服尺寸大小合适和卖家描述相符 发货快 满意！",
      "房间太小，隔音不好，早餐一般，不会再来。",
    ];
    expect(nearTexts(texts).map(({ a, b }) => [a, b])).toEqual([[0, 1]]);
  });

  it("are none where nothing is left to compare, and short texts are compared whole", () => {
    expect(nearTexts(["", "!!!", "…", "👍", "👍"])).toEqual([]);
    expect(nearTexts(["ok", "OK!", "no", "oki"]).map(({ a, b }) => [a, b])).toEqual([[0, 1]]);
  });

  it("are exactly the pairs whose shingles have a Jaccard index of at least 0.8, up to chains", () => {
    const word = fc.constantFrom(...words.slice(0, 7));
    const texts = fc.array(
      fc.array(word, { minLength: 1, maxLength: 14 }).map((list) => list.join(" ")),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(texts, (list) => {
        const sets = list.map((text) => new Set(shinglesOf(text)));
        const expected: { a: number; b: number; similarity: number }[] = [];
        for (let b = 0; b < list.length; b++)
          for (let a = 0; a < b; a++) {
            const common = [...sets[a]!].filter((shingle) => sets[b]!.has(shingle)).length;
            const similarity = common / (sets[a]!.size + sets[b]!.size - common);
            if (similarity >= 0.8) expected.push({ a, b, similarity });
          }
        const rowsOf = (pairs: typeof expected) => nearGroups(list.length, pairs).map((group) => group.rows);
        expect(rowsOf(nearTexts(list))).toEqual(rowsOf(expected));
      }),
      { numRuns: 300 },
    );
  });

  it("are found among long texts, every fortieth word replaced, and among no strangers", () => {
    const { uniform: next } = random(1);
    const vocabulary = Array.from({ length: 400 }, (_, i) => `w${(i * 7919).toString(36)}`);
    const draw = () => vocabulary[Math.floor(next() * vocabulary.length)]!;
    const long = Array.from({ length: 50 }, () => Array.from({ length: 600 }, draw).join(" "));
    const edited = long.map((text) =>
      text
        .split(" ")
        .map((word, i) => (i % 40 === 7 ? draw() : word))
        .join(" "),
    );
    const pairs = nearTexts([...long, ...edited]);
    expect(pairs.map(({ a, b }) => b - a)).toEqual(Array(50).fill(50));
  });

  it("do not take time with the square of a template's copies", () => {
    const texts = Array.from(
      { length: 5000 },
      (_, i) => `Your order number ${i} has been sent to you today by post.`,
    );
    const pairs = nearTexts(texts);
    const groups = nearGroups(texts.length, pairs);
    expect(pairs.length).toBeLessThan(5000);
    expect(groups.reduce((sum, group) => sum + group.rows.length, 0)).toBeGreaterThan(4900);
  });
});

describe("near duplicates among images", () => {
  const side = PRINT_SIDE;
  /** A picture of a few soft blobs, in grey. */
  const picture = (seed: number) => {
    const { uniform: next } = random(seed);
    const blobs = Array.from({ length: 9 }, () => [
      next() * side,
      next() * side,
      2 + next() * 5,
      next() * 200 - 100,
    ]);
    return Uint8Array.from({ length: side * side }, (_, k) => {
      const [x, y] = [k % side, Math.floor(k / side)];
      const value = blobs.reduce(
        (sum, [bx, by, r, h]) => sum + h! * Math.exp(-((x - bx!) ** 2 + (y - by!) ** 2) / (2 * r! * r!)),
        128,
      );
      return Math.max(0, Math.min(255, value));
    });
  };
  const changed = (grey: Uint8Array, change: (value: number, x: number, y: number) => number) =>
    Uint8Array.from(grey, (value, k) =>
      Math.max(0, Math.min(255, change(value, k % side, Math.floor(k / side)))),
    );
  const found = (pictures: readonly Uint8Array[]) =>
    nearImages(pictures.map(imagePrint)).map(({ a, b }) => [a, b]);

  it("are noisy, brighter or flatter copies", () => {
    const { uniform: next } = random(5);
    const one = picture(1);
    const noisy = changed(one, (value) => value + (next() - 0.5) * 8);
    const bright = changed(one, (value) => value * 0.8 + 30);
    const pictures = [one, picture(2), noisy, picture(3), bright].map(imagePrint);
    expect(nearGroups(5, nearImages(pictures)).map((group) => group.rows)).toEqual([[0, 2, 4]]);
  });

  it("are not mirrored, turned or other pictures, nor blank ones", () => {
    const pictures = Array.from({ length: 60 }, (_, seed) => picture(seed));
    const mirrored = pictures.map((one) =>
      one.map((_, k) => one[Math.floor(k / side) * side + (side - 1 - (k % side))]!),
    );
    const turned = pictures.map((one) => one.map((_, k) => one[(k % side) * side + Math.floor(k / side)]!));
    expect(found([...pictures, ...mirrored, ...turned])).toEqual([]);
    expect(found([new Uint8Array(side * side).fill(9), new Uint8Array(side * side).fill(9)])).toEqual([]);
  });

  it("skip images that cannot be read, and refuse a print of another size", () => {
    const print = imagePrint(picture(1));
    expect(nearImages([null, print, null, print])).toEqual([
      { a: 1, b: 3, similarity: expect.closeTo(1, 9) },
    ]);
    expect(() => imagePrint(new Uint8Array(100))).toThrow("takes 1024 grey values, got 100");
  });
});

describe("keys of near duplicates", () => {
  it("are shared along chains and keep their rows on one side of a split", () => {
    const texts = Array.from(
      { length: 60 },
      (_, i) => `${words[i % 17]} ${"about the parcel from the office ".repeat(3)} ${i % 20}`,
    );
    const rows = texts.map(
      (text, i): Row => ({
        where: `row ${i}`,
        input: { kind: "text", text },
        label: i % 2 ? "a" : "b",
        split: null,
        group: null,
        weight: 1,
      }),
    );
    const pairs = [
      { a: 0, b: 20, similarity: 0.9 },
      { a: 20, b: 41, similarity: 0.8 },
      { a: 3, b: 50, similarity: 0.9 },
    ];
    const keys = nearKeys(
      rows.map((row) => row.where),
      pairs,
    );
    expect([keys[0], keys[20], keys[41], keys[3], keys[50], keys[51]]).toEqual([
      "row 0",
      "row 0",
      "row 0",
      "row 3",
      "row 3",
      "row 51",
    ]);
    for (let seed = 0; seed < 20; seed++) {
      const test = new Set(splitDataset(rows, { fraction: 0.3, seed, keys }).test);
      for (const { a, b } of pairs) expect(test.has(a)).toBe(test.has(b));
    }
    expect(nearGroups(60, pairs)).toEqual([
      { rows: [0, 20, 41], similarity: 0.8 },
      { rows: [3, 50], similarity: 0.9 },
    ]);
  });
});

/** The shingles of an English text, as strings. */
function shinglesOf(text: string): string[] {
  const letters = comparableText(text).padEnd(4);
  return Array.from({ length: letters.length - 3 }, (_, i) => letters.slice(i, i + 4));
}

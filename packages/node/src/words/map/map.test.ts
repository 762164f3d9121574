import { random, type WordVectors, wordVectors } from "@graft-ml/core";
import { expect, test } from "vitest";
import { mapFile, readRelations, renderWordMap, wellKnownRelations, wordMap } from "./index.ts";
import { type Box, placeLabels } from "./labels.ts";

/** Men and women of ranks: a word is what is common to people, a little of its rank, and its sex. */
function court(more: readonly string[] = []): WordVectors {
  const ranks = ["king queen", "man woman", "boy girl", "father mother", "son daughter", "uncle aunt"];
  const source = random(5);
  const drawn = () => Array.from({ length: 12 }, () => source.normal());
  const [person, woman] = [drawn(), drawn()];
  const words: string[] = [];
  const rows: number[][] = [];
  for (const pair of ranks) {
    const rank = drawn();
    for (const [sex, word] of pair.split(" ").entries()) {
      words.push(word);
      rows.push(rank.map((value, d) => 4 * person[d]! + 0.4 * value + sex * woman[d]!));
    }
  }
  for (const word of more) {
    words.push(word);
    rows.push(drawn());
  }
  return wordVectors({ words, dimension: 12, vectors: Float32Array.from(rows.flat()) });
}

const company = Array.from(
  { length: 60 },
  (_, i) => `word${"abcdefghij"[i % 10]}${"klmnop"[Math.floor(i / 10)]}`,
);

test("well-known pairs are found, and their arrows on principal components point the same way", () => {
  const vectors = court();
  expect(wellKnownRelations(vectors)).toEqual([
    {
      name: "man → woman",
      pairs: [
        ["king", "queen"],
        ["man", "woman"],
        ["boy", "girl"],
        ["father", "mother"],
        ["son", "daughter"],
        ["uncle", "aunt"],
      ],
    },
  ]);
  const { pca } = wordMap(vectors);
  const at = (word: string) => pca.words.indexOf(word);
  const arrows = pca.relations[0]!.pairs.map(([a, b]) => [
    pca.x[at(b)]! - pca.x[at(a)]!,
    pca.y[at(b)]! - pca.y[at(a)]!,
  ]);
  const [fx, fy] = arrows[0]!;
  for (const [x, y] of arrows)
    expect((x! * fx! + y! * fy!) / (Math.hypot(x!, y!) * Math.hypot(fx!, fy!))).toBeGreaterThan(0.95);
});

test("words that are given are drawn with those of the pairs, unknown ones are told", () => {
  const vectors = court(company);
  const map = wordMap(vectors, {
    words: ["uncle", "emperor"],
    relations: readRelations("king:queen, man → woman; boy:girl"),
  });
  expect(map.umap.words).toEqual(["uncle", "king", "queen", "man", "woman", "boy", "girl"]);
  expect(map.missing).toEqual(["emperor"]);
  expect(map.pca.relations.map(({ name }) => name)).toEqual(["king → queen", "boy → girl"]);
  const around = wordMap(vectors, { words: ["uncle"], count: 20 });
  expect(around.umap.words).toHaveLength(21);
  expect(around.umap.isNamed.filter((named) => named)).toHaveLength(1);
  expect(() => wordMap(vectors, { words: ["uncle"] })).toThrow(/three words with vectors, got 1/);
  expect(() => wordMap(vectors, { words: ["uncle", "emperor"] })).toThrow(/got 1 \(none for emperor\)/);
  expect(() => readRelations("king")).toThrow(/"king" is no pair/);
});

test("every named word of a crowd has a label, and no two labels overlap or leave the frame", () => {
  const source = random(2);
  const points = Array.from({ length: 120 }, (_, i) => ({
    text: `word ${i}`,
    x: 350 + 90 * source.normal(),
    y: 250 + 60 * source.normal(),
    size: i < 40 ? 15 : 12,
    isNamed: i < 40,
  }));
  const frame: Box = [0, 0, 700, 500];
  const labels = placeLabels(points, { frame, segments: [[150, 100, 300, 220]] });
  expect(labels.slice(0, 40).every((label) => label !== null)).toBe(true);
  const boxes = labels.flatMap((label) => (label === null ? [] : [label.box]));
  expect(boxes.length).toBeGreaterThan(45);
  for (const [i, a] of boxes.entries()) {
    expect(a[0] >= 0 && a[1] >= 0 && a[2] <= 700 && a[3] <= 500).toBe(true);
    for (const b of boxes.slice(0, i))
      expect(a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]).toBe(false);
  }
});

test("page and pictures need nothing beside themselves, whatever words hold", () => {
  const hostile = "<script>alert(1)</script>";
  const map = wordMap(court([...company, hostile]), {
    words: [hostile],
    relations: readRelations("king:queen,man:woman;boy:girl,uncle:aunt"),
    count: 30,
  });
  const page = renderWordMap(map, { title: "a <b>", about: "72 words" });
  for (const text of [page, mapFile(map.pca), mapFile(map.umap)]) {
    expect(text).toContain("&lt;script&gt;");
    expect(text).not.toMatch(/<script|(src|href)=|@import/);
    expect(text.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
    expect(text.match(/marker-end/g)!.length).toBeGreaterThanOrEqual(4);
    expect(text).toContain("prefers-color-scheme:dark");
  }
  // Two maps of all, one of each relation.
  expect(page.match(/<svg/g)).toHaveLength(4);
});

test("one seed draws one picture", () => {
  const vectors = court(company);
  expect(wordMap(vectors, { seed: 3, count: 12 })).toEqual(wordMap(vectors, { seed: 3, count: 12 }));
});

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { fitTfidf, readTfidf, type TfidfJson } from "./tfidf.ts";
import { fixedTerms, growingTerms, termsOf } from "./tfidf-terms.ts";

const texts = ["The cat sat.", "the dog sat", "The cat's toy!", "猫坐着", "狗坐着 ok"];
const all = { words: [1, 2], characters: [0, 0], unspaced: [1, 2] } as const;

describe("terms", () => {
  test("are words in sequence, lower-cased, whatever the script", () => {
    expect([...termsOf("Ça VA, l’été", all)]).toEqual(["w:ça", "w:va", "w:l'été", "w:ça va", "w:va l'été"]);
  });
  test("of scripts without spaces are characters in sequence", () => {
    expect([...termsOf("买了iPad很好", all)]).toEqual([
      ..."买了".split("").map((c) => `z:${c}`),
      "z:买了",
      "w:ipad",
      "z:很",
      "z:好",
      "z:很好",
    ]);
  });
  test("within a word know where it begins and ends", () => {
    const terms = [...termsOf("ab", { words: [0, 0], characters: [2, 3], unspaced: [0, 0] })];
    expect(terms).toEqual(["c: a", "c:ab", "c:b ", "c: ab", "c:ab "]);
  });
  test("of kana, marks and Thai vowels stay with their script", () => {
    const singles = { words: [1, 1], characters: [0, 0], unspaced: [1, 1] } as const;
    expect(termsOf("データ", singles)).toEqual(["z:デ", "z:ー", "z:タ"]);
    expect(termsOf("ที่", singles)).toEqual(["z:ท", "z:ี", "z:่"]);
    expect(termsOf("a\u0323\u0307z", singles)).toEqual([`w:${"a\u0323\u0307z".normalize("NFKC")}`]);
    expect(termsOf("don't 'quote' it’s 👍🏽 19€", singles)).toEqual(
      ["don't", "quote", "it's", "👍", "19", "€"].map((word) => `w:${word}`),
    );
  });
  test("number the same whatever was read before, and only those of the vocabulary", () => {
    const settings = { words: [1, 2], characters: [2, 4], unspaced: [1, 3] } as const;
    const anyText = fc.stringMatching(/^[ab'!猫坐デé ]{0,12}$/u);
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1 }), anyText, (before, text) => {
        const grown = growingTerms(settings);
        for (const other of before) grown.of(other);
        const names = termsOf(text, settings);
        expect(Array.from(grown.of(text), grown.nameOf)).toEqual(names);
        const vocabulary = [...new Set(before.flatMap((other) => termsOf(other, settings)))];
        const fixed = fixedTerms(vocabulary, settings);
        const inside = names.filter((name) => vocabulary.includes(name));
        // Twice: what is remembered of a word must say the same as the first look.
        for (let time = 0; time < 2; time++) expect(Array.from(fixed.of(text), fixed.nameOf)).toEqual(inside);
      }),
    );
  });
  test("of a megabyte come in linear time", () => {
    expect([...termsOf("x".repeat(1_000_000), all)]).toHaveLength(1);
    expect([...termsOf("我".repeat(300_000), all)]).toHaveLength(599_999);
  });
});

const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/tfidf.json", import.meta.url), "utf8"),
) as {
  sets: {
    name: string;
    settings: Record<string, number>;
    texts: string[];
    size: number;
    rows: Record<string, Record<string, number>>;
  }[];
};

test.each(golden.sets)(
  "$name weigh as scikit-learn's TfidfVectorizer has it",
  ({ settings, texts, size, rows }) => {
    const tfidf = fitTfidf(texts, settings);
    expect(tfidf.size).toBe(size);
    const { offsets, indices, values } = tfidf.transform(texts);
    for (const [i, row] of Object.entries(rows)) {
      const [from, to] = [offsets[Number(i)]!, offsets[Number(i) + 1]!];
      const ours = Object.fromEntries(
        Array.from(indices.subarray(from, to), (id, j) => [tfidf.terms[id]!, values[from + j]!]),
      );
      expect(Object.keys(ours).sort()).toEqual(Object.keys(row).sort());
      for (const [term, weight] of Object.entries(row)) expect(ours[term]).toBeCloseTo(weight, 6);
    }
  },
);

describe("TF-IDF", () => {
  test("weighs as the formula says", () => {
    const { transform, toJSON } = fitTfidf(["a b", "a c c"], { words: 1, characters: 0, unspaced: 0 });
    expect(toJSON().terms).toEqual(["w:a", "w:b", "w:c"]);
    const rare = Math.log(3 / 2) + 1;
    const second = [1, (1 + Math.log(2)) * rare];
    const length = Math.hypot(...second);
    const { offsets, indices, values } = transform(["A c c unknown"]);
    expect([...offsets]).toEqual([0, 2]);
    expect([...indices]).toEqual([0, 2]);
    expect(values[0]).toBeCloseTo(second[0]! / length, 6);
    expect(values[1]).toBeCloseTo(second[1]! / length, 6);
  });
  test("rows have length 1, or 0 where no term is known", () => {
    const { transform } = fitTfidf(texts);
    const { offsets, values } = transform([...texts, "", "ξξξ"]);
    const lengths = Array.from({ length: 7 }, (_, i) =>
      Math.hypot(...values.subarray(offsets[i]!, offsets[i + 1]!)),
    );
    for (const length of lengths.slice(0, 5)) expect(length).toBeCloseTo(1, 5);
    expect(lengths.slice(5)).toEqual([0, 0]);
  });
  test("a row is the same whatever stands beside it", () => {
    const tfidf = fitTfidf(texts);
    const alone = tfidf.transform([texts[2]!]);
    const { offsets, indices, values } = tfidf.transform(texts);
    expect(indices.slice(offsets[2], offsets[3])).toEqual(alone.indices);
    expect(values.slice(offsets[2], offsets[3])).toEqual(alone.values);
  });
  test("comes back from its stored form", () => {
    const tfidf = fitTfidf(texts);
    const again = readTfidf(JSON.parse(JSON.stringify(tfidf)) as TfidfJson);
    expect(again.fingerprint).toBe(tfidf.fingerprint);
    expect(again.transform(texts)).toEqual(tfidf.transform(texts));
    expect(fitTfidf(texts, { words: 1 }).fingerprint).not.toBe(tfidf.fingerprint);
  });
  test("does not depend on the order of the texts", () => {
    expect(fitTfidf([...texts].reverse(), { maxFeatures: 9 }).toJSON()).toEqual(
      fitTfidf(texts, { maxFeatures: 9 }).toJSON(),
    );
  });
  test("pads its feeds with an id of no term", () => {
    const tfidf = fitTfidf(["a b", "a"], { characters: 0, words: 1 });
    const { feature_ids, feature_weights } = tfidf.feeds(["a b", "b"], 3);
    expect(feature_ids!.shape).toEqual([2, 3]);
    expect([...(feature_ids!.data as BigInt64Array)]).toEqual([0n, 1n, 2n, 1n, 2n, 2n]);
    expect((feature_weights!.data as Float32Array)[3]).toBe(1);
    expect(tfidf.lengthOf("a b")).toBe(64);
  });
  test("refuses texts without a word and files that are none of its own", () => {
    expect(() => fitTfidf(["", " "])).toThrow(InputError);
    expect(() => readTfidf({ format: "graft-tfidf", version: 2 } as TfidfJson)).toThrow(/terms must be/);
    const json = fitTfidf(texts).toJSON();
    expect(() => readTfidf({ ...json, counts: json.counts.slice(1) })).toThrow(/counts/);
  });
});

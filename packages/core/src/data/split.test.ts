import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Row, Split } from "./dataset.ts";
import { inputKeys, normalisedText, rowGroups } from "./identity.ts";
import { naturalCompare, sortedClasses } from "./natural.ts";
import { partsOf } from "./parts.ts";
import { foldsOf, kFold, repeatedKFold, shots, splitDataset } from "./split.ts";

const row = (
  text: string,
  label: string | null,
  group: string | null = null,
  split: Split | null = null,
): Row => ({
  where: `rows.csv row ${text}`,
  input: { kind: "text", text },
  label,
  split,
  group,
  weight: 1,
});
const distinctRows = fc
  .array(fc.constantFrom("a", "b", "c", "d"), { minLength: 2, maxLength: 120 })
  .map((labels) => labels.map((label, i) => row(`text ${i}`, label)));
const groupedRows = fc
  .array(
    fc.tuple(
      fc.constantFrom("a", "b", "c"),
      fc.integer({ min: 0, max: 15 }),
      fc.integer({ min: 0, max: 40 }),
    ),
    {
      minLength: 2,
      maxLength: 120,
    },
  )
  .map((rows) =>
    rows.map(([label, group, text], i) =>
      row(text < 20 ? `same ${text}` : `own ${i}`, label, group < 8 ? `g${group}` : null),
    ),
  );
const fraction = fc.double({ min: 0.05, max: 0.95, noNaN: true });
const seed = fc.integer({ min: 0, max: 2 ** 31 });
const countOf = (rows: readonly Row[], label: string, among: Iterable<number>) =>
  [...among].filter((i) => rows[i]!.label === label).length;

describe("splitting off a part", () => {
  it("takes every row exactly once", () => {
    fc.assert(
      fc.property(groupedRows, fraction, seed, (rows, f, s) => {
        const { train, test } = splitDataset(rows, { fraction: f, seed: s });
        expect([...train, ...test].sort((a, b) => a - b)).toEqual([...rows.keys()]);
      }),
    );
  });

  it("keeps each class's share within one row, and a class of two on both sides", () => {
    fc.assert(
      fc.property(distinctRows, fraction, seed, (rows, f, s) => {
        const { train, test } = splitDataset(rows, { fraction: f, seed: s });
        for (const label of new Set(rows.map((r) => r.label!))) {
          const count = countOf(rows, label, rows.keys());
          const tested = countOf(rows, label, test);
          expect(Math.abs(tested - f * count)).toBeLessThanOrEqual(1 + 1e-9);
          if (count > 1) expect(Math.min(tested, countOf(rows, label, train))).toBeGreaterThan(0);
        }
      }),
    );
  });

  it("never tears a group or equal inputs apart", () => {
    fc.assert(
      fc.property(groupedRows, fraction, seed, (rows, f, s) => {
        const { train, test } = splitDataset(rows, { fraction: f, seed: s });
        const groups = rowGroups(rows);
        const trained = new Set(Array.from(train, (i) => groups[i]!));
        for (const i of test) expect(trained.has(groups[i]!)).toBe(false);
      }),
    );
  });

  it("is a function of the rows and the seed, not of the rows' order", () => {
    fc.assert(
      fc.property(groupedRows, fraction, seed, (rows, f, s) => {
        const options = { fraction: f, seed: s };
        const texts = (given: readonly Row[]) =>
          Array.from(splitDataset(given, options).test, (i) => inputKeys([given[i]!])[0]!).sort();
        expect(texts([...rows].reverse())).toEqual(texts(rows));
        expect(texts(rows)).toEqual(texts(rows));
      }),
    );
  });

  it("differs from seed to seed", () => {
    const rows = Array.from({ length: 60 }, (_, i) => row(`${i}`, i % 2 ? "a" : "b"));
    const parts = new Set(
      Array.from({ length: 20 }, (_, s) => splitDataset(rows, { fraction: 0.5, seed: s }).test.join()),
    );
    expect(parts.size).toBe(20);
  });

  it("comes near the whole fraction over many classes", () => {
    const rows = Array.from({ length: 130 }, (_, i) => row(`${i}`, `class ${i % 10}`));
    expect(splitDataset(rows, { fraction: 0.2, seed: 0 }).test.length).toBe(26);
  });

  it("refuses a fraction that leaves a side empty", () => {
    expect(() => splitDataset([row("x", "a")], { fraction: 1, seed: 0 })).toThrow("between 0 and 1, got 1");
  });
});

describe("k-fold", () => {
  it("spreads each class within one row of evenly", () => {
    fc.assert(
      fc.property(distinctRows, fc.integer({ min: 2, max: 10 }), seed, (rows, k, s) => {
        fc.pre(k <= rows.length);
        const fold = foldsOf(rows, { folds: k, seed: s });
        for (const label of new Set(rows.map((r) => r.label!))) {
          const count = countOf(rows, label, rows.keys());
          for (let f = 0; f < k; f++) {
            const held = countOf(
              rows,
              label,
              [...rows.keys()].filter((i) => fold[i] === f),
            );
            expect(Math.abs(held - count / k)).toBeLessThan(1);
          }
        }
        const sizes = Array.from({ length: k }, (_, f) => fold.filter((other) => other === f).length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(2);
      }),
    );
  });

  it("holds every row out once and keeps groups whole", () => {
    fc.assert(
      fc.property(groupedRows, seed, (rows, s) => {
        const groups = rowGroups(rows);
        const held: number[] = [];
        for (const { train, test } of kFold(rows, { folds: 2, seed: s })) {
          held.push(...test);
          const trained = new Set(Array.from(train, (i) => groups[i]!));
          for (const i of test) expect(trained.has(groups[i]!)).toBe(false);
        }
        expect(held.sort((a, b) => a - b)).toEqual([...rows.keys()]);
      }),
    );
  });

  it("repeats under other seeds", () => {
    const rows = Array.from({ length: 40 }, (_, i) => row(`${i}`, i % 2 ? "a" : "b"));
    const parts = repeatedKFold(rows, { folds: 4, repeats: 3, seed: 1 });
    expect(parts).toHaveLength(12);
    expect(new Set(parts.map(({ test }) => test.join())).size).toBe(12);
  });

  it("refuses more folds than rows", () => {
    expect(() => foldsOf([row("x", "a")], { folds: 5, seed: 0 })).toThrow("from 2 to the 1 rows");
  });
});

describe("shots", () => {
  it("draws as many of each class, never the same input twice, more containing fewer", () => {
    fc.assert(
      fc.property(groupedRows, seed, (rows, s) => {
        const few = shots(rows, 2, { seed: s });
        const more = new Set(shots(rows, 4, { seed: s }));
        const keys = inputKeys(rows);
        expect(new Set(Array.from(few, (i) => keys[i]!)).size).toBe(few.length);
        for (const label of ["a", "b", "c"]) expect(countOf(rows, label, few)).toBeLessThanOrEqual(2);
        for (const i of few) expect(more.has(i)).toBe(true);
      }),
    );
  });

  it("leaves unlabelled rows and rows outside the given ones alone", () => {
    const rows = [row("1", "a"), row("2", null), row("3", "a"), row("4", "b")];
    expect([...shots(rows, 5, { seed: 0 }, [1, 2, 3])]).toEqual([2, 3]);
  });
});

describe("the parts of a data set", () => {
  const dataset = (rows: Row[]) => ({
    source: "rows.csv",
    task: "text-classification" as const,
    classes: sortedClasses(rows.map((r) => r.label)),
    rows,
    skipped: [],
  });
  const many = (split: Split | null, from: number) =>
    Array.from({ length: 10 }, (_, i) => row(`${from + i}`, i % 2 ? "a" : "b", null, split));

  it("splits off a test part where there is none, saying so", () => {
    const parts = partsOf(dataset(many(null, 0)), { seed: 3 });
    expect([parts.origin, parts.train.length, parts.val.length, parts.test.length]).toEqual([
      "split",
      8,
      0,
      2,
    ]);
    expect(parts.notes).toEqual(["no official test part: 2 of 10 rows split off, stratified, seed 3"]);
  });

  it("honours official parts and can train on the validation part", () => {
    const rows = [...many("train", 0), ...many("val", 10), ...many("test", 20)];
    const kept = partsOf(dataset(rows), { seed: 0 });
    expect([kept.train.length, kept.val.length, kept.test.length]).toEqual([10, 10, 10]);
    const merged = partsOf(dataset(rows), { seed: 0, validation: "merge" });
    expect([merged.train.length, merged.val.length, merged.test.length]).toEqual([20, 0, 10]);
  });

  it("tests on the validation part where there is no test part", () => {
    const parts = partsOf(dataset([...many("train", 0), ...many("val", 10)]), { seed: 0 });
    expect([...parts.test]).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(parts.notes[0]).toContain("no test part");
  });

  it("takes training rows out that stand in the test part too, and reports it", () => {
    const rows = [...many("train", 0), row(" 3 ", "a", null, "test"), row("99", "b", "page 7", "test")];
    rows[5] = row("5", "a", "page 7", "train");
    const parts = partsOf(dataset(rows), { seed: 0 });
    expect([...parts.dropped]).toEqual([3, 5]);
    expect(parts.train.length).toBe(8);
    expect(parts.notes[0]).toContain("2 training rows left out");
  });

  it("keeps shots of the training rows alone", () => {
    const parts = partsOf(dataset([...many("train", 0), ...many("test", 10)]), { seed: 0, shots: 2 });
    expect([parts.train.length, parts.test.length]).toEqual([4, 10]);
  });

  it("refuses what cannot be trained or judged", () => {
    expect(() => partsOf(dataset(many("test", 0)), { seed: 0 })).toThrow("no training rows");
    expect(() => partsOf(dataset([row("1", "a"), row("2", "a")]), { seed: 0 })).toThrow('one class, "a"');
    expect(() => partsOf(dataset([...many("train", 0), row("x", "new", null, "test")]), { seed: 0 })).toThrow(
      'rows.csv row x: class "new" has 1 test rows and no training row',
    );
  });
});

describe("names and identities", () => {
  it("sorts numbers in names as numbers, of any length", () => {
    expect(["10", "9", "a10", "a9", "0", "1"].sort(naturalCompare)).toEqual([
      "0",
      "1",
      "9",
      "10",
      "a9",
      "a10",
    ]);
    expect(sortedClasses(["b", null, "a", "b"])).toEqual(["a", "b"]);
    expect(naturalCompare("1".repeat(30), "2".repeat(29))).toBeGreaterThan(0);
  });

  it("is a total order", () => {
    const name = fc.string({ unit: fc.constantFrom("a", "0", "7", "10", "-", "é"), maxLength: 6 });
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        expect(Math.sign(naturalCompare(a, b))).toBe(-Math.sign(naturalCompare(b, a)) + 0);
        if (naturalCompare(a, b) <= 0 && naturalCompare(b, c) <= 0)
          expect(naturalCompare(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it("knows a text again in other width, case and spacing", () => {
    expect(normalisedText(" \uFEFFＦree  PRIZE\n")).toBe("free prize");
  });

  it("chains rows by group and by input", () => {
    const groups = rowGroups([row("x", "a", "g"), row("y", "a", "g"), row("y", "b"), row("z", "b")]);
    expect([groups[1], groups[2], groups[3]]).toEqual([groups[0], groups[0], 3]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { ahead } from "./ahead.ts";
import { batchesOf } from "./order.ts";
import { progressOf } from "./progress.ts";

describe("batches of an epoch", () => {
  it("have every row once, all of one size, in an order that the seed says", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (n, size, seed) => {
          const rows = Int32Array.from({ length: n }, (_, i) => i * 3);
          const extentOf = (row: number) => row % 2;
          const made = batchesOf(rows, { batchSize: size, random: random(seed), extentOf });
          expect(made).toEqual(batchesOf(rows, { batchSize: size, random: random(seed), extentOf }));
          const real = made.flatMap((batch) => [...batch.rows.subarray(0, batch.count)]);
          expect(real.sort((a, b) => a - b)).toEqual([...rows]);
          for (const batch of made) {
            expect(batch.rows.length).toBe(size);
            expect(new Set([...batch.rows].map(extentOf)).size).toBe(1);
          }
        },
      ),
      { seed: 1 },
    );
  });
  it("end as asked for: padded, filled with rows that count, or without the rest", () => {
    const rows = [5, 6, 7, 8, 9];
    const last = (how: "pad" | "fill" | "drop") =>
      batchesOf(rows, { batchSize: 3, last: how }).map((one) => [[...one.rows], one.count]);
    expect(last("pad")).toEqual([
      [[5, 6, 7], 3],
      [[8, 9, 8], 2],
    ]);
    expect(last("fill")).toEqual([
      [[5, 6, 7], 3],
      [[8, 9, 5], 3],
    ]);
    expect(last("drop")).toEqual([[[5, 6, 7], 3]]);
    expect(batchesOf([1], { batchSize: 2, last: "drop" })).toHaveLength(1);
  });
});

describe("elements made ahead", () => {
  it("come in order, are under way while one is in use, and end their source when left", async () => {
    let made = 0;
    let ended = false;
    async function* source() {
      try {
        for (;;) yield made++;
      } finally {
        ended = true;
      }
    }
    const seen: number[] = [];
    for await (const one of ahead(source(), 2)) {
      seen.push(one);
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(made).toBeGreaterThan(one + 1);
      expect(made).toBeLessThanOrEqual(one + 3);
      if (one === 4) break;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(ended).toBe(true);
  });
  it("bring an error in its turn", async () => {
    function* source() {
      yield 1;
      throw new Error("broken row");
    }
    const seen: number[] = [];
    const read = async () => {
      for await (const one of ahead(source(), 3)) seen.push(one);
    };
    await expect(read()).rejects.toThrow("broken row");
    expect(seen).toEqual([1]);
  });
});

describe("progress", () => {
  it("tells the time left by the pace of this run alone", () => {
    let now = 1000;
    const at = progressOf(10, () => now);
    expect(at(4)).toEqual({ done: 4, total: 10, secondsLeft: null });
    now += 2000;
    expect(at(5)).toEqual({ done: 5, total: 10, secondsLeft: 10 });
    now += 8000;
    expect(at(10).secondsLeft).toBe(0);
  });
});

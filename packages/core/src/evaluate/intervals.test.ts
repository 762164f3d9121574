import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { confusionMatrix, macroF1 } from "../metrics.ts";
import { random } from "../random.ts";
import { bootstrap, bootstrapEach, macroF1Statistic, meanStatistic } from "./bootstrap.ts";
import {
  correctedResampledT,
  groupSignTest,
  mcnemar,
  pairedAccuracyInterval,
  pairedBootstrap,
} from "./compare.ts";
import { normalCdf, normalQuantile, studentCdf, studentQuantile } from "./distributions.ts";
import { wilsonInterval } from "./interval.ts";

const { distributions: golden } = JSON.parse(
  readFileSync(new URL("../../../../test/golden/metrics.json", import.meta.url), "utf8"),
) as { distributions: Record<string, number[][]> };

describe("as scipy has it", () => {
  test("normal and Student's distributions", () => {
    for (const [p, x] of golden.normalQuantile!) expect(normalQuantile(p!)).toBeCloseTo(x!, 12);
    for (const [x, p] of golden.normalCdf!) expect(normalCdf(x!) / p!).toBeCloseTo(1, 12);
    for (const [x, df, p] of golden.studentCdf!) expect(studentCdf(x!, df!) / p!).toBeCloseTo(1, 11);
    for (const [p, df, x] of golden.studentQuantile!) expect(studentQuantile(p!, df!)).toBeCloseTo(x!, 9);
  });

  test("Wilson's interval", () => {
    for (const [right, n, low, high] of golden.wilson!) {
      const [ourLow, ourHigh] = wilsonInterval(right!, n!);
      expect(ourLow).toBeCloseTo(low!, 12);
      expect(ourHigh).toBeCloseTo(high!, 12);
    }
  });

  test("McNemar's exact test", () => {
    for (const [b, c, p] of golden.mcnemar!) {
      const n = b! + c!;
      const labels = new Int32Array(n);
      const ours = Int32Array.from({ length: n }, (_, i) => (i < b! ? 0 : 1));
      const theirs = ours.map((v) => 1 - v);
      const test = mcnemar(ours, theirs, labels);
      expect(test).toMatchObject({ oursOnly: b, theirsOnly: c });
      expect(test.pValue).toBeCloseTo(p!, 12);
    }
  });
});

describe("intervals hold what they promise (seeded simulations)", () => {
  /** Share of `trials` in which the interval of n rows covers the truth. */
  const coverage = (trials: number, covers: (trial: number) => boolean) => {
    let hits = 0;
    for (let t = 0; t < trials; t++) if (covers(t)) hits++;
    return hits / trials;
  };

  test.each([
    [20, 0.9],
    [153, 0.95],
    [40, 0.5],
  ])("Wilson covers 95 %% at n = %i, accuracy %f", (n, truth) => {
    const source = random(n);
    const covered = coverage(4000, () => {
      let right = 0;
      for (let i = 0; i < n; i++) if (source.uniform() < truth) right++;
      const [low, high] = wilsonInterval(right, n);
      return low <= truth && truth <= high;
    });
    expect(covered).toBeGreaterThan(0.93);
    expect(covered).toBeLessThan(0.975);
  });

  test("BCa covers macro-F1 of 150 rows in three uneven classes", () => {
    const shares = [0.6, 0.3, 0.1];
    const source = random(5);
    const draw = (n: number) => {
      const labels = Int32Array.from({ length: n }, () => {
        const u = source.uniform();
        return u < shares[0]! ? 0 : u < shares[0]! + shares[1]! ? 1 : 2;
      });
      const predicted = labels.map((c) => (source.uniform() < 0.8 ? c : source.integer(3)));
      return { labels, predicted };
    };
    const large = draw(300_000);
    const truth = macroF1(confusionMatrix(large.predicted, large.labels, 3), 3);
    const covered = coverage(300, (t) => {
      const { labels, predicted } = draw(150);
      const options = { seed: t, replicates: 400 };
      const [low, high] = bootstrap(macroF1Statistic(predicted, labels, 3), 150, options).interval;
      return low <= truth && truth <= high;
    });
    expect(covered).toBeGreaterThan(0.91);
    expect(covered).toBeLessThan(0.985);
  });

  test("drawing whole groups covers where drawing rows does not", () => {
    const source = random(6);
    // 40 groups of 5 rows; half of what makes a row right is its group's.
    const groups = Int32Array.from({ length: 200 }, (_, i) => Math.floor(i / 5));
    const trial = () => {
      const ease = Array.from({ length: 40 }, () => source.normal());
      return Float64Array.from(groups, (g) => (ease[g]! + source.normal() > -1 ? 1 : 0));
    };
    const truth = normalCdf(1 / Math.SQRT2);
    let byRow = 0;
    const byGroup = coverage(300, (t) => {
      const statistic = meanStatistic(trial());
      const holds = (low: number, high: number) => low <= truth && truth <= high;
      const options = { seed: t, replicates: 400 };
      if (holds(...bootstrap(statistic, 200, options).interval)) byRow++;
      return holds(...bootstrap(statistic, 200, { ...options, groups }).interval);
    });
    expect(byGroup).toBeGreaterThan(0.9);
    expect(byRow / 300).toBeLessThan(0.89);
  });

  test("the paired interval covers the difference of two accuracies", () => {
    const source = random(7);
    const [oursOnly, theirsOnly] = [0.12, 0.05];
    const covered = coverage(3000, () => {
      let b = 0;
      let c = 0;
      for (let i = 0; i < 100; i++) {
        const u = source.uniform();
        if (u < oursOnly) b++;
        else if (u < oursOnly + theirsOnly) c++;
      }
      const [low, high] = pairedAccuracyInterval(b, c, 100);
      return low <= oursOnly - theirsOnly && oursOnly - theirsOnly <= high;
    });
    expect(covered).toBeGreaterThan(0.935);
    expect(covered).toBeLessThan(0.97);
  });
});

describe("laws", () => {
  const hits = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 2, maxLength: 40 });

  test("a bootstrap interval lies within the values, is seeded and does not depend on what is drawn beside it", () => {
    fc.assert(
      fc.property(hits, fc.integer({ min: 0, max: 99 }), (values, seed) => {
        const options = { seed, replicates: 200 };
        const statistic = meanStatistic(values);
        const alone = bootstrap(statistic, values.length, options);
        const together = bootstrapEach({ other: meanStatistic(values), statistic }, values.length, options);
        expect(together.statistic).toEqual(alone);
        expect(alone.interval[0]).toBeGreaterThanOrEqual(Math.min(...values));
        expect(alone.interval[1]).toBeLessThanOrEqual(Math.max(...values));
        expect(alone.interval[0]).toBeLessThanOrEqual(alone.interval[1]);
        const groups = values.map((_, i) => `row ${i}`);
        expect(bootstrap(statistic, values.length, { ...options, groups })).toEqual(alone);
      }),
      { numRuns: 60 },
    );
  });

  test("the paired interval holds the difference, turns with its sides and agrees with the score test about 0", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.nat(100), (b, c, same) => {
        const n = b + c + same + 1;
        const [low, high] = pairedAccuracyInterval(b, c, n);
        expect(low).toBeLessThanOrEqual((b - c) / n);
        expect(high).toBeGreaterThanOrEqual((b - c) / n);
        const [turnedLow, turnedHigh] = pairedAccuracyInterval(c, b, n);
        expect(turnedLow).toBeCloseTo(-high, 9);
        expect(turnedHigh).toBeCloseTo(-low, 9);
        if (b + c > 0) expect(low > 0 || high < 0).toBe((b - c) ** 2 / (b + c) > 1.959963984540054 ** 2);
      }),
    );
  });

  test("models that never differ still leave an interval with a width", () => {
    const [low, high] = pairedAccuracyInterval(0, 0, 50);
    expect(low).toBeLessThan(-0.05);
    expect(high).toBeGreaterThan(0.05);
  });

  test("groups of one row make the sign test McNemar's", () => {
    const differences = [1, 1, 1, 1, 1, 1, 1, -1, 0, 0];
    expect(groupSignTest(differences, [...differences.keys()], 0)).toBeCloseTo((2 * (1 + 8)) / 2 ** 8, 12);
    const many = Array.from({ length: 40 }, (_, i) => (i < 26 ? 1 : -1));
    expect(groupSignTest(many, [...many.keys()], 1)).toBeCloseTo(0.0807, 2); // McNemar: 26 against 14
  });

  test("three groups can prove nothing", () => {
    expect(groupSignTest([1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2], 0)).toBe(0.25);
  });

  test("a paired bootstrap sees a difference that two intervals side by side hide", () => {
    const source = random(8);
    const theirs = Float64Array.from({ length: 200 }, () => (source.uniform() < 0.8 ? 1 : 0));
    const ours = theirs.map((right, i) => (i % 12 === 0 ? 1 : right));
    const options = { seed: 0, replicates: 500 };
    const { difference, interval } = pairedBootstrap(
      meanStatistic(ours),
      meanStatistic(theirs),
      200,
      options,
    );
    expect(difference).toBeGreaterThan(0);
    expect(interval[0]).toBeGreaterThanOrEqual(0);
  });

  test("the corrected t-test is wider than the plain one by the share tested", () => {
    const { interval, difference, t, pValue } = correctedResampledT([0.01, 0.03, 0.02, 0.04], {
      trainRows: 90,
      testRows: 10,
    });
    expect(difference).toBeCloseTo(0.025, 12);
    const error = Math.sqrt((1 / 4 + 1 / 9) * (0.0005 / 3));
    expect(interval[1] - interval[0]).toBeCloseTo(2 * 3.182446305 * error, 9);
    expect(t).toBeCloseTo(0.025 / error, 9);
    expect(pValue).toBeCloseTo(2 * studentCdf(-t, 3), 12);
  });
});

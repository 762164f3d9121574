import { describe, expect, test } from "vitest";
import { random } from "../random.ts";
import { repeatedScores } from "./repeated.ts";
import { scoresOf } from "./scores.ts";
import { transferVerdict } from "./transfer.ts";

/** Rows whose label is likelier by e^`margin`, as a model that means what it says would have it. */
function calibrated(n: number, classes: number, margin: number, seed: number) {
  const source = random(seed);
  const data = new Float64Array(n * classes);
  const labels = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const p = Array.from({ length: classes }, () => Math.exp(source.normal() * margin));
    const sum = p.reduce((a, b) => a + b, 0);
    let u = source.uniform() * sum;
    let c = 0;
    while (c < classes - 1 && (u -= p[c]!) > 0) c++;
    labels[i] = c;
    for (const [k, value] of p.entries()) data[i * classes + k] = value / sum;
  }
  return { labels, probabilities: { rows: n, columns: classes, data } };
}

describe("all scores of a set", () => {
  const names = ["cat", "dog", "hen"];
  const { labels, probabilities } = calibrated(300, 3, 2, 1);
  const scores = scoresOf(probabilities, labels, names, { seed: 0 });

  test("are plain data and come back from JSON as they were", () => {
    expect(JSON.parse(JSON.stringify(scores))).toEqual(scores);
    expect(scoresOf(probabilities, labels, names, { seed: 0 })).toEqual(scores);
  });

  test("stand within their intervals, and agree with the confusion matrix", () => {
    for (const name of ["accuracy", "macroF1", "ece", "logLoss", "brier"] as const) {
      expect(scores.intervals[name].low).toBeLessThanOrEqual(scores[name]);
      expect(scores.intervals[name].high).toBeGreaterThanOrEqual(scores[name]);
    }
    expect(scores.interval).toEqual([scores.intervals.accuracy.low, scores.intervals.accuracy.high]);
    const right = names.reduce((sum, _, c) => sum + scores.confusion[c]![c]!, 0);
    expect(right / 300).toBe(scores.accuracy);
    expect(scores.perClass.map(({ name }) => name)).toEqual(names);
    expect(scores.reliability.reduce((sum, { count }) => sum + count, 0)).toBe(300);
    expect(scores.top5).toBeNull();
  });

  test("do not claim miscalibration of a model that means what it says", () => {
    let claims = 0;
    for (let seed = 0; seed < 40; seed++) {
      const draw = calibrated(120, 3, 2, 100 + seed);
      const { intervals } = scoresOf(draw.probabilities, draw.labels, names, { seed, replicates: 100 });
      if (intervals.ece.low > 0) claims++;
    }
    expect(claims).toBeLessThanOrEqual(5);
  });

  test("and do claim it of one that is far too sure of itself", () => {
    const data = probabilities.data.map((p) => p ** 4);
    for (let i = 0; i < 300; i++) {
      const sum = data[3 * i]! + data[3 * i + 1]! + data[3 * i + 2]!;
      for (let c = 0; c < 3; c++) data[3 * i + c]! /= sum;
    }
    const sure = scoresOf({ ...probabilities, data }, labels, names, { seed: 0 });
    expect(sure.ece).toBeGreaterThan(sure.eceByChance.high);
    expect(sure.intervals.ece.low).toBeGreaterThan(0);
  });

  test("keep a width where every row is right, wider where rows hang together", () => {
    const perfect = { rows: 40, columns: 2, data: new Float64Array(80).map((_, i) => (i % 2 ? 0.01 : 0.99)) };
    const zeros = new Int32Array(40);
    const alone = scoresOf(perfect, zeros, ["a", "b"], { seed: 0 });
    expect(alone.interval[0]).toBeCloseTo(0.912, 3);
    expect(alone.intervals.macroF1).toEqual({ ...alone.intervals.accuracy });
    const groups = Array.from(zeros, (_, i) => `patient ${i % 8}`);
    const together = scoresOf(perfect, zeros, ["a", "b"], { seed: 0, groups });
    expect(together.groups).toBe(8);
    expect(together.interval[0]).toBeLessThan(0.7);
  });
});

describe("transfer", () => {
  const labels = new Int32Array(100);
  /** Predictions right on rows `from` to `to`. */
  const rightOn = (from: number, to: number) => labels.map((_, i) => (i >= from && i < to ? 0 : 1));

  test("helps where the gain is clear, against the strongest baseline", () => {
    const baselines = { majority: rightOn(0, 50), raw: rightOn(0, 60) };
    const found = transferVerdict({ labels, ours: rightOn(0, 90), baselines, seed: 0 });
    expect(found).toMatchObject({ verdict: "helps", against: "raw", oursOnly: 30, baselineOnly: 0 });
    expect(found.gain).toBeCloseTo(0.3);
    expect(found.interval[0]).toBeGreaterThan(0.2);
  });

  test("hurts the other way round", () => {
    const found = transferVerdict({
      labels,
      ours: rightOn(0, 60),
      baselines: { raw: rightOn(0, 90) },
      seed: 0,
    });
    expect(found.verdict).toBe("hurts");
    expect(found.interval[1]).toBeLessThan(0);
  });

  test("is unproven by five rows in a hundred, and by few groups however many rows", () => {
    const baselines = { raw: rightOn(0, 80) };
    expect(transferVerdict({ labels, ours: rightOn(0, 85), baselines, seed: 0 }).verdict).toBe("no evidence");
    const groups = Array.from(labels, (_, i) => `page ${i % 4}`);
    const grouped = transferVerdict({ labels, ours: rightOn(0, 100), baselines, seed: 0, groups });
    expect(grouped).toMatchObject({ verdict: "no evidence", pValue: 0.125 });
  });

  test("needs something to be compared with, on the same rows", () => {
    expect(() => transferVerdict({ labels, ours: labels, baselines: {}, seed: 0 })).toThrow(/no baseline/);
    expect(() => transferVerdict({ labels, ours: labels, baselines: { raw: [0] }, seed: 0 })).toThrow(
      /raw: predictions of 100 and 1 rows/,
    );
  });
});

describe("repeated cross-validation", () => {
  const { labels, probabilities } = calibrated(60, 2, 2, 3);
  const fold = (rows: number[]) => ({
    rows,
    probabilities: {
      rows: rows.length,
      columns: 2,
      data: Float64Array.from(rows.flatMap((r) => [...probabilities.data.subarray(2 * r, 2 * r + 2)])),
    },
  });
  const repeat = (seed: number) => {
    const order = [...random(seed).permutation(60)];
    return Array.from({ length: 5 }, (_, f) => fold(order.filter((_, i) => i % 5 === f)));
  };
  const all = scoresOf(probabilities, labels, ["a", "b"], { seed: 0 });

  test("gives the scores of all rows at once, whatever the folds", () => {
    const scores = repeatedScores([...repeat(1), ...repeat(2), ...repeat(3)], labels, 2, 5);
    expect(scores).toMatchObject({ rows: 60, folds: 5, repeats: 3 });
    expect(scores.accuracy.mean).toBeCloseTo(all.accuracy, 12);
    expect(scores.macroF1.mean).toBeCloseTo(all.macroF1, 12);
    expect(scores.logLoss.mean).toBeCloseTo(all.logLoss, 12);
    expect(scores.ece).toBeCloseTo(all.ece, 12);
    expect(scores.accuracy.spread).toBeCloseTo(0, 12);
    expect(scores.foldAccuracy).toHaveLength(15);
    const [low, high] = scores.accuracy.interval;
    expect(low).toBeLessThan(all.accuracy);
    expect(high).toBeGreaterThan(all.accuracy);
  });

  test("refuses folds that miss a row or hold one out twice", () => {
    const folds = repeat(1);
    expect(() => repeatedScores([...folds.slice(1), folds[1]!], labels, 2, 5)).toThrow(/twice/);
    expect(() => repeatedScores([fold([0, 1]), fold([2, 3])], labels, 2, 2)).toThrow(/never holds out row 4/);
    expect(() => repeatedScores(folds.slice(1), labels, 2, 5)).toThrow(/4 folds were given, 5 a repeat/);
  });
});

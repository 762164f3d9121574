import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  accuracy,
  brier,
  confusionMatrix,
  expectedCalibrationError,
  logLoss,
  macroF1,
  mostProbable,
  perClassScores,
  reliability,
  topKAccuracy,
} from "./metrics.ts";
import { matrix } from "./tensor.ts";

interface Case {
  readonly name: string;
  readonly classes: number;
  readonly labels: number[];
  readonly p: number[][];
  readonly expected: Record<string, number> & {
    precision: number[];
    recall: number[];
    f1: number[];
    support: number[];
    confusion: number[];
  };
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/metrics.json", import.meta.url), "utf8"),
) as { cases: Case[] };

describe.each(golden.cases)("as scikit-learn has it: $name", ({ classes, labels, p, expected }) => {
  const probabilities = { rows: p.length, columns: classes, data: Float64Array.from(p.flat()) };
  const predicted = mostProbable(probabilities);
  const confusion = confusionMatrix(predicted, labels, classes);

  test("accuracy, confusion and F1", () => {
    expect(accuracy(predicted, labels)).toBeCloseTo(expected.accuracy!, 12);
    expect([...confusion]).toEqual(expected.confusion);
    expect(macroF1(confusion, classes)).toBeCloseTo(expected.macroF1!, 12);
    for (const [c, scores] of perClassScores(confusion, classes).entries()) {
      expect(scores.precision).toBeCloseTo(expected.precision[c]!, 12);
      expect(scores.recall).toBeCloseTo(expected.recall[c]!, 12);
      expect(scores.f1).toBeCloseTo(expected.f1[c]!, 12);
      expect(scores.support).toBe(expected.support[c]);
    }
  });

  test("log loss, Brier score, calibration error and top-k", () => {
    expect(logLoss(probabilities, labels)).toBeCloseTo(expected.logLoss!, 10);
    expect(brier(probabilities, labels)).toBeCloseTo(expected.brier!, 10);
    expect(expectedCalibrationError(probabilities, labels)).toBeCloseTo(expected.eceByWidth!, 10);
    expect(expectedCalibrationError(probabilities, labels, { by: "mass" })).toBeCloseTo(
      expected.eceByMass!,
      10,
    );
    if (expected.top2 !== undefined)
      expect(topKAccuracy(probabilities, labels, 2)).toBeCloseTo(expected.top2, 12);
  });
});

describe("on data one can check by eye", () => {
  const probabilities = matrix(3, 2, Float32Array.of(0.5, 0.5, 0.25, 0.75, 1, 0));

  test("of equal probabilities the first class wins, at every k", () => {
    expect([...mostProbable(probabilities)]).toEqual([0, 1, 0]);
    expect(topKAccuracy(probabilities, [1, 1, 1], 1)).toBeCloseTo(1 / 3);
    expect(topKAccuracy(probabilities, [1, 1, 1], 2)).toBe(1);
  });

  test("a certain and wrong answer costs 36 nats, not infinity", () => {
    expect(logLoss(matrix(1, 2, Float32Array.of(1, 0)), [1])).toBeCloseTo(36.04, 1);
  });

  test("a confidence on the border of two bins is in the lower one", () => {
    const bins = reliability(probabilities, [0, 1, 0], { bins: 4 });
    expect(bins.map(({ count }) => count)).toEqual([1, 1, 1]);
    expect(bins[1]).toEqual({ from: 0.5, to: 0.75, count: 1, confidence: 0.75, accuracy: 1 });
  });

  test("bins of equal mass differ by at most one row and leave none empty", () => {
    const n = 23;
    const p = matrix(
      n,
      2,
      Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? i / 100 : 1 - (i + 1) / 100)),
    );
    const labels = new Int32Array(n);
    const counts = reliability(p, labels, { by: "mass", bins: 5 }).map(({ count }) => count);
    expect(counts).toEqual([5, 5, 5, 4, 4]);
    expect(reliability(matrix(1, 2, Float32Array.of(0.3, 0.7)), [1], { by: "mass" })).toHaveLength(1);
  });

  test("what cannot be scored is named", () => {
    expect(() => logLoss(matrix(1, 2, Float32Array.of(Number.NaN, 1)), [1])).toThrow(
      /class 0 in row 0 is NaN/,
    );
    expect(() => logLoss(probabilities, [0, 1])).toThrow(/3 predictions and 2 labels/);
    expect(() => logLoss(probabilities, [0, 1, 2])).toThrow(/row 2 has class 2; classes are 0 to 1/);
    expect(() => accuracy([], [])).toThrow(/no rows/);
  });
});

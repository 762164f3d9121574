import { expect, test } from "vitest";
import { random } from "../random.ts";
import { matrix } from "../tensor.ts";
import { fitTemperature, outOfFoldScores } from "./calibrate.ts";
import { stratifiedFolds } from "./folds.ts";

/** Labels drawn from softmax(logits), and the logits times `factor`. */
function drawn(n: number, factor: number) {
  const source = random(1);
  const data = new Float64Array(n * 3);
  const labels = Int32Array.from({ length: n }, (_, i) => {
    const logits = [0, 1, 2].map(() => 2 * source.normal());
    const p = logits.map(Math.exp);
    let u = source.uniform() * p.reduce((a, b) => a + b, 0);
    for (const [c, logit] of logits.entries()) data[i * 3 + c] = logit * factor;
    for (let c = 0; c < 2; c++) {
      if (u < p[c]!) return c;
      u -= p[c]!;
    }
    return 2;
  });
  return { scores: { rows: n, columns: 3, data }, labels };
}

test("the temperature undoes a factor on the logits where there are rows to tell", () => {
  for (const factor of [0.5, 1, 3]) {
    const { scores, labels } = drawn(4000, factor);
    expect(fitTemperature(scores, labels) / factor).toBeCloseTo(1, 1);
    expect(fitTemperature(scores, labels, { unit: "free" }) / factor).toBeCloseTo(1, 1);
  }
});

test("rows that the scores separate do not drive the temperature to zero, fewer rows less than more", () => {
  const separated = (n: number) => ({
    scores: { rows: n, columns: 2, data: Float64Array.from({ length: 2 * n }, (_, k) => (k % 2 ? -1 : 1)) },
    labels: new Int32Array(n),
  });
  const few = separated(8);
  const many = separated(200);
  const t = fitTemperature(few.scores, few.labels);
  expect(t).toBeGreaterThan(0.5);
  expect(t).toBeLessThan(1);
  expect(fitTemperature(many.scores, many.labels)).toBeLessThan(t);
});

test("every row is scored once by a fit that did not see it, but the lone row of a class never", async () => {
  const features = matrix(9, 1, Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8]));
  const labels = Int32Array.from([0, 0, 0, 0, 1, 1, 1, 1, 2]);
  const scores = await outOfFoldScores(
    features,
    labels,
    { classes: 3, random: random(2) },
    (train, heldOut) => {
      const seen = "data" in train.features ? [...train.features.data] : [];
      if (!("data" in heldOut)) throw new Error("dense features became sparse");
      for (const x of heldOut.data) expect(seen).not.toContain(x);
      expect(seen).toContain(8);
      return { rows: heldOut.rows, columns: 3, data: new Float64Array(heldOut.rows * 3).fill(heldOut.rows) };
    },
  );
  expect(scores.data.slice(0, 24).every((value) => value > 0)).toBe(true);
  expect(scores.data.slice(24).every(Number.isNaN)).toBe(true);
});

test("folds are even in every class and never tear a group apart", () => {
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % 3);
  const even = stratifiedFolds(labels, 3, { folds: 5, random: random(3) });
  for (let c = 0; c < 3; c++)
    for (let f = 0; f < 5; f++)
      expect(even.filter((fold, i) => fold === f && labels[i] === c).length).toBe(4);
  const groups = Int32Array.from({ length: 60 }, (_, i) => Math.floor(i / 4));
  const whole = stratifiedFolds(labels, 3, { folds: 5, random: random(3), groups });
  for (let i = 0; i < 60; i++) expect(whole[i]).toBe(whole[4 * groups[i]!]);
});

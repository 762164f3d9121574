import { expect, test } from "vitest";
import { random } from "../random.ts";
import { type Matrix, matrix, type SparseMatrix } from "../tensor.ts";
import { logistic } from "./logistic.ts";

const context = { classes: 2, random: random(0) };

/** Two overlapping clouds, [40, 3]. */
function clouds(): { features: Matrix; labels: Int32Array } {
  const source = random(7);
  const features = matrix(40, 3);
  const labels = Int32Array.from({ length: 40 }, (_, i) => i % 2);
  for (let i = 0; i < 40; i++)
    for (let j = 0; j < 3; j++) features.data[i * 3 + j] = source.normal() + (labels[i] === 1 ? 1 : 0);
  return { features, labels };
}

test("the same rows, dense or sparse, give the same probabilities", async () => {
  const { features, labels } = clouds();
  const sparse: SparseMatrix = {
    rows: 40,
    columns: 3,
    offsets: Int32Array.from({ length: 41 }, (_, i) => 3 * i),
    indices: Int32Array.from({ length: 120 }, (_, k) => k % 3),
    values: features.data,
  };
  const dense = (await logistic.fit(features, labels, { strength: 1 }, context)).predict(features);
  const other = (await logistic.fit(sparse, labels, { strength: 1 }, context)).predict(sparse);
  expect(other.data).toEqual(dense.data);
});

test("at the optimum residuals are orthogonal to the constant, the unpenalised column", async () => {
  const { features, labels } = clouds();
  const fitted = await logistic.fit(features, labels, { strength: 2, tolerance: 1e-10 }, context);
  const p = fitted.predict(features);
  const surplus = labels.reduce((sum, label, i) => sum + p.data[i * 2 + 1]! - label, 0);
  expect(Math.abs(surplus)).toBeLessThan(1e-5);
});

test("a class weight of two is the same as every row of the class twice", async () => {
  const { features, labels } = clouds();
  const settings = { strength: 1, tolerance: 1e-10 };
  const weighted = await logistic.fit(features, labels, settings, { ...context, classWeights: [1, 2] });
  const twice = [...labels.keys(), ...[...labels.keys()].filter((i) => labels[i] === 1)];
  const repeated = matrix(twice.length, 3);
  for (const [k, i] of twice.entries()) repeated.data.set(features.data.subarray(i * 3, i * 3 + 3), k * 3);
  const again = await logistic.fit(
    repeated,
    Int32Array.from(twice, (i) => labels[i]!),
    settings,
    context,
  );
  const [a, b] = [weighted.predict(features).data, again.predict(features).data];
  for (let i = 0; i < a.length; i++) expect(a[i]!).toBeCloseTo(b[i]!, 5);
});

test("the strength is chosen where none is given, and the same each time", async () => {
  const { features, labels } = clouds();
  const one = await logistic.fit(features, labels, {}, { ...context, random: random(3) });
  const two = await logistic.fit(features, labels, {}, { ...context, random: random(3) });
  expect(one.chosen.strength).toBeGreaterThan(0);
  expect(two.predict(features).data).toEqual(one.predict(features).data);
});

test("a class without rows and a feature that is no number are refused by name", async () => {
  const { features, labels } = clouds();
  await expect(logistic.fit(features, labels, {}, { ...context, classes: 3 })).rejects.toThrow(
    /class 2 has no training row/,
  );
  features.data[7] = Number.NaN;
  await expect(logistic.fit(features, labels, {}, context)).rejects.toThrow(
    /row 2 has a feature that is NaN/,
  );
});

test("where few rows cannot tell strengths apart the coefficients are their weighted average", async () => {
  const { features, labels } = clouds();
  const open = await logistic.fit(features, labels, { tolerance: 1e-10 }, context);
  const weights = String(open.chosen.weights)
    .split(", ")
    .map((one) => one.split(": ").map(Number) as [number, number]);
  expect(weights.length).toBeGreaterThan(1);
  expect(weights.reduce((sum, [, weight]) => sum + weight, 0)).toBeCloseTo(1, 1);
  const heaviest = weights.reduce((most, one) => (one[1] > most[1] ? one : most));
  expect(heaviest[0]).toBeCloseTo(Number(Number(open.chosen.strength).toPrecision(3)), 6);
  // Scores are linear in the coefficients: the log-odds of the average are the average of the log-odds.
  const odds = (p: Matrix, i: number) => Math.log(p.data[i * 2 + 1]! / p.data[i * 2]!);
  const average = new Float64Array(40);
  for (const [printed, weight] of weights) {
    const strength = 10 ** (Math.round(2 * Math.log10(printed)) / 2); // half decades are tried
    const p = (await logistic.fit(features, labels, { strength, tolerance: 1e-10 }, context)).predict(
      features,
    );
    for (let i = 0; i < 40; i++) average[i]! += weight * odds(p, i);
  }
  const own = open.predict(features);
  for (let i = 0; i < 40; i++) expect(Math.abs(odds(own, i) - average[i]!)).toBeLessThan(1e-3);
});

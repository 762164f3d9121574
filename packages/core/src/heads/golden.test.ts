import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mostProbable } from "../metrics.ts";
import { random } from "../random.ts";
import { matrix, takeRows } from "../tensor.ts";
import { rowWeights } from "./check.ts";
import { laplace } from "./gp-laplace.ts";
import type { FitContext } from "./head.ts";
import { centroid, gp, knn, rbfSvm, ridge } from "./index.ts";
import { squaredDistances } from "./products.ts";
import { ridgeScores } from "./ridge.ts";
import { smo } from "./smo.ts";

type Weight = null | "balanced" | "rows";
interface Case {
  readonly name: string;
  readonly columns: number;
  readonly classes: number;
  readonly features: number[];
  readonly labels: number[];
  readonly asked: number[];
  readonly rowWeights: number[];
  readonly gamma: number;
  readonly centroid: number[];
  readonly knn: Record<string, number[]>;
  readonly ridge: readonly { alpha: number; weight: Weight; decision: number[] }[];
  readonly ridgeChosen: number;
  readonly svm: readonly {
    strength: number;
    weight: Weight;
    decision: number[];
    predicted: number[];
    support: number;
  }[];
  readonly gp?: {
    amplitude: number;
    mean: number[];
    variance: number[];
    evidence: number;
    probability: number[];
  };
}
const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/heads.json", import.meta.url), "utf8"),
) as { cases: Case[] };

describe.each(golden.cases)("as scikit-learn has it: $name", (own) => {
  const { columns, classes } = own;
  const n = own.labels.length;
  const features = matrix(n, columns, Float32Array.from(own.features));
  const asked = matrix(own.asked.length / columns, columns, Float32Array.from(own.asked));
  const labels = Int32Array.from(own.labels);
  const context = (weight: Weight): FitContext => ({
    classes,
    random: random(0),
    ...(weight === "balanced" && { classWeights: weight }),
    ...(weight === "rows" && { weights: Float32Array.from(own.rowWeights) }),
  });
  const close = (values: ArrayLike<number>, expected: readonly number[], relative: number) => {
    expect(values.length).toBe(expected.length);
    const scale = Math.max(...expected.map(Math.abs));
    for (const [k, value] of expected.entries())
      expect(Math.abs(values[k]! - value)).toBeLessThan(relative * scale);
  };

  test("nearest centroid: the same labels", async () => {
    const fitted = await centroid.fit(features, labels, { metric: "euclidean" }, context(null));
    expect([...mostProbable(fitted.predict(asked))]).toEqual(own.centroid);
  });

  test.each(Object.keys(own.knn))("%s neighbours: the same labels", async (k) => {
    const fitted = await knn.fit(features, labels, { k: Number(k), metric: "euclidean" }, context(null));
    expect([...mostProbable(fitted.predict(asked))]).toEqual(own.knn[k]);
  });

  test.each(own.ridge)("ridge at $alpha, weights $weight: the same scores and labels", async (reference) => {
    const { alpha, weight, decision } = reference;
    const weights = rowWeights(labels, context(weight));
    const { scores } = ridgeScores({ rows: features, labels, weights, classes }, alpha, asked);
    const wanted = classes === 2 ? decision.flatMap((value) => [-value, value]) : decision;
    close(scores, wanted, 1e-5);
    const fitted = await ridge.fit(features, labels, { alpha, normalise: false }, context(weight));
    const best = mostProbable({ rows: asked.rows, columns: classes, data: Float64Array.from(wanted) });
    expect(mostProbable(fitted.predict(asked))).toEqual(best);
  });

  test("ridge: the penalty of least left-out error is the same", async () => {
    const fitted = await ridge.fit(features, labels, { normalise: false }, context(null));
    expect(Number(fitted.chosen.alpha) / own.ridgeChosen).toBeCloseTo(1, 9);
  });

  test("ridge: left-out scores in closed form are those of fits without the row", () => {
    const weights = rowWeights(labels, context("rows"));
    const problem = { rows: features, labels, weights, classes };
    const { leftOut } = ridgeScores(problem, 2, asked);
    for (const i of [0, 7, n - 1]) {
      const others = Int32Array.from([...labels.keys()].filter((k) => k !== i));
      const without = {
        rows: takeRows(features, others),
        labels: Int32Array.from(others, (k) => labels[k]!),
        weights: Float64Array.from(others, (k) => weights[k]!),
        classes,
      };
      const { scores } = ridgeScores(without, 2, takeRows(features, [i]));
      close(leftOut.subarray(i * classes, (i + 1) * classes), [...scores], 1e-5);
    }
  });

  test.each(own.svm)("SVM at $strength, weights $weight: the same margins and labels", async (reference) => {
    const { strength, weight, decision, predicted } = reference;
    const weights = rowWeights(labels, context(weight));
    const margins: number[][] = Array.from({ length: asked.rows }, () => []);
    for (let a = 0; a < classes; a++)
      for (let b = a + 1; b < classes; b++) {
        const rows = Int32Array.from([...labels.keys()].filter((i) => labels[i] === a || labels[i] === b));
        const part = takeRows(features, rows);
        const kernel = squaredDistances(part, part).map((d) => Math.exp(-own.gamma * d));
        const signs = Int8Array.from(rows, (i) => (labels[i] === a ? 1 : -1));
        const bounds = Float64Array.from(rows, (i) => strength * weights[i]!);
        const { coefficients, intercept } = smo(kernel, signs, bounds, 1e-9);
        const values = squaredDistances(asked, part).map((d) => Math.exp(-own.gamma * d));
        for (const [q, row] of margins.entries())
          row.push(coefficients.reduce((sum, c, i) => sum + c * values[q * rows.length + i]!, intercept));
      }
    // scikit-learn turns the sign of the only pair round.
    close(margins.flat(), classes === 2 ? decision.map((value) => -value) : decision, 1e-5);
    const settings = { strength, gamma: own.gamma, normalise: false };
    const fitted = await rbfSvm.fit(features, labels, settings, context(weight));
    const labelled = mostProbable(fitted.predict(asked));
    expect(margins.map((own) => voted(own, classes))).toEqual(predicted);
    // Coupled probabilities and votes part where a class wins every pair narrowly and another loses only that one.
    const same = predicted.filter((label, q) => label === labelled[q]).length;
    expect(same / predicted.length).toBeGreaterThanOrEqual(classes === 2 ? 1 : 0.9);
    expect(fitted.chosen.support).toBe(reference.support);
  });

  test.runIf(own.gp)("Gaussian process: the same latent function, evidence and labels", async () => {
    const { amplitude, mean, variance, evidence, probability } = own.gp!;
    const kernelOf = (distances: Float64Array) => distances.map((d) => amplitude * Math.exp(-own.gamma * d));
    const targets = Float64Array.from(labels);
    const fit = laplace(kernelOf(squaredDistances(features, features)), targets, new Float64Array(n).fill(1));
    expect(fit.evidence).toBeCloseTo(evidence, 5);
    const values = kernelOf(squaredDistances(asked, features));
    const means = new Float64Array(asked.rows);
    const spreads = new Float64Array(asked.rows).fill(amplitude);
    for (let q = 0; q < asked.rows; q++)
      for (let i = 0; i < n; i++) {
        means[q]! += values[q * n + i]! * fit.residual[i]!;
        let reduced = 0;
        for (let j = 0; j < n; j++) reduced += fit.reduction[i * n + j]! * values[q * n + j]!;
        spreads[q]! -= reduced * reduced;
      }
    close(means, mean, 1e-5);
    close(spreads, variance, 1e-5);
    const moderated = means.map(
      (f, q) => 1 / (1 + Math.exp(-f / Math.sqrt(1 + (Math.PI / 8) * spreads[q]!))),
    );
    for (const [q, p] of probability.entries()) expect(Math.abs(moderated[q]! - p)).toBeLessThan(0.01);
    const settings = { amplitude, gamma: own.gamma, normalise: false };
    const fitted = await gp.fit(features, labels, settings, context(null));
    expect([...mostProbable(fitted.predict(asked))]).toEqual(mean.map((f) => (f > 0 ? 1 : 0)));
  });
});

/** The class that wins most pairs; of equals the first. */
function voted(margins: readonly number[], classes: number): number {
  const votes = new Array<number>(classes).fill(0);
  let k = 0;
  for (let a = 0; a < classes; a++) for (let b = a + 1; b < classes; b++) votes[margins[k++]! > 0 ? a : b]!++;
  return votes.indexOf(Math.max(...votes));
}

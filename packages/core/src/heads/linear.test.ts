import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { random } from "../random.ts";
import { type Matrix, matrix } from "../tensor.ts";
import { linearRows } from "./linear-rows.ts";
import { type LinearLoss, solveLinear } from "./linear-solver.ts";
import { linearSvm } from "./linear-svm.ts";
import { logistic } from "./logistic.ts";
import { softmaxLoss } from "./softmax-loss.ts";
import { squaredHinge } from "./squared-hinge.ts";

interface Optimum {
  readonly objective: number;
  readonly predicted: readonly number[];
}

interface Golden {
  readonly cases: readonly {
    readonly rows: number;
    readonly columns: number;
    readonly classes: number;
    readonly features: readonly number[];
    readonly labels: readonly number[];
    readonly fits: readonly {
      readonly strength: number;
      readonly classWeights: "balanced" | readonly number[] | null;
      readonly logistic: Optimum & { readonly probabilities: readonly number[] };
      readonly linearSvm?: Optimum & { readonly scores: readonly number[] };
    }[];
  }[];
}

const path = new URL("../../../../test/golden/heads-linear.json", import.meta.url);
const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;

const most = (row: ArrayLike<number>) => Array.from(row).indexOf(Math.max(...Array.from(row)));

for (const { rows, columns, classes, features, labels, fits } of golden.cases)
  describe(`${rows} rows of ${columns} features in ${classes} classes, as scikit-learn has them`, () => {
    const x = matrix(rows, columns, Float32Array.from(features));
    const y = Int32Array.from(labels);
    for (const { strength, classWeights, ...optima } of fits) {
      const context = { classes, random: random(0), ...(classWeights && { classWeights }) };
      const settings = { strength, normalise: false, tolerance: 1e-12 };
      const name = `C = ${strength}, class weights ${classWeights ?? "none"}`;

      test(`logistic, ${name}`, async () => {
        const p = (await logistic.fit(x, y, settings, context)).predict(x);
        let worst = 0;
        for (const [i, own] of p.data.entries())
          worst = Math.max(worst, Math.abs(own - optima.logistic.probabilities[i]!));
        expect(worst).toBeLessThan(2e-5);
        for (let i = 0; i < rows; i++)
          expect(most(p.data.subarray(i * classes, (i + 1) * classes))).toBe(optima.logistic.predicted[i]);
      });

      if (classWeights === null)
        test(`objectives at the default tolerance, ${name}`, async () => {
          const reached = async (loss: LinearLoss) => await objective(loss, x, y, strength, classes);
          const near = (optimum: number) => [optimum * (1 - 1e-5), optimum * (1 + 1e-5)] as const;
          for (const [loss, optimum] of [
            [softmaxLoss, optima.logistic.objective],
            [squaredHinge, optima.linearSvm?.objective ?? Number.NaN],
          ] as const) {
            const value = await reached(loss);
            expect(value).toBeGreaterThan(near(optimum)[0]);
            expect(value).toBeLessThan(near(optimum)[1]);
          }
        });

      const { linearSvm: expected } = optima;
      if (expected !== undefined)
        test(`linear SVM, ${name}`, async () => {
          const fitted = await linearSvm.fit(x, y, settings, context);
          const temperature = fitted.chosen.temperature as number;
          const p = fitted.predict(x);
          for (let i = 0; i < rows; i++) {
            const row = Array.from(p.data.subarray(i * classes, (i + 1) * classes));
            const given = expected!.scores.slice(
              classes === 2 ? i : i * classes,
              classes === 2 ? i + 1 : (i + 1) * classes,
            );
            const scores = classes === 2 ? [-given[0]!, given[0]!] : given;
            const sum = scores.reduce((total, s) => total + Math.exp(s / temperature), 0);
            for (const [c, s] of scores.entries())
              expect(Math.abs(row[c]! - Math.exp(s / temperature) / sum)).toBeLessThan(2e-5);
            expect(most(row)).toBe(expected!.predicted[i]);
          }
        });
    }
  });

/** C Σ loss + ½‖W‖² where the solver ends. */
async function objective(loss: LinearLoss, x: Matrix, y: Int32Array, strength: number, classes: number) {
  const rows = await linearRows(x, undefined);
  const weights = new Float64Array(x.rows).fill(1);
  const moment = await rows.moment(weights);
  const problem = { rows, labels: y, weights: [weights], classes, loss };
  const { theta } = await solveLinear(problem, { strength, tolerance: 1e-6, moment, weight: weights });
  const K = loss.columns(classes);
  const scores = await rows.scores(theta, K);
  let value = 0;
  for (let i = 0; i < x.rows; i++) value += strength * loss.derive(scores, i * K, K, y[i]!, 1);
  for (const [i, w] of theta.entries())
    if (loss.penalisesIntercept || i % (rows.columns + 1) < rows.columns) value += 0.5 * w * w;
  return value;
}

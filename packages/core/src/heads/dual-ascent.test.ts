import { expect, test } from "vitest";
import { random } from "../random.ts";
import { matrix, type SparseMatrix } from "../tensor.ts";
import { dualAscent } from "./dual-ascent.ts";
import { type LinearRows, linearRows } from "./linear-rows.ts";
import { type LinearLoss, solveLinear } from "./linear-solver.ts";
import { softmaxLoss } from "./softmax-loss.ts";
import { squaredHinge } from "./squared-hinge.ts";

const [ROWS, COLUMNS] = [80, 1200];

/** Rows of 12 terms, some common, some of the row's class, and the same stored densely. */
function texts(classes: number) {
  const source = random(3);
  const labels = Int32Array.from({ length: ROWS }, (_, i) => i % classes);
  const dense = matrix(ROWS, COLUMNS);
  for (let i = 0; i < ROWS; i++)
    for (let t = 0; t < 12; t++) {
      const j =
        t < 4
          ? source.integer(20)
          : t < 7
            ? 20 + 9 * labels[i]! + source.integer(12)
            : 100 + source.integer(1100);
      dense.data[i * COLUMNS + j] = 0.2 + source.uniform() / 3;
    }
  return { labels, dense, sparse: sparseOf(dense.data) };
}

function sparseOf(data: Float32Array): SparseMatrix {
  const held = [...data.keys()].filter((at) => data[at] !== 0);
  const offsets = new Int32Array(ROWS + 1);
  for (const at of held) offsets[Math.floor(at / COLUMNS) + 1]!++;
  for (let i = 0; i < ROWS; i++) offsets[i + 1]! += offsets[i]!;
  return {
    rows: ROWS,
    columns: COLUMNS,
    offsets,
    indices: Int32Array.from(held, (at) => at % COLUMNS),
    values: Float32Array.from(held, (at) => data[at]!),
  };
}

/** Σ C w loss + ½‖W‖² at coefficients, and their scores. */
async function reached(rows: LinearRows, theta: Float64Array, problem: Problem) {
  const { loss, labels, weights, classes, strength } = problem;
  const K = loss.columns(classes);
  const scores = await rows.scores(theta, K);
  const at = scores.slice();
  let objective = 0;
  for (const [i, label] of labels.entries())
    objective += loss.derive(at, i * K, K, label, strength * weights[i]!);
  for (const [i, w] of theta.entries())
    if (loss.penalisesIntercept || i % (rows.columns + 1) < rows.columns) objective += 0.5 * w * w;
  return { objective, scores };
}

interface Problem {
  readonly loss: LinearLoss;
  readonly labels: Int32Array;
  readonly weights: Float64Array;
  readonly classes: number;
  readonly strength: number;
}

for (const [name, loss] of Object.entries({ softmaxLoss, squaredHinge }))
  for (const classes of [2, 3, 5])
    for (const strength of [0.1, 10, 1000])
      test(`${name}, ${classes} classes, C = ${strength}: sparse rows come to the optimum of the same rows stored densely`, async () => {
        const { labels, dense, sparse } = texts(classes);
        const weights = Float64Array.from({ length: ROWS }, (_, i) => (i % 7 === 0 ? 0 : 1 + (i % 3)));
        const problem = { loss, labels, weights, classes, strength };
        const objectives: number[] = [];
        const scores: Float64Array[] = [];
        for (const features of [sparse, dense]) {
          const rows = await linearRows(features, undefined);
          expect(rows.sparse === null).toBe(features === dense);
          const moment = await rows.moment(weights);
          const options = { strength, tolerance: 1e-11, moment, weight: weights };
          const { theta, distance } = await solveLinear({ ...problem, rows, weights: [weights] }, options);
          expect(distance).toBe(0);
          const found = await reached(rows, theta, problem);
          objectives.push(found.objective);
          scores.push(found.scores);
        }
        expect(Math.abs(objectives[0]! / objectives[1]! - 1)).toBeLessThan(2e-8);
        for (const [i, score] of scores[0]!.entries())
          expect(Math.abs(score - scores[1]![i]!)).toBeLessThan(2e-3 * Math.max(1, Math.abs(score)));
      });

test("the distance it says is no less than the real one, however early it ends", async () => {
  const { labels, sparse } = texts(3);
  const rows = await linearRows(sparse, undefined);
  const weights = new Float64Array(ROWS).fill(1);
  for (const loss of [softmaxLoss, squaredHinge]) {
    const problem = { loss, labels, weights, classes: 3, strength: 10, rows: rows.sparse! };
    const { theta: best } = dualAscent(problem, 1e-12);
    const { objective: least } = await reached(rows, best, problem);
    for (const tolerance of [0.3, 0.1, 1e-2, 1e-4, 1e-6]) {
      const { theta, distance } = dualAscent(problem, tolerance);
      const { objective } = await reached(rows, theta, problem);
      expect(distance).toBeLessThanOrEqual(tolerance);
      expect((objective - least) / objective).toBeLessThanOrEqual(distance);
    }
  }
});

test("columns are ordered anew inside, and coefficients come back in the order of the features", async () => {
  const { sparse } = texts(2);
  const rows = await linearRows(sparse, undefined);
  const theta = Float64Array.from({ length: COLUMNS + 1 }, (_, j) => Math.sin(j));
  const lifted = rows.lift(theta, 1);
  const scores = await rows.scores(theta, 1);
  for (let i = 0; i < ROWS; i++) {
    let sum = lifted[COLUMNS]!;
    for (let p = sparse.offsets[i]!; p < sparse.offsets[i + 1]!; p++)
      sum += sparse.values[p]! * lifted[sparse.indices[p]!]!;
    expect(scores[i]!).toBeCloseTo(sum, 10);
  }
});

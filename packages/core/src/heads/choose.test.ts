import { expect, test } from "vitest";
import { random } from "../random.ts";
import { type Matrix, matrix, type SparseMatrix } from "../tensor.ts";
import { chooseHead, headCandidates } from "./choose.ts";
import type { FitContext } from "./head.ts";
import * as heads from "./index.ts";

const context: FitContext = { classes: 2, random: random(4) };

/** Two classes along a line, [n, 2], or one inside the other. */
function drawn(n: number, kind: "line" | "ring"): { features: Matrix; labels: Int32Array } {
  const source = random(8);
  const features = matrix(n, 2);
  const labels = Int32Array.from({ length: n }, (_, i) => i % 2);
  for (let i = 0; i < n; i++) {
    const angle = 2 * Math.PI * source.uniform();
    const radius = labels[i] === 1 ? 2 : 0.5;
    const own = kind === "line" ? [2 * labels[i]!, 0] : [radius * Math.cos(angle), radius * Math.sin(angle)];
    for (let j = 0; j < 2; j++) features.data[i * 2 + j] = own[j]! + 0.3 * source.normal();
  }
  return { features, labels };
}

const some = [
  { name: "logistic", head: heads.logistic, settings: { normalise: false } },
  { name: "rbf-svm", head: heads.rbfSvm, settings: { normalise: false } },
];

test("a bent boundary gets the head that can bend, and the estimate comes from rows outside the choice", async () => {
  const { features, labels } = drawn(80, "ring");
  const options = { candidates: some, folds: 3, estimateFolds: 3 };
  const chosen = await chooseHead(features, labels, context, options);
  expect(chosen.name).toBe("rbf-svm");
  expect(chosen.candidates[0]!.behind[0]).toBeGreaterThan(0);
  expect(chosen.estimate!.accuracy).toBeGreaterThan(0.9);
  expect(chosen.estimate!.rows).toBe(80);
  expect(chosen.classifier.predict(features).rows).toBe(80);
  expect(chosen.reason).toMatch(/lowest log loss/);
});

test("what the folds cannot tell apart goes to the simpler head, which the reason says", async () => {
  const { features, labels } = drawn(60, "line");
  const chosen = await chooseHead(features, labels, context, { candidates: some, folds: 3, repeats: 2 });
  expect(chosen.name).toBe("logistic");
  expect(chosen.candidates[0]!.behind[0]).toBeLessThanOrEqual(0);
  expect(chosen.estimate).toBeNull();
});

test("heads that need dense features or too much work are left out by name", async () => {
  const { features, labels } = drawn(40, "line");
  const sparse: SparseMatrix = {
    rows: 40,
    columns: 2,
    offsets: Int32Array.from({ length: 41 }, (_, i) => 2 * i),
    indices: Int32Array.from({ length: 80 }, (_, k) => k % 2),
    values: features.data,
  };
  const chosen = await chooseHead(sparse, labels, context, { folds: 2 });
  const left = chosen.skipped.map(({ name, why }) => `${name} ${why}`);
  for (const name of ["knn", "rbf-svm", "gp"]) expect(left).toContain(`${name} needs dense features`);
  expect(headCandidates().length).toBe(Object.keys(heads).length);
  const costly = { ...heads.ridge, cost: () => 1e12 };
  await expect(
    chooseHead(features, labels, context, { candidates: [{ name: "ridge", head: costly }] }),
  ).rejects.toThrow(/no head can be tried: ridge would take 1.0e\+12/);
});

test("rows of one group are never on both sides", async () => {
  const { features, labels } = drawn(40, "line");
  const groups = Int32Array.from({ length: 40 }, (_, i) => Math.floor(i / 4));
  const seen: number[] = [];
  const spy = {
    ...heads.centroid,
    fit: (...given: Parameters<typeof heads.centroid.fit>) => {
      seen.push(new Set(given[3].groups).size * 4 - given[0].rows);
      return heads.centroid.fit(...given);
    },
  };
  await chooseHead(features, labels, { ...context, groups }, { candidates: [{ name: "spy", head: spy }] });
  expect(seen.length).toBe(6);
  expect(seen.every((gap) => gap === 0)).toBe(true);
});

test("with one row a class the simplest is taken and the reason says why", async () => {
  const features = matrix(2, 2, Float32Array.of(0, 1, 1, 0));
  const chosen = await chooseHead(features, Int32Array.of(0, 1), context, { candidates: some });
  expect(chosen.name).toBe("logistic");
  expect(chosen.reason).toMatch(/nothing can be held out/);
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { matrix } from "../tensor.ts";
import { nearestRows } from "./nearest-rows.ts";
import { principalComponents } from "./principal-components.ts";
import { trustworthiness } from "./trustworthiness.ts";
import { umap } from "./umap.ts";

interface Golden {
  readonly rows: number[][];
  readonly scores: number[][];
  readonly explained: number[];
  readonly few: number[][];
  readonly fewScores: number[][];
  readonly trustworthiness: Record<string, number>;
  readonly tsne: number;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/map.json", import.meta.url), "utf8"),
) as Golden;
const rowsOf = (all: number[][]) => matrix(all.length, all[0]!.length, Float32Array.from(all.flat()));
const digits = rowsOf(golden.rows);

test("principal components are scikit-learn's, signs included, of many rows and of few", () => {
  const { scores, explained } = principalComponents(digits, 2);
  for (const [o, value] of golden.scores.flat().entries()) expect(scores[o]!).toBeCloseTo(value, 6);
  for (const [c, share] of golden.explained.entries()) expect(explained[c]!).toBeCloseTo(share, 9);
  const few = principalComponents(rowsOf(golden.few), 2);
  for (const [o, value] of golden.fewScores.flat().entries()) expect(few.scores[o]!).toBeCloseTo(value, 6);
});

test("rows that are all alike, and fewer directions than asked for, give zeros", () => {
  const same = matrix(9, 3, new Float32Array(27).fill(2));
  expect(principalComponents(same, 2).scores).toEqual(new Float64Array(18));
  const line = matrix(4, 2, Float32Array.of(0, 0, 1, 1, 2, 2, 3, 3));
  const { scores, explained } = principalComponents(line, 2);
  expect(Array.from(explained)).toEqual([expect.closeTo(1, 9), 0]);
  for (let i = 0; i < 4; i++) expect(scores[2 * i + 1]).toBe(0);
});

test("trustworthiness is scikit-learn's", () => {
  const plane = Float64Array.from(golden.scores.flat());
  for (const [k, value] of Object.entries(golden.trustworthiness))
    expect(trustworthiness(digits, plane, Number(k))).toBeCloseTo(value, 9);
  expect(() => trustworthiness(digits, plane, 100)).toThrow(/1 to 99 neighbours, got 100/);
});

test("UMAP keeps neighbours as well as scikit-learn's t-SNE, and far better than principal components", () => {
  const plane = umap(digits, { seed: 0 });
  const kept = trustworthiness(digits, plane, 12);
  expect(kept).toBeGreaterThan(golden.trustworthiness["12"]! + 0.1);
  expect(kept).toBeGreaterThan(golden.tsne - 0.015);
  const short = umap(digits, { seed: 0, epochs: 20 });
  expect(umap(digits, { seed: 0, epochs: 20 })).toEqual(short);
  expect(umap(digits, { seed: 1, epochs: 20 })).not.toEqual(short);
});

test("UMAP of a handful of rows, and of rows that are all alike, is finite", () => {
  const handful = matrix(3, 2, Float32Array.of(0, 0, 1, 0, 0, 2));
  expect(umap(handful, { seed: 0 })).toEqual(principalComponents(handful, 2).scores);
  const same = umap(matrix(30, 3, new Float32Array(90).fill(1)), { seed: 0 });
  for (const value of same) expect(Number.isFinite(value)).toBe(true);
  expect(() => umap(digits, { seed: 0, neighbours: 1 })).toThrow(/neighbours must be .* from 2 on, got 1/);
  expect(() => umap(digits, { seed: 0, epochs: 0 })).toThrow(/epochs must be .* from 1 on, got 0/);
});

test("the nearest rows are those of plain comparison, the lower of two as near first", () => {
  const { indices, distances } = nearestRows(matrix(5, 1, Float32Array.of(0, 1, 2, 4, 8)), 2);
  expect(Array.from(indices)).toEqual([1, 2, 0, 2, 1, 0, 2, 1, 3, 2]);
  expect(Array.from(distances)).toEqual([1, 2, 1, 1, 1, 2, 2, 3, 4, 6]);
});

import { expect, test } from "vitest";
import { random } from "../random.ts";
import { type Matrix, matrix } from "../tensor.ts";
import type { FeatureBlocks } from "./feature-blocks.ts";
import { logistic } from "./logistic.ts";

/** Rows of correlated features in classes that overlap, the first class the rarest. */
function rowsOf(count: number, columns: number, classes: number): { features: Matrix; labels: Int32Array } {
  const source = random(11);
  const features = matrix(count, columns);
  const labels = Int32Array.from(
    { length: count },
    (_, i) => Math.max(i % classes, i % (classes + 1)) % classes,
  );
  for (let i = 0; i < count; i++) {
    const common = source.normal();
    for (let j = 0; j < columns; j++)
      features.data[i * columns + j] = common + source.normal() + (j % classes === labels[i] ? 0.7 : 0);
  }
  return { features, labels };
}

/** The rows in blocks, however few a block; `read` counts how often they were gone through. */
function blocksOf({ rows, columns, data }: Matrix, most: number): FeatureBlocks & { read: number } {
  const source = {
    rows,
    columns,
    read: 0,
    async *blocks(size: number) {
      source.read++;
      const step = Math.min(size, most);
      for (let at = 0; at < rows; at += step) {
        const count = Math.min(step, rows - at);
        yield matrix(count, columns, data.slice(at * columns, (at + count) * columns));
      }
    },
  };
  return source;
}

const difference = (a: Matrix, b: Matrix) =>
  a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);

for (const [classes, given] of [
  [2, { classWeights: "balanced" as const }],
  [4, { classWeights: [2, 1, 1, 0.5] }],
  [3, { weights: Float32Array.from({ length: 7000 }, (_, i) => (i % 3) / 2) }],
] as const)
  test(`${classes} classes: rows read in blocks give the model of rows in memory, strength and all`, async () => {
    const { features, labels } = rowsOf(7000, 8, classes);
    const context = () => ({ classes, random: random(1), ...given });
    const settings = { tolerance: 1e-9 };
    const inMemory = await logistic.fit(features, labels, settings, context());
    const source = blocksOf(features, 999);
    const streamed = await logistic.fitBlocks!(source, labels, settings, context());
    expect(streamed.chosen).toEqual(inMemory.chosen);
    expect(difference(streamed.predict(features), inMemory.predict(features))).toBeLessThan(1e-4);
    expect(source.read).toBeLessThan(30);
  });

test("fewer rows than columns, lengths kept", async () => {
  const { features, labels } = rowsOf(40, 60, 3);
  const settings = { normalise: false, strength: 0.1 };
  const context = () => ({ classes: 3, random: random(1) });
  const inMemory = await logistic.fit(features, labels, settings, context());
  const streamed = await logistic.fitBlocks!(blocksOf(features, 7), labels, settings, context());
  expect(difference(streamed.predict(features), inMemory.predict(features))).toBeLessThan(1e-4);
});

test("a feature that is no number is named by its row, and blocks that end early are refused", async () => {
  const { features, labels } = rowsOf(50, 4, 2);
  const context = { classes: 2, random: random(1) };
  const short = { ...blocksOf(features, 10), rows: 51 };
  await expect(logistic.fitBlocks!(short, Int32Array.of(...labels, 0), {}, context)).rejects.toThrow(
    /50 rows of features were read of 51/,
  );
  features.data[37 * 4 + 2] = Number.NaN;
  await expect(logistic.fitBlocks!(blocksOf(features, 10), labels, {}, context)).rejects.toThrow(
    /row 37 has a feature that is NaN/,
  );
});

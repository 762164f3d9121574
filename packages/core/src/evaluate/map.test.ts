import { expect, test } from "vitest";
import { random } from "../random.ts";
import { matrix } from "../tensor.ts";
import { embeddingMap } from "./map.ts";

/** Three clouds of 20-dimensional points, row i in cloud i % 3. */
function clouds(rows: number) {
  const source = random(4);
  const centres = Array.from({ length: 3 }, () => Array.from({ length: 20 }, () => 3 * source.normal()));
  const data = Float32Array.from(
    { length: rows * 20 },
    (_, o) => centres[Math.floor(o / 20) % 3]![o % 20]! + source.normal(),
  );
  return matrix(rows, 20, data);
}

test("clouds stay apart on the map, and the map is the same again", () => {
  const features = clouds(240);
  const map = embeddingMap(features, { seed: 1, most: 150 });
  expect(map.rows).toHaveLength(150);
  expect(embeddingMap(features, { seed: 1, most: 150 })).toEqual(map);
  expect(JSON.parse(JSON.stringify(map))).toEqual(map);
  let same = 0;
  for (let i = 0; i < 150; i++) {
    const distance = (j: number) =>
      j === i ? Number.POSITIVE_INFINITY : Math.hypot(map.x[i]! - map.x[j]!, map.y[i]! - map.y[j]!);
    const nearest = map.rows.reduce((best, _, j) => (distance(j) < distance(best) ? j : best), i);
    if (map.rows[nearest]! % 3 === map.rows[i]! % 3) same++;
  }
  expect(same).toBe(150);
  for (const v of [...map.x, ...map.y]) expect(v >= 0 && v <= 1).toBe(true);
});

test("sparse features give the map of the same features written out", () => {
  const dense = matrix(
    12,
    4,
    Float32Array.from({ length: 48 }, (_, o) => (o % 3 === 0 ? (o % 7) + 1 : 0)),
  );
  const cells = [...dense.data.keys()].filter((o) => dense.data[o] !== 0);
  const sparse = {
    rows: 12,
    columns: 4,
    offsets: Int32Array.from({ length: 13 }, (_, i) => cells.filter((o) => o < 4 * i).length),
    indices: Int32Array.from(cells, (o) => o % 4),
    values: Float32Array.from(cells, (o) => dense.data[o]!),
  };
  expect(embeddingMap(sparse, { seed: 0 })).toEqual(embeddingMap(dense, { seed: 0 }));
});

test("a handful of rows, and rows that are all alike, have a place too", () => {
  expect(embeddingMap(clouds(3), { seed: 0 }).method).toBe("principal components");
  expect(embeddingMap(matrix(1, 3), { seed: 0 })).toMatchObject({ rows: [0], x: [0.5], y: [0.5] });
  const same = embeddingMap(matrix(40, 3, new Float32Array(120).fill(2)), { seed: 0 });
  for (const v of [...same.x, ...same.y]) expect(Number.isFinite(v)).toBe(true);
});

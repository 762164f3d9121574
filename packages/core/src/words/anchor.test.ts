import { expect, test } from "vitest";
import { resolveSettings } from "../options.ts";
import { random } from "../random.ts";
import { startFrom } from "./anchor.ts";
import { embedModel } from "./embed-model.ts";
import { embedOptions } from "./embed-options.ts";
import { wordVectors } from "./word-vectors.ts";

const shape = { shortest: 3, longest: 4, buckets: 60 };
const source = random(2);
const drawn = (rows: number) => Float32Array.from({ length: rows * 5 }, () => source.normal());
const given = wordVectors({
  words: ["ship", "sailing", "bread"],
  dimension: 5,
  vectors: drawn(3),
  subwords: { ...shape, table: drawn(60) },
});
const vocabulary = { words: ["sailing", "kayak", "ship"], counts: Float64Array.of(9, 5, 2) };
const modelOf = (more: object = {}) =>
  embedModel(
    resolveSettings("embed", embedOptions, { dim: 5, subwords: true, ...shape, ...more }),
    vocabulary,
  );
const close = (values: Float32Array) => Array.from(values, (value) => expect.closeTo(value, 4));

test("a model of sub-words begins with the given ones, and its words have the given vectors", () => {
  const model = modelOf();
  expect(Array.from(startFrom(model, given).rows)).toEqual([1, -1, 0]);
  const begun = model.vectors();
  expect(Array.from(begun.subwords!.table)).toEqual(Array.from(given.subwords!.table));
  for (const word of ["sailing", "ship"])
    expect(Array.from(begun.vectorOf(word)!)).toEqual(close(given.vectorOf(word)!));
  // A word nobody has a vector for is made of the same sub-words before and after.
  expect(begun.vectorOf("sail")).toEqual(given.vectorOf("sail"));
});

test("what training moved is drawn back where an old word came, its sub-words too", () => {
  const model = modelOf();
  const start = startFrom(model, given);
  for (let i = 0; i < model.parameters.length; i++) model.parameters[i]! += 0.5;
  start.pull(Int32Array.of(0, 1, -1, 0), 0.05, 1e6);
  const after = model.vectors();
  expect(Array.from(after.vectorOf("sailing")!)).toEqual(close(given.vectorOf("sailing")!));
  expect(Math.abs(after.vectorOf("ship")![0]! - given.vectorOf("ship")![0]!)).toBeGreaterThan(0.1);
});

test("sub-words cut otherwise, or none, are refused", () => {
  expect(() => startFrom(modelOf({ longest: 5 }), given)).toThrow(/these have 3 to 4 in 60/);
  const none = wordVectors({ words: ["ship"], dimension: 5, vectors: drawn(1) });
  expect(() => startFrom(modelOf(), none)).toThrow(/these have none; leave out --subwords/);
});

import { float32, matrix, type Row } from "@graft-ml/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shortestFloat32 } from "./floats.ts";
import { csvOf, predictionForm, predictionsOf } from "./predictions.ts";

const text = (where: string, text: string): Row => ({
  where,
  input: { kind: "text", text },
  label: null,
  split: null,
  group: null,
  weight: 1,
});

test("the shortest decimal of a float32 reads back as the same float32", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Math.fround(Number(shortestFloat32(value)))).toBe(value === 0 ? 0 : value);
    }),
  );
  expect(shortestFloat32(Math.fround(0.1))).toBe("0.1");
});

test("a prediction is the likeliest class, the first of equals", () => {
  const probabilities = matrix(2, 2, float32([4], [0.5, 0.5, 0.25, 0.75]).data as Float32Array);
  const predictions = predictionsOf([text("a row 1", "x"), text("a row 2", "y")], probabilities, [
    "no",
    "yes",
  ]);
  expect(predictions.map(({ label, probability }) => [label, probability])).toEqual([
    ["no", 0.5],
    ["yes", 0.75],
  ]);
});

test("CSV quotes commas, quotes, line breaks and outer spaces", () => {
  const probabilities = matrix(1, 2, Float32Array.of(1, 0));
  const csv = csvOf(predictionsOf([text("t row 1", 'a "b",\nc')], probabilities, ["x,y", " z"]), [
    "x,y",
    " z",
  ]);
  expect(csv).toBe('input,text,label,probability,"p:x,y",p: z\nt row 1,"a ""b"",\nc","x,y",1,1,0\n');
});

test("an ending that is no form is refused by name", () => {
  expect(() => predictionForm("out.xlsx")).toThrow(/out\.xlsx.*\.csv or \.jsonl/);
});

import { describe, expect, it } from "vitest";
import { linear, slantedTriangular, warmup } from "./schedules.ts";

describe("schedules", () => {
  it("slanted triangular: up in a tenth of the steps, slowly down to 1/32, as in equation 3 of ULMFiT", () => {
    const rate = slantedTriangular(100);
    expect([0, 5, 10, 55, 100, 120].map(rate)).toEqual([1 / 32, 16.5 / 32, 1, 16.5 / 32, 1 / 32, 1 / 32]);
    expect(slantedTriangular(4)(1)).toBeGreaterThan(0.5); // a rise of less than a step is one
  });
  it("linear: straight down and then flat, also behind a warm-up", () => {
    expect([0, 5, 10, 11].map(linear(10))).toEqual([1, 0.5, 0, 0]);
    expect([0, 2, 4, 9].map(linear(4, 0.5))).toEqual([1, 0.75, 0.5, 0.5]);
    expect([0, 1, 2, 4, 6].map(warmup(2, linear(4)))).toEqual([0, 0.5, 1, 0.5, 0]);
  });
});

import { describe, expect, it } from "vitest";
import { random, restoreRandom } from "./random.ts";

describe("random", () => {
  it("gives the same numbers for the same seed and others for another", () => {
    const draw = (seed: number) =>
      Array.from(
        { length: 5 },
        (
          () => (r) => () =>
            r.uniform()
        )()(random(seed)),
      );
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it("goes on from a saved state", () => {
    const source = random(3);
    source.normal();
    const restored = restoreRandom(source.state());
    expect([restored.uniform(), restored.integer(1000)]).toEqual([source.uniform(), source.integer(1000)]);
  });

  it("draws uniforms whose mean and variance are those of [0, 1)", () => {
    const source = random(1);
    const draws = Array.from({ length: 20000 }, () => source.uniform());
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.003);
  });

  it("permutes without losing or repeating a number, each place equally often", () => {
    const source = random(5);
    const first = new Array(4).fill(0);
    for (let i = 0; i < 8000; i++) {
      const order = source.permutation(4);
      expect([...order].sort()).toEqual([0, 1, 2, 3]);
      first[order[0]!]++;
    }
    for (const count of first) expect(Math.abs(count - 2000)).toBeLessThan(200);
  });

  it("forks sources that neither move nor repeat their parent", () => {
    const source = random(9);
    const before = source.state();
    const [a, b] = [source.fork("a"), source.fork("b")];
    expect(source.state()).toEqual(before);
    expect(a.uniform()).not.toBe(b.uniform());
    expect(source.fork("a").uniform()).toBe(random(9).fork("a").uniform());
  });

  it("refuses a bound that no integer is below", () => {
    expect(() => random(0).integer(0)).toThrow(RangeError);
  });
});

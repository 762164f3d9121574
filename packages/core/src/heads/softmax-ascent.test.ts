import { expect, test } from "vitest";
import { random } from "../random.ts";
import { solve, solveLogistic } from "./softmax-ascent.ts";

test("log p + q p is z less a constant, and p sums to one, for gentle and for hard rows", () => {
  const source = random(5);
  for (const q of [1e-3, 0.5, 10, 1e3, 1e6])
    for (const K of [2, 3, 7, 20])
      for (let draw = 0; draw < 20; draw++) {
        const z = Float64Array.from({ length: K }, () => 10 * source.normal());
        z[draw % K]! += q;
        const p = new Float64Array(K);
        expect(solve(z, q, new Float64Array(K).fill(-Math.log(K)), p)).toBe(true);
        expect(p.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1, 12);
        const main = p.indexOf(Math.max(...p));
        const constant = (k: number) => z[k]! - Math.log(p[k]!) - q * p[k]!;
        for (let k = 0; k < K; k++)
          if (p[k]! > 1e-4)
            expect(Math.abs(constant(k) - constant(main))).toBeLessThan(1e-3 * Math.max(1, q * p[k]!));
      }
});

test("of two classes s + q p(s) is z", () => {
  const source = random(6);
  for (const q of [1e-3, 0.5, 10, 1e3, 1e6])
    for (let draw = 0; draw < 50; draw++) {
      const z = 10 * source.normal() + q * source.uniform();
      const p = solveLogistic(z, q, 0);
      expect(Math.log(p / (1 - p)) + q * p).toBeCloseTo(z, 3);
    }
});

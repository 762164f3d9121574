import { random } from "@graft-ml/core";
import { describe, expect, it } from "vitest";
import { cooledLoss } from "./cooled-loss.ts";

/** Logits under which labels are drawn, made too sure by a factor. */
function drawn(rows: number, factor: number) {
  const source = random(3);
  const data = new Float64Array(rows * 2);
  const labels = Array.from({ length: rows }, (_, i) => {
    const logit = 2 * source.normal();
    data[2 * i + 1] = factor * logit;
    return source.uniform() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
  });
  return { logits: { rows, columns: 2, data }, labels };
}

describe("the log loss at the temperature that suits held-out rows", () => {
  it("is the same however sure the logits are", () => {
    const [plain, sure] = [drawn(4000, 1), drawn(4000, 3)];
    const a = cooledLoss(plain.logits, plain.labels, null);
    const b = cooledLoss(sure.logits, sure.labels, null);
    expect(a.temperature).toBeCloseTo(1, 1);
    expect(b.temperature / a.temperature).toBeCloseTo(3, 1);
    expect(b.loss).toBeCloseTo(a.loss, 3);
  });

  it("stays finite where every row is right, so that few rows cannot sharpen without end", () => {
    const logits = { rows: 4, columns: 2, data: Float64Array.of(1, 0, 0, 1, 1, 0, 0, 1) };
    const { loss, temperature } = cooledLoss(logits, [0, 1, 0, 1], null);
    expect(temperature).toBeGreaterThan(0.1);
    expect(temperature).toBeLessThan(1);
    expect(loss).toBeGreaterThan(0.01);
  });

  it("weighs rows", () => {
    const { logits, labels } = drawn(50, 2);
    const twice = {
      rows: 100,
      columns: 2,
      data: Float64Array.from([...logits.data, ...logits.data]),
    };
    const weighed = cooledLoss(logits, labels, Array<number>(50).fill(2));
    const repeated = cooledLoss(twice, [...labels, ...labels], null);
    expect(weighed.temperature).toBeCloseTo(repeated.temperature, 6);
    expect(weighed.loss).toBeCloseTo(repeated.loss, 9);
  });
});

import { describe, expect, test } from "vitest";
import { random } from "../random.ts";
import { GROUP, rounds, scratchLayout, strideOf, trainKernel } from "./embed-kernel.ts";

interface Group {
  readonly outputs: readonly number[];
  readonly labels: readonly number[];
  readonly rate: number;
}

/** A record worked off as the formulas have it, in float64. */
function reference(
  inputs: number[][],
  outputs: number[][],
  rows: number[],
  groups: Group[],
  isMean: boolean,
) {
  const D = inputs[0]!.length;
  const mean = Array.from(
    { length: D },
    (_, d) => rows.reduce((sum, r) => sum + inputs[r]![d]!, 0) / rows.length,
  );
  const before = [...mean];
  for (const { outputs: ids, labels, rate } of groups) {
    const xs = isMean ? [mean] : rows.map((r) => inputs[r]!);
    const slopes = xs.map((x) =>
      ids.map((o, k) => {
        const product = x.reduce((sum, value, d) => sum + value * outputs[o]![d]!, 0);
        return (labels[k]! - 1 / (1 + Math.exp(-product))) * rate;
      }),
    );
    const old = ids.map((o) => [...outputs[o]!]);
    for (const [i, x] of xs.entries())
      for (let d = 0; d < D; d++) {
        const value = x[d]!;
        for (const [k, o] of ids.entries()) {
          x[d]! += slopes[i]![k]! * old[k]![d]!;
          outputs[o]![d]! += slopes[i]![k]! * value;
        }
      }
  }
  if (isMean) for (const r of rows) for (let d = 0; d < D; d++) inputs[r]![d]! += mean[d]! - before[d]!;
}

describe.each([
  ["every input alone", false],
  ["the mean of the inputs", true],
])("a step of training, %s", (_, isMean) => {
  test.each([1, 4, 17, 50, 100])("is that of the formulas for %d numbers a word", (D) => {
    const source = random(D);
    const stride = strideOf(D);
    const layout = scratchLayout(stride, 10);
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 4 });
    const [floats, integers] = [new Float32Array(memory.buffer), new Int32Array(memory.buffer)];
    const draw = () => Array.from({ length: D }, () => Math.fround(source.normal()));
    const [inputs, outputs] = [Array.from({ length: 5 }, draw), Array.from({ length: 12 }, draw)];
    const [inputsAt, outputsAt] = [2 ** 17, 2 ** 17 + 5 * stride];
    const place = (rows: number[][], at: number) => {
      for (const [i, row] of rows.entries()) floats.set(row, (at + i * stride) / 4);
    };
    place(inputs, inputsAt);
    place(outputs, outputsAt);
    const rows = [0, 2, 4];
    const groups: Group[] = [
      { outputs: [0, 3, 5, 6, 8, 11], labels: [1, 0, 0, 0, 0, 0], rate: 0.3 },
      { outputs: [1, 2, 4, 7], labels: [0, 1, 0, 1], rate: 0.2 }, // fewer than six
    ];
    let at = layout.records / 4;
    integers.set([rows.length, isMean ? 1 : 0, groups.length, 0], at);
    at += 4;
    for (const r of rows) integers[at++] = inputsAt + r * stride;
    for (const { outputs: ids, labels, rate } of groups) {
      for (let k = 0; k < 8; k++) {
        integers[at + k] = k < ids.length ? outputsAt + ids[k]! * stride : layout.nothing;
        floats[at + 8 + k] = labels[k] ?? 0;
        floats[at + 16 + k] = k < ids.length ? rate : 0;
      }
      at += 24;
    }
    trainKernel(D, 10, memory, false)!(layout.records, 4 * at, 0);
    reference(inputs, outputs, rows, groups, isMean);
    for (const [expected, from] of [
      [inputs, inputsAt],
      [outputs, outputsAt],
    ] as const)
      for (const [i, row] of expected.entries())
        for (const [d, value] of row.entries())
          expect(floats[(from + i * stride) / 4 + d]).toBeCloseTo(value, 4);
    for (let d = 0; d < stride / 4; d++) expect(floats[layout.nothing / 4 + d]).toBe(0);
    expect(groups[0]!.outputs).toHaveLength(GROUP);
  });
});

test("rows are filled up as little as the rounds of the inner loop allow", () => {
  expect(rounds(100)).toEqual({ vectors: 25, unrolled: 5 });
  expect(rounds(300)).toEqual({ vectors: 75, unrolled: 5 });
  expect(rounds(50).vectors).toBe(14);
});

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { arenaOf, type Numbers } from "../../optim/arena.ts";
import { random } from "../../random.ts";
import type { Tensor } from "../../tensor.ts";
import { innerProduct, type LossWeighting, type StepPart, sharedSlots } from "./weighting.ts";
import * as weightings from "./weightings/index.ts";

interface Golden {
  readonly problem: {
    readonly A: number[][][];
    readonly B: number[][];
    readonly b: number[][];
    readonly c: number[];
    readonly x: number[];
    readonly h: number[];
    readonly rate: number;
    readonly perEpoch: number;
  };
  readonly methods: Record<
    string,
    { readonly log: { x: number[]; h: number[] }[]; readonly memory: Record<string, number[]> }
  >;
}
const { problem, methods } = JSON.parse(
  readFileSync(new URL("../../../../../test/golden/multitask.json", import.meta.url), "utf8"),
) as Golden;
const all: Readonly<Record<string, LossWeighting>> = weightings;
const double = (data: readonly number[]): Tensor => ({
  dtype: "float64",
  shape: [data.length],
  data: Float64Array.from(data),
});

/** Gradient descent on the problem of scripts/golden-multitask.py; one parameter x for all tasks, one h for each. */
function descended(weighting: LossWeighting, steps: number, tasks: number) {
  const { A, B, b, c, rate, perEpoch } = problem;
  const arena = arenaOf(
    new Map([["x", double(problem.x)], ...problem.h.map((h, i) => [`h${i}`, double([h])] as const)]),
  );
  const slot = (name: string) => arena.slots.find((one) => one.name === name)!;
  const memory = weighting.start(tasks);
  const log: { x: number[]; h: number[] }[] = [];
  for (let step = 0; step < steps; step++) {
    const at = (name: string) =>
      Array.from(arena.data.subarray(slot(name).offset, slot(name).offset + slot(name).length));
    const x = at("x");
    const parts: StepPart[] = Array.from({ length: tasks }, (_, i) => {
      const gap = A[i]!.map(
        (row, r) => row.reduce((sum, a, k) => sum + a * x[k]!, 0) + B[i]![r]! * at(`h${i}`)[0]! - b[i]![r]!,
      );
      const gradient = new Float64Array(arena.data.length);
      for (const [r, one] of gap.entries()) {
        for (const [k, a] of A[i]![r]!.entries()) gradient[slot("x").offset + k]! += a * one;
        gradient[slot(`h${i}`).offset]! += B[i]![r]! * one;
      }
      const loss = gap.reduce((sum, one) => sum + one * one, 0) / 2 + c[i]!;
      return { task: i, loss, gradient, slots: [slot("x"), slot(`h${i}`)] };
    });
    const factors = weighting.weigh(
      { parts, tasks, epoch: Math.floor(step / perEpoch), step, random: random(step) },
      memory,
    );
    for (const [i, { gradient, slots }] of parts.entries())
      for (const { offset, length } of slots)
        for (let k = offset; k < offset + length; k++) arena.data[k]! -= rate * factors[i]! * gradient[k]!;
    log.push({ x: at("x"), h: problem.h.map((_, i) => at(`h${i}`)[0]!) });
  }
  return { log, memory };
}

describe.each(Object.keys(all))("%s", (name) => {
  const weighting = all[name]!;
  const golden = methods[name]!;

  test("goes the way that PyTorch goes with the published loss, step by step", () => {
    const tasks = name === "pcgrad" ? 2 : 3;
    const { log, memory } = descended(weighting, golden.log.length, tasks);
    for (const [step, { x, h }] of golden.log.entries()) {
      for (const [k, one] of x.entries()) expect(log[step]!.x[k], `x after step ${step}`).toBeCloseTo(one, 9);
      for (const [k, one] of h.entries()) expect(log[step]!.h[k], `h after step ${step}`).toBeCloseTo(one, 9);
    }
    for (const [key, values] of Object.entries(golden.memory))
      for (const [k, one] of values.entries()) expect(memory[key]![k], key).toBeCloseTo(one, 9);
  });

  test("says what it is, and refuses settings it has not", () => {
    expect(weighting.about.length).toBeGreaterThan(10);
    for (const option of Object.values(weighting.options)) expect(option.about.length).toBeGreaterThan(5);
  });
});

test("an uncertainty rests where its variance is the loss", () => {
  const memory = weightings.uncertainty.start(1);
  const part: StepPart = { task: 0, loss: 0.3, gradient: new Float64Array(1), slots: [] };
  for (let step = 0; step < 3000; step++)
    weightings.uncertainty.weigh({ parts: [part], tasks: 1, epoch: 0, step, random: random(0) }, memory);
  expect(Math.exp(memory.logVariance![0]!)).toBeCloseTo(0.3, 3);
});

test("projected gradients do not point against the tasks they conflicted with, and their own parameters stay", () => {
  const arena = arenaOf(
    new Map([
      ["shared", double([0, 0])],
      ["a", double([0])],
      ["b", double([0])],
    ]),
  );
  const [shared, a, b] = arena.slots as [
    (typeof arena.slots)[0],
    (typeof arena.slots)[0],
    (typeof arena.slots)[0],
  ];
  const gradient = (values: readonly number[], own: number, at: number): Numbers => {
    const made = new Float64Array(arena.data.length);
    made.set(values, shared.offset);
    made[at] = own;
    return made;
  };
  const parts: StepPart[] = [
    { task: 0, loss: 1, gradient: gradient([1, 0.5], 7, a.offset), slots: [shared, a] },
    { task: 1, loss: 1, gradient: gradient([-1, 0.5], -7, b.offset), slots: [shared, b] },
  ];
  const before = parts.map((part) => part.gradient.slice() as Numbers);
  expect(sharedSlots(parts)).toEqual([shared]);
  weightings.pcgrad.weigh({ parts, tasks: 2, epoch: 0, step: 0, random: random(0) }, {});
  expect(innerProduct(parts[0]!.gradient, before[1]!, [shared])).toBeCloseTo(0, 12);
  expect(innerProduct(parts[1]!.gradient, before[0]!, [shared])).toBeCloseTo(0, 12);
  expect([parts[0]!.gradient[a.offset], parts[1]!.gradient[b.offset]]).toEqual([7, -7]);
});

import { describe, expect, test } from "vitest";
import { proposeGroups } from "./affinity.ts";
import * as samplers from "./samplers.ts";
import { jointSchedule, type TaskBatch } from "./schedule.ts";

const sizes = [64, 16, 4];
const close = (got: readonly number[], wanted: readonly number[]) => {
  for (const [i, one] of wanted.entries()) expect(got[i]).toBeCloseTo(one, 12);
};

describe("samplers", () => {
  test("share the turns by the powers of the tasks' sizes", () => {
    close(samplers.proportional.shares(sizes, 0), [64 / 84, 16 / 84, 4 / 84]);
    close(samplers.uniform.shares(sizes, 0.5), [1 / 3, 1 / 3, 1 / 3]);
    close(samplers.temperature.shares(sizes, 0), [8 / 14, 4 / 14, 2 / 14]);
    close(samplers.temperature.shares(sizes, 0, { temperature: 1 }), samplers.proportional.shares(sizes, 0));
    close(samplers.annealed.shares(sizes, 0), samplers.proportional.shares(sizes, 0));
    const last = sizes.map((size) => size ** 0.2);
    const total = last.reduce((sum, one) => sum + one);
    close(
      samplers.annealed.shares(sizes, 1),
      last.map((one) => one / total),
    );
  });
  test("refuse tasks without a batch, and settings they have not", () => {
    expect(() => samplers.uniform.shares([3, 0], 0)).toThrow(/a batch at least, got sizes 3, 0/);
    expect(() => samplers.uniform.shares([3], 0, { temperature: 2 })).toThrow(/no setting "temperature"/);
  });
});

describe("a joint schedule", () => {
  const flat = (made: ReturnType<typeof jointSchedule>, epochs: number): TaskBatch[] =>
    Array.from({ length: epochs }, (_, epoch) => made.steps(epoch).flat()).flat();

  test("by size has every batch of every task once an epoch, mixed, and the same for the same seed", () => {
    const options = { sizes: [6, 3], epochs: 2, sampling: samplers.proportional, seed: 4 };
    const made = jointSchedule(options);
    for (const epoch of [0, 1]) {
      const batches = made.steps(epoch).flat();
      for (const [task, size] of [6, 3].entries()) {
        const own = batches.filter((one) => one.task === task);
        expect(own).toEqual(Array.from({ length: size }, (_, index) => ({ task, pass: epoch, index })));
      }
    }
    expect(made.total).toBe(18);
    expect(jointSchedule(options).steps(1)).toEqual(made.steps(1));
    expect(jointSchedule({ ...options, seed: 5 }).steps(1)).not.toEqual(made.steps(1));
    expect(
      made
        .steps(0)
        .map(([one]) => one!.task)
        .join(""),
    ).not.toBe("000000111");
  });

  test("goes through a task's rows pass by pass whatever its share, with as many batches in all", () => {
    for (const sampling of [samplers.uniform, samplers.temperature, samplers.annealed, "together"] as const) {
      const made = jointSchedule({ sizes: [7, 2], epochs: 3, sampling, seed: 0 });
      const batches = flat(made, 3);
      expect(batches.length).toBeLessThanOrEqual(27);
      expect(batches.length).toBeGreaterThanOrEqual(24);
      for (const [task, size] of [7, 2].entries()) {
        const own = batches.filter((one) => one.task === task);
        for (const [i, one] of own.entries())
          expect(one).toEqual({ task, pass: Math.floor(i / size), index: i % size });
      }
    }
  });

  test("together has every task in each step", () => {
    const made = jointSchedule({ sizes: [7, 2], epochs: 1, sampling: "together", seed: 0 });
    expect(made.total).toBe(4);
    for (const step of made.steps(0)) expect(step.map(({ task }) => task)).toEqual([0, 1]);
  });
});

test("tasks that help each other are grouped, one that harms and is harmed is left alone", () => {
  const table = [
    [0.5, 0.2, -0.3],
    [0.1, 0.5, -0.2],
    [-0.1, -0.4, 0.9],
  ];
  expect(proposeGroups(table)).toEqual([[0, 1], [2]]);
  expect(
    proposeGroups([
      [1, 0.1],
      [0.2, 1],
    ]),
  ).toEqual([[0, 1]]);
  expect(() => proposeGroups(Array.from({ length: 10 }, () => []))).toThrow(/10 tasks/);
});

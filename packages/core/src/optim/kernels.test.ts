import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { float32 } from "../tensor.ts";
import { type Arena, arenaOf, zerosFor } from "./arena.ts";
import { blend, scale } from "./blend.ts";
import * as optimizers from "./index.ts";
import { kernelMemory } from "./kernels.ts";
import { initialState, type Optimizer } from "./optimizer.ts";

const normal = (seed: number, length: number, size = 1) => {
  const source = random(seed);
  return Array.from({ length }, () => size * source.normal());
};
/** Lengths that are multiples of four and not; rates and decays of their own. */
const arena = (): Arena =>
  arenaOf(
    new Map(
      [4000, 1, 3, 530, 18, 7].map((length, i) => [`p${i}`, float32([length], normal(i, length))] as const),
    ),
    (name) => ({ rate: name === "p3" ? 0.5 : 1, decay: name === "p1" ? 0 : 1 }),
  );

const settings: [keyof typeof optimizers, Record<string, unknown>][] = [
  ["sgd", {}],
  ["sgd", { weightDecay: 0.1 }],
  ["sgd", { momentum: 0.9 }],
  ["sgd", { momentum: 0.9, dampening: 0.3, weightDecay: 0.01 }],
  ["sgd", { momentum: 0.8, nesterov: true, weightDecay: 0.01 }],
  ["adam", {}],
  ["adam", { weightDecay: 0.1, beta1: 0.8, beta2: 0.99, epsilon: 1e-6 }],
  ["adam", { amsgrad: true }],
  ["adamw", {}],
  ["adamw", { weightDecay: 0.3, epsilon: 1e-4 }],
];

describe("kernels of vector instructions", () => {
  it.each(settings)("%s %o does what the loop in JavaScript does", (name, given) => {
    const optimizer = (optimizers as Record<string, Optimizer>)[name]!;
    const fast = arena();
    const plain: Arena = { ...arena(), memory: null };
    expect(fast.memory).not.toBeNull();
    const [fastState, plainState] = [initialState(optimizer, fast), initialState(optimizer, plain)];
    const [fastGradients, plainGradients] = [zerosFor(fast), zerosFor(plain)];
    for (let step = 1; step <= 20; step++) {
      const size = 10 ** ((step % 7) - 4);
      for (const { offset, length } of fast.slots)
        fastGradients.set(normal(100 * step + offset, length, size), offset);
      plainGradients.set(fastGradients);
      optimizer.step(fast, fastGradients, fastState, given, { step, rate: 0.01 });
      optimizer.step(plain, plainGradients, plainState, given, { step, rate: 0.01 });
    }
    const pairs = [
      [fast.data, plain.data],
      ...optimizer.state.map((one) => [fastState[one]!, plainState[one]!]),
    ];
    for (const [a, b] of pairs) {
      const most = b!.reduce((x, y) => Math.max(x, Math.abs(y)), 0);
      expect(Math.max(...a!.map((x, i) => Math.abs(x - b![i]!)))).toBeLessThanOrEqual(1e-6 * most);
    }
    expect(fast.data).not.toEqual(arena().data);
    const used = new Set(
      fast.slots.flatMap(({ offset, length }) => Array.from({ length }, (_, i) => offset + i)),
    );
    expect([...fast.data].filter((x, i) => x !== 0 && !used.has(i))).toEqual([]);
  });

  it("are what updates an arena whose arrays lie in its memory, and no other", () => {
    const calls: string[] = [];
    const one = arena();
    const watched = Object.fromEntries(
      Object.entries(one.memory!.kernels).map(([name, kernel]) => [
        name,
        (...numbers: number[]) => {
          calls.push(name);
          kernel(...numbers);
        },
      ]),
    );
    const spied = { ...one, memory: { buffer: one.memory!.buffer, kernels: watched as never } };
    const state = initialState(optimizers.adamw, one);
    optimizers.adamw.step(spied, zerosFor(one), state, {}, { step: 1, rate: 0.1 });
    expect(new Set(calls)).toEqual(new Set(["adam"]));
    calls.length = 0;
    optimizers.adamw.step(spied, new Float32Array(one.data.length), state, {}, { step: 1, rate: 0.1 });
    expect(calls).toEqual([]);
  });

  it("blend arrays to the bytes of the loop in JavaScript, whole and in part", () => {
    const fast = arena();
    const plain: Arena = { ...arena(), memory: null };
    const [y, x] = [zerosFor(fast), zerosFor(fast)];
    y.set(normal(1, y.length));
    x.set(normal(2, x.length));
    const expected = y.slice();
    const span = { from: 16, to: 4001 };
    blend(fast, y, 0.9, x, 0.1, span);
    blend(plain, expected, 0.9, x, 0.1, span);
    scale(fast, y, 0.25);
    scale(plain, expected, 0.25);
    expect(y).toEqual(expected);
    expect(y[15]).toBe(0.25 * Math.fround(normal(1, 16)[15]!));
  });

  it("leave denormal numbers out, as the loop does", () => {
    const one = arena();
    const state = initialState(optimizers.adam, one);
    const gradients = zerosFor(one).fill(1e-20);
    optimizers.adam.step(one, gradients, state, {}, { step: 1, rate: 0.1 });
    expect(state.square![0]).toBe(0);
    expect(state.average![0]).toBeCloseTo(1e-21, 25);
  });

  it("are not there for more memory than a platform has", () => {
    expect(kernelMemory(2 ** 33)).toBeNull();
  });

  it("give arrays of their own when the memory is used up, and small arenas none", () => {
    const one = arena();
    const arrays = Array.from({ length: 10 }, () => zerosFor(one));
    for (const [i, array] of arrays.entries()) array.fill(i + 1);
    expect(arrays.map((array) => new Set(array))).toEqual(arrays.map((_, i) => new Set([i + 1])));
    expect(arenaOf(new Map([["x", float32([2], [1, 2])]])).memory).toBeNull();
  });
});

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { arenaOf, zerosFor } from "./arena.ts";
import { clipNorm } from "./clip.ts";
import * as optimizers from "./index.ts";
import { initialState, type Optimizer } from "./optimizer.ts";
import * as schedules from "./schedules.ts";

const path = new URL("../../../../../shared/data/torch_reference/torch_reference.json", import.meta.url);
const isThere = existsSync(path);
if (!isThere) console.info(`optim: ${path.pathname} is absent, so traces are not compared with PyTorch's`);
// biome-ignore lint/suspicious/noExplicitAny: a file of numbers
const cases: any = isThere ? JSON.parse(readFileSync(path, "utf8")).cases : {};

describe.skipIf(!isThere)("optimizers as PyTorch has them, 10 steps in float64", () => {
  const { runs = {}, Q, b, x0 } = cases._optimizers ?? {};
  it.each(Object.keys(runs))("%s", (name) => {
    const { defaults, trace } = runs[name];
    const { lr, weight_decay, betas, eps, ...rest } = defaults;
    const kind = name.replace(/_.*/, "");
    const optimizer = (optimizers as Record<string, Optimizer>)[kind]!;
    const given: Record<string, unknown> = { weightDecay: weight_decay };
    if (betas) Object.assign(given, { beta1: betas[0], beta2: betas[1] });
    if (eps !== undefined) given.epsilon = eps;
    const names: Record<string, string> = { momentum_decay: "momentumDecay" };
    for (const [key, value] of Object.entries(rest))
      if ((names[key] ?? key) in optimizer.options) given[names[key] ?? key] = value;
    const x = { dtype: "float64" as const, shape: [4], data: Float64Array.from(x0.data) };
    const arena = arenaOf(new Map([["x", x]]), () => ({ decay: 1 }));
    const state = initialState(optimizer, arena);
    for (const [i, expected] of trace.entries()) {
      const gradient = zerosFor(arena);
      for (let r = 0; r < 4; r++) {
        gradient[r] = -b.data[r];
        for (let c = 0; c < 4; c++) gradient[r] = gradient[r]! + Q.data[r * 4 + c] * arena.data[c]!;
      }
      optimizer.step(arena, gradient, state, given, { step: i + 1, rate: lr });
      for (let r = 0; r < 4; r++) expect(arena.data[r], `step ${i + 1}`).toBeCloseTo(expected[r], 9);
    }
  });
  it("clips to PyTorch's length", () => {
    const { grads, total_norm, clipped } = cases._clip_grad_norm_1;
    const tensors = grads.map((g: { shape: number[]; data: number[] }) => ({
      dtype: "float64",
      shape: g.shape,
      data: Float64Array.from(g.data),
    }));
    const arena = arenaOf(new Map(tensors.map((tensor: never, i: number) => [`${i}`, tensor])));
    expect(clipNorm(arena, arena.data, 1)).toBeCloseTo(total_norm, 9);
    for (const [i, slot] of arena.slots.entries())
      for (let j = 0; j < slot.length; j++)
        expect(arena.data[slot.offset + j]).toBeCloseTo(clipped[i].data[j], 9);
  });
});

describe("every optimizer", () => {
  it.each(Object.entries(optimizers as Record<string, Optimizer>))(
    "%s goes downhill and keeps to its slots",
    (_name, optimizer) => {
      const w = { dtype: "float32" as const, shape: [2, 3], data: Float32Array.of(1, -2, 3, -1, 2, -3) };
      const v = { dtype: "float32" as const, shape: [3], data: Float32Array.of(1, 1, 1) };
      const arena = arenaOf(
        new Map([
          ["w", w],
          ["v", v],
        ]),
      );
      const state = initialState(optimizer, arena);
      const length = () => arena.data.reduce((sum, x) => sum + x * x, 0);
      const start = length();
      for (let step = 1; step <= 30; step++)
        optimizer.step(arena, arena.data.slice(), state, {}, { step, rate: 0.05 });
      expect(length()).toBeLessThan(start);
      expect([...arena.data.subarray(6, 16)]).toEqual(new Array(10).fill(0));
      expect([...arena.data.subarray(19)]).toEqual(new Array(arena.data.length - 19).fill(0));
    },
  );
  it("lion moves every element by the same amount", () => {
    const arena = arenaOf(new Map([["v", { dtype: "float32", shape: [3], data: Float32Array.of(1, 1, 1) }]]));
    const gradients = Float32Array.from({ length: 16 }, (_, i) => [5, -0.1, 0][i] ?? 0);
    optimizers.lion.step(arena, gradients, initialState(optimizers.lion, arena), {}, { step: 1, rate: 0.25 });
    expect([...arena.data.subarray(0, 3)]).toEqual([0.75, 1.25, 1]);
  });
});

describe.skipIf(!isThere)("schedules as PyTorch has them", () => {
  const {
    stepwise,
    multistep,
    exponential,
    cosine,
    cosineRestarts,
    oneCycle,
    warmup,
    polynomial,
    triangular,
    constant,
  } = schedules;
  const made: Record<string, schedules.Schedule> = {
    "step_30_0.1": stepwise(3),
    multistep: multistep([2, 6], 0.5),
    exp: exponential(0.9),
    cosine_T10: cosine(10, 0.01),
    cosine_restart_T4_m2: cosineRestarts(4, 2),
    onecycle_12: oneCycle(12),
    linear_warmup_5: warmup(5, constant(), 0.1),
    poly_10_2: polynomial(10, 2),
    cyclic_tri: triangular(3, 0.1),
  };
  it.each(Object.entries(cases._lr_schedules_base_lr_1 ?? {}))("%s", (name, values) => {
    // PyTorch's cosine rises again after its end; here it stays.
    const expected = (values as number[]).slice(0, name === "cosine_T10" ? 11 : 12);
    expected.forEach((value, step) => void expect(made[name]!(step), `step ${step}`).toBeCloseTo(value, 9));
  });
});

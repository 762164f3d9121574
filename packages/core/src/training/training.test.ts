import { existsSync, readFileSync } from "node:fs";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { countedRuns } from "../../../../test/counted-runs.ts";
import { gradients } from "../autodiff/gradients.ts";
import { build, emptyGraph } from "../ir/build.ts";
import type { Graph, Model, Value } from "../ir/graph.ts";
import { writeModel } from "../onnx/write.ts";
import { type Formula, formulas } from "../ops/formula.ts";
import { adamw, sgd } from "../optim/index.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { float32, type Tensor } from "../tensor.ts";
import * as losses from "./losses.ts";
import { planTraining, withParameters } from "./plan.ts";
import { findRate } from "./rate-finder.ts";
import { readState, type TrainingState, writeState } from "./state.ts";
import { type TrainOptions, train } from "./train.ts";

const runtime = ort(module as never);
const modelOf = (graph: Graph): Model => ({
  graph,
  opsets: new Map([["", 17]]),
  irVersion: 8,
  producer: { name: "", version: "" },
  domain: "",
  modelVersion: 0n,
  doc: "",
  metadata: new Map(),
});

/** Two inputs, a hidden layer of 8, two classes. */
function network(): Model {
  const graph = emptyGraph("mlp");
  const b = build(graph);
  const source = random(1);
  const weights = (shape: number[], name: string) =>
    b.constant(
      float32(
        shape,
        Array.from({ length: shape.reduce((x, y) => x * y) }, () => source.normal() * 0.7),
      ),
      name,
    );
  const x = b.input("x", "float32", ["batch", 2]);
  const hidden = b.apply("Relu", [b.apply("Gemm", [x, weights([2, 8], "w1"), weights([8], "b1")])]);
  graph.outputs.push(
    b.apply("Gemm", [hidden, weights([8, 2], "w2"), weights([2], "b2")], {}, { name: "logits" }),
  );
  return modelOf(graph);
}

const plan = (which = (_name: string) => true) =>
  planTraining(network(), {
    train: which,
    loss: (g, graph, input) =>
      losses.crossEntropy(g, graph.outputs[0]!, input("targets", "float32", ["batch", 2])),
  });

/** Exclusive or, with noise. */
function* batches(epoch: number, from: number): Iterable<Feeds> {
  for (let i = from; i < 8; i++) {
    const source = random(epoch * 100 + i);
    const labels: number[] = [];
    const x = Array.from({ length: 16 }, () => {
      const [a, b] = [source.integer(2), source.integer(2)];
      labels.push(a ^ b);
      return [2 * a - 1 + 0.2 * source.normal(), 2 * b - 1 + 0.2 * source.normal()];
    }).flat();
    yield { x: float32([16, 2], x), targets: losses.classTargets(labels, 2) };
  }
}
const usual: TrainOptions = { runtime, optimizer: adamw, rate: 0.03, epochs: 12, batches };

describe("training", () => {
  it("learns exclusive or, and the model with the result has it", async () => {
    const { losses: curve, parameters } = await train(plan(), usual);
    expect(curve[0]).toBeGreaterThan(0.4);
    expect(curve.at(-1)).toBeLessThan(0.1);
    const session = await runtime.load(writeModel(withParameters(network(), parameters)));
    const { logits } = await session.run({ x: float32([4, 2], [1, 1, 1, -1, -1, 1, -1, -1]) });
    const data = logits!.data as Float32Array;
    expect([0, 1, 2, 3].map((i) => Number(data[2 * i + 1]! > data[2 * i]!))).toEqual([0, 1, 1, 0]);
  });

  it("differentiates nothing below the lowest trained parameter", async () => {
    const small = plan((name) => name.endsWith("2"));
    expect([...small.parameters.keys()]).toEqual(["w2", "b2"]);
    expect(small.model.graph.nodes.length).toBeLessThan(plan().model.graph.nodes.length);
    expect([...small.model.graph.initializers.keys()].map(({ name }) => name)).toEqual(
      expect.arrayContaining(["w1", "b1"]),
    );
    const { parameters } = await train(small, { ...usual, epochs: 1 });
    expect([...parameters.keys()]).toEqual(["w2", "b2"]);
  });

  it.each([1, 3])("goes on from any step to the same bytes, %s batches a step", async (accumulate) => {
    const options = {
      ...usual,
      accumulate,
      ema: 0.9,
      clip: 1,
      epochs: 3,
      evaluate: async (p: ReadonlyMap<string, Tensor>) => Number(p.get("b1")!.data[0]),
    };
    const states: TrainingState[] = [];
    const whole = await train(plan(), {
      ...options,
      checkpoint: { every: 1, save: async (state) => void states.push(state) },
    });
    for (const state of [states[0]!, states[3]!, states.at(-2)!]) {
      const stored = readState(writeState(state, "xor"), "xor");
      expect(stored).toEqual(state);
      expect(() => readState(writeState(state, "xor"), "and")).toThrow(/other settings/);
      const resumed = await train(plan(), { ...options, resume: stored });
      expect(resumed.state).toEqual(whole.state);
      expect(resumed.parameters).toEqual(whole.parameters);
    }
  });

  it("runs the batches of a step at once where the runtime has lanes, to the same bytes", async () => {
    const { wide, most } = countedRuns(runtime, 2);
    const options = { ...usual, accumulate: 3, epochs: 3, clip: 1 };
    const inTurn = await train(plan(), options);
    const atOnce = await train(plan(), { ...options, runtime: wide });
    expect(atOnce.state).toEqual(inTurn.state);
    expect(most.ever).toBe(3);
  });

  it("gives the best epoch's parameters back and stops when nothing gets better", async () => {
    const seen: (readonly number[])[] = [];
    const scores = [0.1, 0.5, 0.3, 0.4, 0.9];
    const evaluate = async (p: ReadonlyMap<string, Tensor>, epoch: number) => {
      seen.push(Array.from(p.get("w1")!.data as Float32Array));
      return scores[epoch]!;
    };
    const { parameters, reason, state } = await train(plan(), { ...usual, evaluate, patience: 2 });
    expect([reason, state.best!.epoch]).toEqual(["patience", 1]);
    expect(Array.from(parameters.get("w1")!.data as Float32Array)).toEqual(seen[1]);
  });

  it("pulls towards the source's weights as far as L2-SP is strong", async () => {
    const source = new Map(
      [...plan().parameters].map(([name, { shape }]) => [
        name,
        float32(shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5)),
      ]),
    );
    const distance = async (strength: number, decoupled: boolean, parameters = source) => {
      const anchor = { strength, parameters, decoupled };
      const trained = await train(plan(), { ...usual, optimizer: sgd, rate: 0.1, epochs: 6, anchor });
      const w = trained.parameters.get("w1")!.data as Float32Array;
      return Math.sqrt(w.reduce((sum, one) => sum + (one - 0.5) ** 2, 0));
    };
    const free = await distance(0, true);
    for (const decoupled of [true, false]) {
      expect(await distance(0.5, decoupled)).toBeLessThan(0.8 * free);
      expect(await distance(3, decoupled)).toBeLessThan(0.3 * free);
      expect(await distance(3, decoupled, new Map())).toBe(free);
    }
    // Plain gradient descent does not tell decay of the weights from a penalty in the gradient.
    expect(await distance(0.5, true)).toBeCloseTo(await distance(0.5, false), 1);
  });

  it("finds a learning rate between too low and too high, and leaves the plan as it was", async () => {
    const one = plan();
    const before = structuredClone([...one.parameters]);
    const found = await findRate(one, { runtime, optimizer: adamw, batches, from: 1e-5, to: 100 });
    expect([...one.parameters]).toEqual(before);
    expect(found.rates[0]).toBeCloseTo(1e-5, 9);
    expect(found.losses.length).toBe(found.rates.length);
    const quality = async (rate: number) =>
      (await train(plan(), { ...usual, rate, epochs: 3 })).losses.at(-1)!;
    for (const rate of [found.steepest, found.tenth]) {
      expect(rate).toBeGreaterThan(1e-4);
      expect(await quality(rate)).toBeLessThan(await quality(found.rates[5]!));
    }
    expect(await quality(found.tenth)).toBeLessThan(await quality(30));
  });

  it("says what to do where the loss leaves the numbers", async () => {
    await expect(train(plan(), { ...usual, optimizer: sgd, rate: 1e30 })).rejects.toThrow(
      /lower the learning rate/,
    );
  });
});

const path = new URL("../../../../../shared/data/torch_reference/torch_reference.json", import.meta.url);
if (!existsSync(path))
  console.info(`training: ${path.pathname} is absent, so losses are not compared with PyTorch's`);

describe.skipIf(!existsSync(path))("losses as PyTorch has them", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a file of numbers
  const cases: any = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).cases : {};
  const labels =
    (options: losses.TargetOptions = {}) =>
    (g: Formula, x: Record<string, Value>, attrs: { y: number[] }) =>
      losses.crossEntropy(g, x.x!, g.constant(losses.classTargets(attrs.y, 3, options)));
  const mean = (g: Formula) => g.constant(losses.rowWeights(3, 2));
  const quarter = (g: Formula) => g.constant(float32([4, 1], [0.25, 0.25, 0.25, 0.25]));
  // biome-ignore lint/suspicious/noExplicitAny: attributes of the file
  const made: Record<string, (g: Formula, x: Record<string, Value>, attrs: any) => Value> = {
    cross_entropy: labels(),
    "cross_entropy_label_smoothing_0.1": labels({ smoothing: 0.1 }),
    cross_entropy_class_weight: labels({ classWeights: [1, 2, 0.5] }),
    cross_entropy_ignore_index: labels(),
    bce_with_logits: (g, { x }, { t }) =>
      losses.binaryCrossEntropy(g, x!, g.constant(float32([3, 2], t.flat())), mean(g)),
    mse: (g, { x, t }) => losses.squaredError(g, x!, t!, mean(g)),
    smooth_l1: (g, { x }) => losses.smoothL1(g, x!, g.constant(float32([3, 2], [0, 0, 0, 0, 0, 0])), mean(g)),
    distill_kl_T1: (g, { s, t }) => losses.distillation(g, s!, t!, quarter(g), 1),
    distill_kl_T4: (g, { s, t }) => losses.distillation(g, s!, t!, quarter(g), 4),
    "info_nce_tau0.1": (g, { a, b }) =>
      losses.infoNce(g, a!, b!, g.constant(losses.classTargets([0, 1, 2, 3], 4)), 0.1),
  };
  it.each(Object.keys(made))("%s", async (name) => {
    const { inputs, attrs, output, grads, cotangent } = cases[name];
    const graph = emptyGraph(name);
    const b = build(graph);
    const values: Record<string, Value> = {};
    const feeds: Record<string, Tensor> = {};
    for (const [key, { shape, data }] of Object.entries<{ shape: number[]; data: number[] }>(inputs)) {
      values[key] = b.input(key, "float32", shape);
      feeds[key] = float32(shape, data);
    }
    const loss = made[name]!(formulas(b, "float32", 17, ""), values, attrs);
    graph.outputs.push(loss);
    const { graph: whole, gradients: found } = gradients(graph, loss, Object.values(values));
    const session = await runtime.load(writeModel(modelOf(whole)));
    const results = await session.run(feeds);
    expect(results[loss.name]!.data[0]).toBeCloseTo(output.data[0], 5);
    for (const [key, { data }] of Object.entries<{ data: number[] }>(grads)) {
      const mine = results[found.get(values[key]!)!.name]!.data as Float32Array;
      for (const [i, value] of data.entries()) expect(mine[i]! * cotangent.data[0]).toBeCloseTo(value, 4);
    }
  });
});

describe("losses as PyTorch has them, its gradients too", () => {
  const golden = JSON.parse(
    readFileSync(new URL("../../../../test/golden/training.json", import.meta.url), "utf8"),
  );
  const column = (g: Formula, data: number[]) => g.constant(float32([data.length, 1], data));
  const even = (g: Formula, n: number) => column(g, new Array(n).fill(1 / n));
  const made: Record<string, (g: Formula, x: Record<string, Value>) => Value> = {
    cosine: (g, { u, v }) => losses.cosineSimilarity(g, u!, v!, column(g, golden.cosine.targets), even(g, 5)),
    soft: (g, { x }) =>
      losses.crossEntropy(g, x!, g.constant(losses.softTargets(golden.soft.shares.data, 3))),
    distilled: (g, { x }) =>
      losses.distilledCrossEntropy(
        g,
        x!,
        g.constant(float32([4, 3], golden.distilled.teacher.data)),
        g.constant(losses.classTargets(golden.distilled.labels, 3)),
        even(g, 4),
        { temperature: 2, share: 0.7 },
      ),
  };
  it.each(Object.keys(made))("%s", async (name) => {
    const { loss: expected, inputs, gradients: slopes } = golden[name];
    const graph = emptyGraph(name);
    const b = build(graph);
    const values: Record<string, Value> = {};
    const feeds: Record<string, Tensor> = {};
    for (const [key, { shape, data }] of Object.entries<{ shape: number[]; data: number[] }>(inputs)) {
      values[key] = b.input(key, "float32", shape);
      feeds[key] = float32(shape, data);
    }
    const loss = made[name]!(formulas(b, "float32", 17, ""), values);
    graph.outputs.push(loss);
    const { graph: whole, gradients: found } = gradients(graph, loss, Object.values(values));
    const session = await runtime.load(writeModel(modelOf(whole)));
    const results = await session.run(feeds);
    expect(results[loss.name]!.data[0]).toBeCloseTo(expected, 5);
    for (const [key, { data }] of Object.entries<{ data: number[] }>(slopes)) {
      const mine = results[found.get(values[key]!)!.name]!.data as Float32Array;
      for (const [i, slope] of data.entries()) {
        expect(mine[i]!).toBeCloseTo(slope, 5);
        // Central differences through the runtime, coarse in float32.
        const at = async (by: number) => {
          const moved = Float32Array.from(feeds[key]!.data as Float32Array);
          moved[i] = moved[i]! + by;
          const run = await session.run({ ...feeds, [key]: { ...feeds[key]!, data: moved } });
          return Number(run[loss.name]!.data[0]);
        };
        expect(((await at(0.01)) - (await at(-0.01))) / 0.02).toBeCloseTo(slope, 3);
      }
    }
  });
});

describe("targets", () => {
  it("of padded rows count nothing, and the rest is a weighted mean", () => {
    const padded = losses.classTargets([1, 0], 2, { rows: 4, weights: [3, 1] });
    expect([...(padded.data as Float32Array)]).toEqual([0, 0.75, 0.25, 0, 0, 0, 0, 0]);
    const soft = losses.softTargets([0, 1, 1, 0], 2, { rows: 4, weights: [3, 1] });
    expect(soft).toEqual(padded);
    expect(() => losses.softTargets([1, 0, 1], 2)).toThrow(/no whole rows/);
  });
});

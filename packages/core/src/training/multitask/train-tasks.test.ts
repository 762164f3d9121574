import * as module from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { build, emptyGraph, modelOf } from "../../ir/build.ts";
import type { Model } from "../../ir/graph.ts";
import { writeModel } from "../../onnx/write.ts";
import { adamw } from "../../optim/index.ts";
import { random } from "../../random.ts";
import { ort } from "../../runtime/ort.ts";
import type { Feeds, Runtime } from "../../runtime/runtime.ts";
import { float32 } from "../../tensor.ts";
import { classTargets, crossEntropy } from "../losses.ts";
import { planTraining } from "../plan.ts";
import { readState, type TrainingState, writeState } from "../state.ts";
import { train } from "../train.ts";
import { type AffinityTable, meanAffinity } from "./affinity.ts";
import { proportional } from "./samplers.ts";
import { jointSchedule } from "./schedule.ts";
import { type JointOptions, type TrainedTask, trainTasks } from "./train-tasks.ts";
import * as weightings from "./weightings/index.ts";

const runtime = ort(module as never);
const ROWS = 8;

/** A trunk of one hidden layer, and a head called after the task. */
function network(task: string): Model {
  const graph = emptyGraph(task);
  const b = build(graph);
  const weights = (shape: number[], name: string) => {
    const source = random(1).fork(name);
    const size = shape.reduce((x, y) => x * y);
    return b.constant(
      float32(
        shape,
        Array.from({ length: size }, () => source.normal() * 0.7),
      ),
      name,
    );
  };
  const x = b.input("x", "float32", ["batch", 2]);
  const hidden = b.apply("Tanh", [b.apply("Gemm", [x, weights([2, 6], "w"), weights([6], "b")])]);
  graph.outputs.push(b.apply("MatMul", [hidden, weights([6, 2], `${task}/head`)], {}, { name: "logits" }));
  return modelOf(graph);
}

/** A task whose label is what `labelOf` says of two numbers. */
function taskOf(
  name: string,
  labelOf: (a: number, b: number) => number,
  more: Partial<TrainedTask> = {},
): TrainedTask {
  return {
    name,
    plan: planTraining(network(name), {
      train: () => true,
      shapes: { x: [ROWS, 2] },
      loss: (g, graph, input) => crossEntropy(g, graph.outputs[0]!, input("targets", "float32", [ROWS, 2])),
    }),
    feeds: async (pass, index) => batch(name, labelOf, pass, index),
    ...more,
  };
}

function batch(name: string, labelOf: (a: number, b: number) => number, pass: number, index: number): Feeds {
  const source = random(9).fork(`${name} ${pass} ${index}`);
  const x = Array.from({ length: 2 * ROWS }, () => source.normal());
  const labels = Array.from({ length: ROWS }, (_, i) => labelOf(x[2 * i]!, x[2 * i + 1]!));
  return { x: float32([ROWS, 2], x), targets: classTargets(labels, 2) };
}

const above = (a: number, b: number) => (a > b ? 1 : 0);
const below = (a: number, b: number) => (a > b ? 0 : 1);
const product = (a: number, b: number) => (a * b > 0 ? 1 : 0);
const pair = () => [taskOf("above", above), taskOf("product", product)];
const sizes = [4, 2];
const usual = (more: Partial<JointOptions> = {}): JointOptions => ({
  runtime,
  optimizer: adamw,
  rate: 0.02,
  epochs: 3,
  steps: jointSchedule({ sizes, epochs: more.epochs ?? 3, sampling: proportional, seed: 1 }),
  weighting: weightings.fixed,
  seed: 3,
  ...more,
});
const together = (epochs: number) => jointSchedule({ sizes, epochs, sampling: "together", seed: 1 });
const bytesOf = (state: TrainingState) => Buffer.from(writeState(state)).toString("base64");

describe("joint training", () => {
  test("of one task is training that task, to the bit", async () => {
    const [task] = pair() as [TrainedTask];
    const options = { clip: 1, ema: 0.9, settings: { weightDecay: 0.1 } };
    const steps = jointSchedule({ sizes: [4], epochs: 3, sampling: proportional, seed: 0 });
    const joint = await trainTasks([task], usual({ ...options, steps }));
    const alone = await train(task.plan, {
      ...usual(options),
      batches: (epoch, from) =>
        Array.from({ length: 4 - from }, (_, i) => batch("above", above, epoch, from + i)),
    });
    for (const [name, tensor] of alone.parameters)
      expect(joint.parameters.get(name)!.data, name).toEqual(tensor.data);
    expect(joint.epochs.map(({ losses }) => losses[0])).toEqual(alone.losses);
  });

  test("takes one step a batch that comes in parts, along their mean, as accumulated batches do", async () => {
    const parts = (pass: number, step: number) =>
      [0, 1].map((part) => batch("above", above, pass, 2 * step + part));
    const task = taskOf("above", above, { feeds: async (pass, step) => parts(pass, step), weight: 1 });
    const options = { clip: 1, settings: { weightDecay: 0.1 } };
    const steps = jointSchedule({ sizes: [4], epochs: 3, sampling: proportional, seed: 0 });
    const joint = await trainTasks([task], usual({ ...options, steps }));
    const alone = await train(task.plan, {
      ...usual(options),
      accumulate: 2,
      batches: (epoch) => Array.from({ length: 4 }, (_, step) => parts(epoch, step)).flat(),
    });
    expect(joint.state.step).toBe(12);
    for (const [name, { data }] of alone.parameters)
      for (const [i, value] of (joint.parameters.get(name)!.data as Float32Array).entries())
        expect(value).toBeCloseTo((data as Float32Array)[i]!, 6);
  });

  test("runs each batch once, through the plans the tasks have alone", async () => {
    const loaded: string[] = [];
    let runs = 0;
    const counting: Runtime = {
      ...runtime,
      async load(model) {
        loaded.push(Buffer.from(model).toString("base64"));
        const session = await runtime.load(model);
        const run: typeof session.run = (...given) => {
          runs++;
          return session.run(...given);
        };
        return { ...session, run };
      },
    };
    let updates = 0;
    const optimizer = {
      ...adamw,
      step(...given: Parameters<typeof adamw.step>) {
        updates++;
        adamw.step(...given);
      },
    };
    const tasks = pair();
    const { state } = await trainTasks(tasks, usual({ runtime: counting, optimizer, steps: together(3) }));
    expect(runs).toBe(2 * state.step);
    expect(loaded.sort()).toEqual(
      tasks.map(({ plan }) => Buffer.from(writeModel(plan.model)).toString("base64")).sort(),
    );
    // The trunk and the two heads: each parameter is updated once a step.
    expect(updates).toBe(3 * state.step);
  });

  test("leaves a head as it is while its task has no turn", async () => {
    const tasks = pair();
    const steps = { total: 2, steps: () => [0, 1].map((index) => [{ task: 0, pass: 0, index }]) };
    const settings = { weightDecay: 0.5 };
    const { parameters, epochs } = await trainTasks(tasks, usual({ steps, epochs: 1, settings }));
    expect(parameters.get("product/head")!.data).toEqual(tasks[1]!.plan.parameters.get("product/head")!.data);
    expect(parameters.get("above/head")!.data).not.toEqual(tasks[0]!.plan.parameters.get("above/head")!.data);
    expect(epochs[0]!.losses[1]).toBeNull();
  });

  test.each(Object.entries(weightings))(
    "weighed by %s learns both tasks, and gives the same bytes when it is stopped anywhere and goes on",
    async (_, weighting) => {
      const epochs = 12;
      const made = (more: Partial<JointOptions>) =>
        trainTasks(pair(), usual({ epochs, steps: together(epochs), weighting, ema: 0.5, ...more }));
      const whole = await made({});
      const [first, last] = [whole.epochs[0]!.losses, whole.epochs.at(-1)!.losses];
      expect(last[0]!).toBeLessThan(first[0]!);
      expect(last[1]!).toBeLessThan(first[1]!);
      expect(bytesOf((await made({})).state)).toBe(bytesOf(whole.state));
      for (const at of [1, 3, 14, 36]) {
        let saved: Uint8Array | null = null;
        const stop = { aborted: false };
        await made({
          signal: stop,
          onStep: ({ step }) => {
            stop.aborted = step === at;
          },
          checkpoint: { every: 1, save: async (state) => void (saved = writeState(state)) },
        });
        const resumed = await made({ resume: readState(saved!) });
        expect(bytesOf(resumed.state), `stopped at step ${at}`).toBe(bytesOf(whole.state));
        expect(resumed.epochs).toEqual(whole.epochs);
      }
    },
  );

  test("gives back the best epoch's parameters, with what was said of each task", async () => {
    const scores = [1, 3, 2];
    const seen: string[] = [];
    const { best, epochs, parameters } = await trainTasks(
      pair(),
      usual({
        evaluate: async (given, epoch) => {
          seen.push(given.get("w")!.data.toString());
          return { score: scores[epoch]!, each: [epoch, -epoch] };
        },
      }),
    );
    expect(best).toBe(1);
    expect(parameters.get("w")!.data.toString()).toBe(seen[1]);
    expect(epochs.map(({ score, each }) => [score, each])).toEqual([
      [1, [0, -0]],
      [3, [1, -1]],
      [2, [2, -2]],
    ]);
  });

  test("counts a loss as often as its task's weight says", async () => {
    const none = await trainTasks(
      [taskOf("above", above), taskOf("product", product, { weight: 0 })],
      usual({ steps: together(3), settings: { weightDecay: 0 } }),
    );
    expect(none.parameters.get("product/head")!.data).toEqual(
      pair()[1]!.plan.parameters.get("product/head")!.data,
    );
  });

  test("refuses tasks that start a shared parameter differently, and names the task whose loss is no number", async () => {
    const [a, b] = pair() as [TrainedTask, TrainedTask];
    const parameters = new Map([...b.plan.parameters, ["b", float32([6], [1, 2, 3, 4, 5, 6])]] as never);
    const other = { ...b, plan: { ...b.plan, parameters } } as TrainedTask;
    await expect(trainTasks([a, other], usual())).rejects.toThrow(
      /task "product" starts the parameter "b" differently/,
    );
    const broken = {
      ...b,
      feeds: async () => ({
        ...((await b.feeds(0, 0)) as Feeds),
        x: float32([ROWS, 2], Array(16).fill(Number.NaN)),
      }),
    };
    await expect(trainTasks([a, broken], usual())).rejects.toThrow(/task "product": the loss is NaN/);
  });
});

test("looking ahead finds which tasks help each other and which do not", async () => {
  const tables: AffinityTable[] = [];
  const epochs = 6;
  const tasks = [taskOf("above", above), taskOf("same", above), taskOf("against", below)];
  // All heads start alike, so the last task wants the trunk turned around.
  const head = tasks[0]!.plan.parameters.get("above/head")!;
  const alike = tasks.map((task) => ({
    ...task,
    plan: {
      ...task.plan,
      parameters: new Map(
        [...task.plan.parameters].map(([name, one]) => [name, name.endsWith("/head") ? head : one]),
      ),
    },
  }));
  const steps = jointSchedule({ sizes: [3, 3, 3], epochs, sampling: "together", seed: 1 });
  const options = { epochs, steps, rate: 0.005 };
  const looked = await trainTasks(
    alike,
    usual({ ...options, affinity: { every: 2, onTable: (table) => void tables.push(table) } }),
  );
  const { mean, error } = meanAffinity(tables);
  expect(mean[0]![1]).toBeGreaterThan(2 * error[0]![1]!);
  expect(mean[1]![0]).toBeGreaterThan(2 * error[1]![0]!);
  expect(mean[0]![2]).toBeLessThan(-2 * error[0]![2]!);
  expect(mean[2]![0]).toBeLessThan(-2 * error[2]![0]!);
  // Looking changes nothing.
  expect(bytesOf((await trainTasks(alike, usual(options))).state)).toBe(bytesOf(looked.state));
});

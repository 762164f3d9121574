import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  augmentation,
  build,
  cloneModel,
  emptyGraph,
  type Feeds,
  float32,
  heads,
  type Input,
  InputError,
  int64,
  kFold,
  type Model,
  matrix,
  modelOf,
  type Preprocessor,
  parametersOf,
  type Row,
  random,
  readAdapter,
  splitFrozen,
  takeFeatures,
  writeModel,
} from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { decodedInputs, type FineTuneOptions, fineTune, frozenInputs, METHODS } from "./index.ts";

const classes = ["lying", "standing"];
const row = (text: string, label: string): Row => ({
  where: `row ${text}`,
  input: { kind: "text", text },
  label,
  split: null,
  group: null,
  weight: 1,
});
/** Pictures named by a number: even ones have lying stripes, odd ones standing stripes, both at a random place and noisy. */
const pictures = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => row(String(from + i), classes[(from + i) % 2]!));
const SIDE = 8;
const drawn = (input: Input): number[] => {
  const number = Number((input as { text: string }).text);
  const source = random(number);
  const shift = source.integer(4);
  return Array.from({ length: SIDE * SIDE }, (_, i) => {
    const along = number % 2 === 0 ? Math.floor(i / SIDE) : i % SIDE;
    return ((along + shift) % 4 < 2 ? 1 : -1) + 1.2 * source.normal();
  });
};
const stripes: Preprocessor = {
  kind: "image",
  fingerprint: "stripes",
  async prepare(inputs, change): Promise<Feeds> {
    const data = inputs.flatMap((input, i) => {
      const values = drawn(input);
      const by = change ? change.random(i).normal() * 0.1 : 0;
      return values.map((value) => value + by);
    });
    return { x: float32([inputs.length, 1, SIDE, SIDE], data) };
  },
  files: () => ({}),
};

function network(): Model {
  const graph = emptyGraph("trunk");
  const b = build(graph);
  const w = (name: string, seed: number, shape: number[], scale: number, around = 0) => {
    const source = random(seed);
    const size = shape.reduce((x, y) => x * y);
    return b.constant(
      float32(
        shape,
        Array.from({ length: size }, () => around + scale * source.normal()),
      ),
      name,
    );
  };
  let x = b.input("x", "float32", ["batch", 1, SIDE, SIDE]);
  x = b.apply("Conv", [x, w("block.0.weight", 1, [6, 1, 3, 3], 0.4), w("block.0.bias", 2, [6], 0.1)], {
    pads: [1, 1, 1, 1],
  });
  x = b.apply("Relu", [x]);
  x = b.apply("Conv", [x, w("block.1.weight", 3, [8, 6, 3, 3], 0.2)], {
    pads: [1, 1, 1, 1],
    strides: [2, 2],
  });
  const norm = ["weight", "bias", "running_mean", "running_var"] as const;
  const starts = norm.map((end, i) => w(`block.1.norm.${end}`, 4 + i, [8], 0.05, i === 0 || i === 3 ? 1 : 0));
  x = b.apply("Relu", [b.apply("BatchNormalization", [x, ...starts])]);
  x = b.apply("Conv", [x, w("block.2.weight", 8, [10, 8, 1, 1], 0.4), w("block.2.bias", 9, [10], 0.1)]);
  x = b.apply("Flatten", [b.apply("GlobalAveragePool", [b.apply("Relu", [x])])], {}, { name: "features" });
  graph.outputs.push(Object.assign(x, { dtype: "float32", shape: ["batch", 10] }));
  return modelOf(graph);
}

let runtime: OrtRuntime;
let folder: string;
beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1, spinning: false });
  folder = await mkdtemp(join(tmpdir(), "graft-tune-"));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

const usual = (more: Partial<FineTuneOptions> = {}): FineTuneOptions => ({
  trunk: network(),
  preprocessor: stripes,
  runtime,
  rows: pictures(0, 60),
  classes,
  method: "lp-ft",
  settings: { epochs: 4, learningRate: 0.01, depth: 2, batchSize: 8 },
  ...more,
});
async function quality(model: Model, preprocessor = stripes, rows = pictures(1000, 100)) {
  const session = await runtime.load(writeModel(model));
  let right = 0;
  let loss = 0;
  for (const one of rows) {
    const { probabilities, features } = await session.run(await preprocessor.prepare([one.input]));
    const p = probabilities!.data as Float32Array;
    const y = classes.indexOf(one.label!);
    expect(p[0]! + p[1]!).toBeCloseTo(1, 5);
    expect(features!.shape[0]).toBe(1);
    right += p[y]! > 0.5 ? 1 : 0;
    loss -= Math.log(p[y]!) / rows.length;
  }
  await session.close();
  return { right, loss };
}
const tensors = (model: Model) =>
  new Map([...model.graph.initializers].map(([value, tensor]) => [value.name, tensor.data as Float32Array]));

describe("fine-tuning", () => {
  test("every method gives one model; those that train are better than the probe, and what is frozen stays", async () => {
    const { model: start } = await fineTune(usual({ method: "probe" }));
    const probe = await quality(start);
    const before = await quality(start, stripes, pictures(0, 60));
    const source = tensors(network());
    const changed: Record<string, string[]> = {};
    for (const method of METHODS) {
      if (method === "probe" || method === "contrastive") continue; // the latter below
      const epochs = method === "scratch" || method === "full" ? 15 : 8;
      const settings = { epochs, learningRate: 0.01, depth: 2, batchSize: 8 };
      const tuned = await fineTune(usual({ method, settings }));
      const { right, loss } = await quality(tuned.model);
      // Biases alone fit the rows they see better; that they carry over is not promised.
      const isBitfit = method === "bitfit";
      const now = isBitfit ? (await quality(tuned.model, stripes, pictures(0, 60))).loss : loss;
      expect(now, method).toBeLessThan(isBitfit ? before.loss : 0.95 * probe.loss);
      if (method !== "bitfit") expect(right, method).toBeGreaterThanOrEqual(probe.right);
      expect(tuned.model.graph.outputs.map(({ name }) => name)).toEqual(["probabilities", "features"]);
      changed[method] = [...tensors(tuned.model)]
        .filter(([name, data]) => source.has(name) && data.join() !== source.get(name)!.join())
        .map(([name]) => name);
      expect(tuned.reason).toContain(method);
    }
    const upper = [
      "block.1.weight",
      "block.1.norm.weight",
      "block.1.norm.bias",
      "block.2.weight",
      "block.2.bias",
    ];
    expect(changed["lp-ft"]!.sort()).toEqual([...upper].sort());
    expect(changed.full!.sort()).toEqual([...upper].sort()); // depth 2 was asked for
    expect(changed.bitfit!.sort()).toEqual(["block.1.norm.bias", "block.2.bias"]);
    expect(changed.lora!.sort()).toEqual(["block.1.weight", "block.2.weight"]);
    expect(changed.gradual!.sort()).toEqual([...upper].sort());
    expect(changed.scratch).toContain("block.0.weight"); // drawn anew, though not trained at this depth
    expect(changed.scratch).toContain("block.1.norm.running_mean"); // learns its statistics
  });

  test("chooses on held-out training rows, tells its trials, and keeps the probe where nothing is better", async () => {
    const log: Record<string, unknown>[] = [];
    const rows = pictures(0, 45);
    const tuned = await fineTune(
      usual({
        rows,
        settings: { batchSize: 8, learningRate: 3e-3, depth: 2 },
        onLog: (line) => log.push(line),
      }),
    );
    expect(tuned.trials.length).toBe(1);
    const all = tuned.trials.flatMap(({ rate, losses, folds }) =>
      losses.map((loss, epochs) => ({ rate, loss, epochs, folds })),
    );
    const better = all.filter(({ folds, epochs }) => folds.every((one) => one[epochs]! < one[0]!));
    const best = [all[0]!, ...better].reduce((least, one) => (one.loss < least.loss ? one : least));
    expect(better.length).toBeGreaterThan(0);
    for (const { losses, folds } of tuned.trials)
      for (const [epoch, loss] of losses.entries())
        expect(loss).toBeCloseTo(
          folds.reduce((sum, one) => sum + one[epoch]! / 3, 0),
          6,
        ); // 15 rows each
    expect(tuned.chosen).toMatchObject({ epochs: best.epochs, depth: 2 });
    // Six steps an epoch: of so few rows there are more than four epochs, until they make 120 steps.
    expect(tuned.trials.every(({ losses }) => losses.length === 21)).toBe(true);
    expect(new Set(tuned.trials.map(({ losses }) => losses[0])).size).toBe(1); // the probe's
    expect(log.filter(({ step }) => step === "trial").length).toBe(1);
    const wild = await fineTune(
      usual({
        rows,
        settings: { batchSize: 8, learningRate: 3, epochs: 2, depth: 1, patience: null, clip: 0 },
      }),
    );
    expect(wild.chosen.epochs).toBe(2); // as asked for
    const tried = await fineTune(
      usual({ rows, settings: { batchSize: 8, learningRate: 3, depth: 1, clip: 0 } }),
    );
    expect(tried.chosen.epochs).toBe(0);
    expect(tried.reason).toMatch(/stays frozen/);
    const probe = await fineTune(usual({ rows, method: "probe" }));
    expect(tensors(tried.model)).toEqual(tensors(probe.model));
  });

  test("too sure a network is cooled by what held-out rows say, and is the same network otherwise", async () => {
    // A fifth of the labels are wrong: what learns them by heart is sure of what cannot be known.
    const rows = pictures(0, 100).map((one, i) =>
      i % 5 === 0 ? { ...one, label: classes[i % 2 ? 0 : 1]! } : one,
    );
    const settings = { epochs: 20, learningRate: 0.02, batchSize: 8, depth: 3, patience: 20 };
    const tuned = await fineTune(usual({ method: "full", settings, rows }));
    const temperature = Number(tuned.chosen.temperature);
    expect(temperature).toBeGreaterThan(1.05);
    const factor = tensors(tuned.model).get("inverse_temperature")![0]!;
    expect(1 / factor).toBeCloseTo(temperature, 1);
    const hot = cloneModel(tuned.model);
    const value = [...hot.graph.initializers.keys()].find(({ name }) => name === "inverse_temperature")!;
    hot.graph.initializers.set(value, float32([], [1]));
    const odds = async (model: Model) => {
      const session = await runtime.load(writeModel(model));
      const feeds = await stripes.prepare(pictures(1000, 20).map(({ input }) => input));
      const p = (await session.run(feeds)).probabilities!.data as Float32Array;
      await session.close();
      return Array.from({ length: 20 }, (_, i) => Math.log(p[2 * i + 1]! / p[2 * i]!));
    };
    const [mild, sure] = [await odds(tuned.model), await odds(hot)];
    for (const [i, one] of mild.entries()) expect(one).toBeCloseTo(sure[i]! * factor, 3);
  });

  test("groups of rows stay together on folds, for the head as for the network", async () => {
    const rows = pictures(0, 45).map((one, i) => ({ ...one, group: `page ${i % 9}` }));
    const settings = { batchSize: 16, depth: 1, learningRate: 3e-3 };
    const { trials } = await fineTune(usual({ rows, settings }));
    expect(trials).toHaveLength(1);
    expect(trials[0]!.losses[0]).toBeGreaterThan(0);
  });

  test("a small network on few rows is trained whole on folds, by rates tried in turn, and again on all rows", async () => {
    const settings = { batchSize: 8, epochs: 12 };
    const { trials, chosen, model } = await fineTune(usual({ method: "scratch", settings }));
    expect(trials.map(({ rate }) => rate)).toEqual([3e-3, 1e-3]);
    for (const { losses, folds } of trials) {
      expect(losses[0]).toBeCloseTo(Math.log(2), 5);
      expect([folds.length, losses.length]).toEqual([3, 13]);
    }
    const least = Math.min(...trials.flatMap(({ losses }) => losses.slice(1)));
    const best = trials.find(({ rate }) => rate === chosen.learningRate)!;
    expect(best.losses[chosen.epochs as number]).toBe(least);
    expect((await quality(model)).loss).toBeLessThan(0.6);
  });

  test("on more rows, what trains down to the inputs takes its rate from a sweep and is scored on a fifth", async () => {
    const log: Record<string, unknown>[] = [];
    const rows = pictures(0, 1005);
    const settings = { batchSize: 16, epochs: 3 };
    const options = usual({ method: "scratch", rows, settings, onLog: (line) => log.push(line) });
    const { trials, chosen, model, reason } = await fineTune(options);
    const [{ losses, rate }] = trials as [{ losses: number[]; rate: number }];
    expect(losses[0]).toBeCloseTo(Math.log(2), 5);
    expect(losses[chosen.epochs as number]).toBe(Math.min(...losses.slice(1)));
    expect(log.find(({ step }) => step === "sweep")).toEqual({ step: "sweep", rate });
    expect(rate).toBeGreaterThan(1e-5);
    expect(rate).toBeLessThan(0.1);
    expect(reason).toMatch(/sweep.* 201 held-out/);
    expect((await quality(model)).loss).toBeLessThan(0.3);
    const again = await fineTune({ ...options, settings: { ...settings, learningRate: 1e-6, patience: 9 } });
    expect(again.trials[0]!.rate).toBe(1e-6); // what is asked for is not looked for
  });

  test("a trial that was worse on one fold than the probe, with roots of features or without, ends there", async () => {
    const settings = { batchSize: 8, learningRate: 3, depth: 1, clip: 0 };
    const rows = pictures(0, 45);
    const { trials, chosen } = await fineTune(usual({ rows, settings }));
    expect(trials.map(({ folds }) => folds.length)).toEqual([1]);
    expect(chosen.epochs).toBe(0);
    const session = await runtime.load(writeModel(network()));
    const { features } = await session.run(await stripes.prepare(rows.map(({ input }) => input)));
    await session.close();
    const [{ train, test }] = kFold(rows, { folds: 3, seed: 0 }) as [{ train: Int32Array; test: Int32Array }];
    const all = matrix(45, features!.shape[1]!, features!.data as Float32Array<ArrayBuffer>);
    const labelOf = (i: number) => classes.indexOf(rows[i]!.label!);
    const head = await heads.logistic.fit(
      takeFeatures(all, train),
      Int32Array.from(train, labelOf),
      {},
      { classes: 2, random: random(0).fork("head") },
    );
    const { data } = head.predict(takeFeatures(all, test));
    const loss = -test.reduce((sum, row, i) => sum + Math.log(data[2 * i + labelOf(row)]!), 0) / test.length;
    expect(trials[0]!.losses[0]).toBeLessThanOrEqual(loss + 1e-6);
  });

  test("LoRA's adapter lies apart and, laid on the probe, is the merged model", async () => {
    const { adapter, model } = await fineTune(usual({ method: "lora" }));
    const weights = adapter!["adapter_model.safetensors"] as Uint8Array;
    const config = adapter!["adapter_config.json"] as string;
    const again = readAdapter(network(), { weights, config });
    const x = (await stripes.prepare([pictures(5, 1)[0]!.input])).x!;
    const run = async (one: Model) => {
      const session = await runtime.load(writeModel(one));
      return (await session.run({ x })).features!.data as Float32Array;
    };
    const beside = await run(again.model);
    for (const [i, value] of (await run(model)).entries()) expect(value).toBeCloseTo(beside[i]!, 5);
  });

  test.each(["lp-ft", "gradual", "scratch"] as const)(
    "%s, stopped anywhere and started again, ends in the same bytes; so small a network also with more threads",
    async (method) => {
      const settings = {
        learningRate: 0.01,
        batchSize: 8,
        depth: 2,
        epochs: 5,
        patience: 9,
        ema: 0.9,
        l2sp: 0.01,
        flip: true,
        mixup: 0.2,
        views: 2,
      };
      const options = usual({ method, settings, rows: pictures(0, 40), checkpointEvery: 1 });
      const undisturbed = writeModel((await fineTune(options)).model);
      for (const [i, stop] of [3, 14].entries()) {
        const checkpointFolder = join(folder, `${method}-${i}`);
        const controller = new AbortController();
        let steps = 0;
        const onProgress = (task: string) => {
          if (/trial|training/.test(task) && ++steps === stop) controller.abort();
        };
        const stopped = fineTune({ ...options, checkpointFolder, onProgress, signal: controller.signal });
        await expect(stopped).rejects.toThrow();
        expect((await readdir(checkpointFolder)).length).toBeGreaterThan(0);
        const other = fineTune({ ...options, checkpointFolder, seed: 1 });
        await expect(other).rejects.toThrow(/other settings/);
        const more = await ortRuntime({ threads: 2, spinning: false });
        const resumed = await fineTune({ ...options, checkpointFolder, runtime: more });
        await more.close();
        expect(Buffer.from(writeModel(resumed.model)).equals(Buffer.from(undisturbed))).toBe(true);
        expect(await readdir(checkpointFolder)).toEqual([]);
      }
    },
  );

  test("depth 0 trains the head alone, on features that are kept", async () => {
    const log: Record<string, unknown>[] = [];
    const settings = { depth: 0, epochs: 5, learningRate: 0.05, batchSize: 8 };
    const { model } = await fineTune(usual({ settings, onLog: (line) => log.push(line) }));
    const source = tensors(network());
    const [before, after] = [tensors((await fineTune(usual({ method: "probe" }))).model), tensors(model)];
    for (const [name, data] of source) expect(after.get(name), name).toEqual(data);
    expect(after.get("coefficients")).not.toEqual(before.get("coefficients"));
    expect(log.filter(({ step }) => step === "frozen").length).toBe(1);
  });

  test("refuses rows without a label, trunks with two outputs and heads of unknown methods", async () => {
    const rows = [row("1", "lying"), { ...row("2", "lying"), label: null }];
    await expect(fineTune(usual({ rows }))).rejects.toThrow(/row 2: the label null/);
    await expect(fineTune(usual({ method: "magic" as never }))).rejects.toThrow(/none of probe/);
    await expect(fineTune(usual({ settings: { epoch: 3 } }))).rejects.toThrow(/no setting "epoch"/);
    const trunk = network();
    trunk.graph.outputs.push(trunk.graph.outputs[0]!);
    await expect(fineTune(usual({ trunk }))).rejects.toThrow(/takes one, the features/);
  });
});

describe("texts as token ids", () => {
  const words = (text: string) => text.split(" ").map(Number);
  const tokens: Preprocessor = {
    kind: "text",
    fingerprint: "tokens",
    extentOf: (input) => 4 * Math.ceil(words((input as { text: string }).text).length / 4),
    async prepare(inputs) {
      const extent = Math.max(...inputs.map((input) => tokens.extentOf!(input)));
      const ids = inputs.flatMap((input) => {
        const all = words((input as { text: string }).text);
        return Array.from({ length: extent }, (_, i) => all[i] ?? 0);
      });
      const shape = [inputs.length, extent];
      return {
        input_ids: int64(shape, ids),
        attention_mask: int64(
          shape,
          ids.map((id) => (id > 0 ? 1 : 0)),
        ),
      };
    },
    files: () => ({}),
  };
  /** Two words of 20 say the class by their order, which a bag of words does not see. */
  const texts = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const source = random(from + i);
      const y = (from + i) % 2;
      const noise = Array.from({ length: 1 + source.integer(9) }, () => 3 + source.integer(17));
      return row([...noise, ...(y ? [1, 2] : [2, 1])].join(" "), classes[y]!);
    });
  function encoder(): Model {
    const graph = emptyGraph("encoder");
    const b = build(graph);
    const w = (name: string, seed: number, shape: number[]) => {
      const source = random(seed);
      const size = shape.reduce((x, y) => x * y);
      return b.constant(
        float32(
          shape,
          Array.from({ length: size }, () => 0.4 * source.normal()),
        ),
        name,
      );
    };
    const ids = b.input("input_ids", "int64", ["batch", "length"]);
    const mask = b.input("attention_mask", "int64", ["batch", "length"]);
    let x = b.apply("Gather", [w("embeddings.weight", 1, [20, 8]), ids]);
    const kernel = w("layer.0.conv.weight", 2, [12, 8, 2]);
    x = b.apply("Conv", [b.apply("Transpose", [x], { perm: [0, 2, 1] }), kernel], { pads: [0, 1] });
    x = b.apply("Transpose", [b.apply("Relu", [x])], { perm: [0, 2, 1] });
    x = b.apply("Tanh", [
      b.apply("Add", [
        b.apply("MatMul", [x, w("layer.1.dense.weight", 3, [12, 6])]),
        w("layer.1.dense.bias", 4, [6]),
      ]),
    ]);
    const flags = b.apply("Unsqueeze", [b.apply("Cast", [mask], { to: 1 }), int64([1], [2])]);
    const sum = b.apply("ReduceSum", [b.apply("Mul", [x, flags]), int64([1], [1])], { keepdims: 0 });
    x = b.apply(
      "Div",
      [sum, b.apply("ReduceSum", [flags, int64([1], [1])], { keepdims: 0 })],
      {},
      { name: "features" },
    );
    graph.outputs.push(Object.assign(x, { dtype: "float32", shape: ["batch", 6] }));
    return modelOf(graph);
  }
  test.each([
    ["lp-ft", 2],
    ["full", 3],
    ["lora", 2],
  ] as const)("of different lengths: %s, %s blocks", async (method, depth) => {
    const options = usual({ trunk: encoder(), preprocessor: tokens, rows: texts(0, 80), method });
    const probe = await fineTune({ ...options, method: "probe" });
    const settings = { epochs: 12, learningRate: 0.02, depth, batchSize: 8 };
    const tuned = await fineTune({ ...options, settings });
    const test = texts(5000, 60);
    const [before, after] = [
      await quality(probe.model, tokens, test),
      await quality(tuned.model, tokens, test),
    ];
    expect(after.loss).toBeLessThan(0.7 * before.loss);
    await expect(fineTune({ ...options, settings: { flip: true } })).rejects.toThrow(/change images/);
  });
});

describe("inputs of rows", () => {
  const rows = pictures(0, 11);
  const common = { rows, preprocessor: stripes, augmentation: null, random: random(1) };
  const parts = splitFrozen(network(), ["block.2.weight"]);
  const frozen = (more: object = {}) =>
    frozenInputs({
      ...common,
      lower: parts.lower!,
      inputs: parts.cuts,
      runtime,
      views: 3,
      batchSize: 4,
      ...more,
    });

  test("of a frozen part are what it computes, whatever rows are asked for together", async () => {
    const inputs = await frozen();
    const session = await runtime.load(writeModel(parts.lower!));
    const [cut] = parts.cuts as [string];
    const all = (await inputs.feeds(Int32Array.of(7, 0, 10), 5))[cut]!;
    const size = all.data.length / 3;
    for (const [place, i] of [7, 0, 10].entries()) {
      const alone = (await inputs.feeds(Int32Array.of(i), null))[cut]!.data as Float32Array;
      expect((all.data as Float32Array).slice(place * size, (place + 1) * size)).toEqual(alone);
      const direct = (await session.run(await stripes.prepare([rows[i]!.input])))[cut]!.data as Float32Array;
      for (const [k, value] of direct.entries()) expect(alone[k]).toBeCloseTo(value, 5);
    }
    expect(inputs.bytes).toBe(11 * size * 4);
    await session.close();
  });

  test("augmented: the same of the same seed, epoch and row; plain where nothing is to be changed", async () => {
    const changing = { augmentation: augmentation({ flip: true }) };
    const plain = await decodedInputs(common).feeds(Int32Array.of(3), null);
    const inputs = decodedInputs({ ...common, ...changing });
    expect(await inputs.feeds(Int32Array.of(3), null)).toEqual(plain);
    const one = (await inputs.feeds(Int32Array.of(3), 2)).x!.data as Float32Array;
    const two = (await inputs.feeds(Int32Array.of(5, 3), 2)).x!.data as Float32Array;
    expect(two.slice(64)).toEqual(one);
    expect((await inputs.feeds(Int32Array.of(3), 3)).x!.data).not.toEqual(one);
    const kept = await frozen(changing);
    const seen = new Set<string>();
    for (let epoch = 0; epoch < 20; epoch++)
      seen.add(String(Object.values(await kept.feeds(Int32Array.of(3), epoch))[0]!.data));
    expect(seen.size).toBe(3);
  });

  test("beyond what may be kept are refused before they are all computed", async () => {
    let done = 0;
    const limit = { limit: 1000, onProgress: (now: number) => void (done = now) };
    await expect(frozen(limit)).rejects.toThrow(InputError);
    expect(done).toBeLessThan(11);
  });
});

test("parameters of a trunk are named in blocks", () => {
  expect(new Set(parametersOf(network()).map(({ group }) => group))).toEqual(
    new Set(["block.0", "block.1", "block.2"]),
  );
});

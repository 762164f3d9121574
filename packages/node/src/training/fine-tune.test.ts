import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  cloneModel,
  float32,
  heads,
  kFold,
  type Model,
  matrix,
  parametersOf,
  random,
  readAdapter,
  takeFeatures,
  writeModel,
} from "@graft-ml/core";
import { describe, expect, test } from "vitest";
import {
  classes,
  folder,
  network,
  pictures,
  quality,
  row,
  runtime,
  stripes,
  tensors,
  usual,
} from "../../../../test/fine-tuning.ts";
import { ortRuntime } from "../runtime/index.ts";
import { fineTune, METHODS } from "./index.ts";

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

test("parameters of a trunk are named in blocks", () => {
  expect(new Set(parametersOf(network()).map(({ group }) => group))).toEqual(
    new Set(["block.0", "block.1", "block.2"]),
  );
});

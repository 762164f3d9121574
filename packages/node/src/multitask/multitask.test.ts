import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random, readModel } from "@graft-ml/core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "../cli/main.ts";
import { openRun, writeReport } from "../runs/index.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { openSource } from "../sources/index.ts";
import { type MultitaskOptions, multitaskRun } from "./multitask-run.ts";
import { readTasks } from "./task-data.ts";
import { tasksFile } from "./tasks-file.ts";

let folder: string;
let runtime: OrtRuntime;
const COLOURS = ["red", "blue"];
const ANIMALS = ["cat", "dog", "owl"];
const PLACES = ["here", "there", "nearby", "outside", "upstairs"];

/** Sentences with a colour and an animal: one task asks for the one, one for the other. */
function sentences(from: number, count: number) {
  return Array.from({ length: count }, (_, i) => {
    const source = random(100 + from + i);
    const [colour, animal] = [COLOURS[(from + i) % 2]!, ANIMALS[(from + i) % 3]!];
    const filler = Array.from({ length: 3 }, () => PLACES[source.integer(PLACES.length)]!).join(" ");
    return { text: `the ${colour} ${animal} sits ${filler} ${from + i}`, colour, animal };
  });
}

const table = (rows: ReturnType<typeof sentences>, label: "colour" | "animal") =>
  ["text,label", ...rows.map((row) => `${row.text},${row[label]}`)].join("\n");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-multitask-"));
  runtime = await ortRuntime({ threads: 1, spinning: false });
  await writeFile(join(folder, "colours.csv"), table(sentences(0, 96), "colour"));
  await writeFile(join(folder, "animals.csv"), table(sentences(200, 60), "animal"));
  await writeFile(join(folder, "tasks.json"), JSON.stringify(usual));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

const usual = {
  trunk: { arch: "text-cnn", options: { width: 8, filters: 6 }, maxLength: 16 },
  training: { epochs: 8, batchSize: 8, learningRate: 0.02 },
  tasks: {
    colour: { data: "colours.csv" },
    animal: { data: "animals.csv" },
    rare: { kind: "word-frequency" },
  },
};

async function made(name: string, content: object = usual, more: Partial<MultitaskOptions> = {}) {
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify(content));
  const output = join(folder, "runs", name);
  await mkdir(join(folder, "runs"), { recursive: true });
  return { output, ...(await multitaskRun(path, { output, runtime, command: "as told", ...more })) };
}

/** A file without what differs between any two runs. */
async function content(output: string, name: string): Promise<string> {
  const text = await readFile(join(output, name), "utf8");
  if (name === "log.jsonl") return "";
  if (name === "metrics.json") return JSON.stringify({ ...JSON.parse(text), timing: null });
  return /\.html|report\.json/.test(name)
    ? text.replace(/"timing": \{[^}]*\}|<h2>Time[\s\S]*?<\/section>/g, "")
    : text;
}

async function expectSame(a: string, b: string): Promise<void> {
  const names = (await readdir(a)).sort();
  expect((await readdir(b)).sort()).toEqual(names);
  for (const name of names)
    if (!/^(report\.(html|json)|README\.md)$/.test(name))
      expect(await content(b, name), name).toBe(await content(a, name));
}

describe("a joint run of texts", () => {
  let run: Awaited<ReturnType<typeof made>>;
  beforeAll(async () => {
    run = await made("usual", usual, { affinity: true });
  }, 120_000);

  test("learns both tasks, and says what company was worth to each", () => {
    const { tasks, auxiliary, deltaP, affinity } = run.metrics;
    expect(Object.keys(tasks)).toEqual(["colour", "animal"]);
    for (const one of Object.values(tasks)) {
      expect(one.joint).toBeGreaterThan(0.8);
      expect(one.alone).toBeGreaterThan(0.8);
      expect(one.gain!.gain).toBeCloseTo(one.joint - one.alone!, 10);
      expect(one.gain!.interval[0]).toBeLessThanOrEqual(one.gain!.gain);
      expect(one.kept).toBe("joint");
      expect(one.heldOut.joint).toBeLessThan(one.heldOut.baseline);
    }
    const relative = Object.values(tasks).map(({ joint, alone }) => (joint - alone!) / alone!);
    expect(deltaP).toBeCloseTo(50 * (relative[0]! + relative[1]!), 8);
    expect(auxiliary.rare!.heldOut.joint).toBeLessThan(auxiliary.rare!.heldOut.baseline);
    expect(affinity!.names).toEqual(["colour", "animal", "rare"]);
    expect(affinity!.groups.flat().sort()).toEqual(["animal", "colour", "rare"]);
    expect(affinity!.looks).toBeGreaterThan(5);
  });

  test("is one network with an output for each task and one trunk", async () => {
    const { graph } = readModel(await readFile(join(run.output, "model.onnx")));
    expect(graph.outputs.map(({ name, shape }) => [name, shape![1]])).toEqual([
      ["colour", 2],
      ["animal", 3],
    ]);
    expect(graph.nodes.filter(({ opType }) => opType === "Conv")).toHaveLength(3);
    expect([...graph.initializers.keys()].filter(({ name }) => name.startsWith("embeddings"))).toHaveLength(
      1,
    );
  });

  test("predicts, scores and verifies task by task", async () => {
    for (const [task, { test }] of Object.entries(run.metrics.tasks)) {
      const opened = await openRun(run.output, { runtime, task });
      expect(opened.classes).toEqual(task === "colour" ? ["blue", "red"] : ANIMALS);
      const replay = await opened.verify();
      expect(replay).toMatchObject({ drifted: [], largestDifference: 0 });
      const stored = (await readFile(join(run.output, "predictions.jsonl"), "utf8"))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .filter((one) => one.task === task);
      expect(stored).toHaveLength(test.n);
      const rows = stored.map(({ text, input }) => ({
        where: input,
        input: { kind: "text", text } as const,
        label: null,
        split: null,
        group: null,
        weight: 1,
      }));
      const { predictions } = await opened.predict(rows);
      expect(predictions.map(({ label }) => label)).toEqual(stored.map(({ label }) => label));
      await opened.close();
    }
    await expect(openRun(run.output, { runtime })).rejects.toThrow(
      /has the tasks colour, animal; name one with --task/,
    );
    await expect(openRun(run.output, { runtime, task: "x" })).rejects.toThrow(
      /no task "x"; it has colour, animal/,
    );
  });

  test("is a source for others, by the trunk that the tasks share", async () => {
    const source = await openSource(`run:${run.output}`, { modality: "text", runtime, training: [] });
    expect([source.layer, source.dimension]).toEqual(["pooled", 18]);
    const [one] = sentences(900, 1);
    const row = {
      where: "here",
      input: { kind: "text", text: one!.text } as const,
      label: null,
      split: null,
    };
    const { features } = await source.features([{ ...row, group: null, weight: 1 }]);
    expect(features.columns).toBe(18);
  });

  test("has a report with a section a task, which is written again from its data", async () => {
    const page = await readFile(join(run.output, "report.html"), "utf8");
    for (const task of ["colour", "animal"]) expect(page).toContain(`<h2 id="${task}">`);
    expect(page).toMatch(/Which tasks help each other/);
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    await writeReport(run.output);
    expect(await readFile(join(run.output, "report.html"), "utf8")).toBe(page);
  });

  test("gives the same bytes again, also when it was stopped at any step and went on", async () => {
    const path = join(folder, "usual.json");
    for (const at of [3, 40, 150]) {
      const output = join(folder, "runs", `stopped-${at}`);
      const stop = new AbortController();
      let seen = 0;
      const options = { output, runtime, affinity: true, command: "as told", checkpointEvery: 5 };
      const onProgress = (task: string) => {
        if (/^(joint|alone)/.test(task) && ++seen === at) stop.abort();
      };
      await expect(multitaskRun(path, { ...options, onProgress, signal: stop.signal })).rejects.toThrow();
      await multitaskRun(path, options);
      await expectSame(run.output, output);
    }
  }, 240_000);
});

test("each task has a file of its own where that is asked for, with the answers of the one network", async () => {
  const one = await made("whole", usual, { baselines: false });
  const apart = await made("split", usual, { baselines: false, split: true });
  expect((await readdir(apart.output)).filter((name) => name.endsWith(".onnx")).sort()).toEqual([
    "task.animal.onnx",
    "task.colour.onnx",
  ]);
  expect(await content(apart.output, "predictions.jsonl")).toBe(
    await content(one.output, "predictions.jsonl"),
  );
  const opened = await openRun(apart.output, { runtime, task: "animal" });
  expect((await opened.verify()).drifted).toEqual([]);
  await opened.close();
  expect(one.metrics.tasks.colour).toMatchObject({ alone: null, gain: null });
  expect(one.metrics.deltaP).toBeNull();
}, 120_000);

test("safe keeps the network trained alone exactly where that is better on held-out rows", async () => {
  // A label that is noise, with all the weight, spoils the shared layers.
  const noise = sentences(400, 160).map((row, i) => ({ ...row, colour: COLOURS[random(i).integer(2)]! }));
  await writeFile(join(folder, "noise.csv"), table(noise, "colour"));
  const spoilt = {
    ...usual,
    training: { ...usual.training, learningRate: 0.05 },
    tasks: { animal: { data: "animals.csv" }, noise: { data: "noise.csv", lossWeight: 200 } },
  };
  const { metrics, output } = await made("safe", spoilt, { safe: true });
  for (const [name, one] of Object.entries(metrics.tasks)) {
    expect(one.kept, name).toBe(one.heldOut.alone! < one.heldOut.joint ? "alone" : "joint");
    expect(one.test.accuracy, name).toBe(one.kept === "alone" ? one.alone : one.joint);
    const opened = await openRun(output, { runtime, task: name });
    expect((await opened.verify()).drifted, name).toEqual([]);
    await opened.close();
  }
  expect(Object.values(metrics.tasks).map(({ kept }) => kept)).toContain("alone");
}, 120_000);

test("a language model on the same texts and heads at different depths share a transformer", async () => {
  const deep = {
    trunk: { arch: "transformer-small", options: { width: 16, depth: 2, heads: 2 }, maxLength: 16 },
    training: { epochs: 2, batchSize: 8 },
    weighting: "uncertainty",
    tasks: {
      colour: { data: "colours.csv", layer: "layer.0.output" },
      animal: { data: "animals.csv" },
      words: { kind: "mlm", layer: "layer.0.output" },
    },
  };
  const { metrics, output } = await made("deep", deep, { baselines: false });
  expect(metrics.tasks.colour!.layer).toBe("layer.0.output");
  expect(metrics.tasks.animal!.layer).toBe("last_hidden_state");
  expect(metrics.auxiliary.words!.heldOut.joint).toBeGreaterThan(0);
  const { graph } = readModel(await readFile(join(output, "model.onnx")));
  // The language model is no part of what is used, and the blocks are there once.
  const names = [...graph.initializers.keys()].map(({ name }) => name);
  expect(names.filter((name) => /language/.test(name))).toEqual([]);
  expect(names.filter((name) => name.startsWith("layer.1.attention.query.weight"))).toHaveLength(1);
}, 120_000);

test("pictures with two label sets share a network, and a class may be many of the other set's", async () => {
  const photos = join(folder, "photos");
  for (const [c, [name, colour]] of Object.entries({
    dark: 40,
    grey: 110,
    pale: 180,
    white: 250,
  }).entries()) {
    await mkdir(join(photos, name), { recursive: true });
    for (let i = 0; i < 12; i++) {
      const noise = random(c * 100 + i);
      const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, () =>
        Math.min(255, colour + noise.integer(12) - 6),
      );
      await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } })
        .png()
        .toFile(join(photos, name, `${i}.png`));
    }
  }
  const tasks = {
    trunk: { arch: "resnet-small", options: { size: 8, width: 4, stages: 2, depth: 1 } },
    training: { epochs: 4, batchSize: 8, learningRate: 0.01 },
    weighting: "pcgrad",
    tasks: {
      shade: { data: "photos", testFraction: 0.25 },
      light: {
        data: "photos",
        testFraction: 0.25,
        relabel: { dark: "low", grey: "low", pale: "high", white: "high" },
      },
    },
  };
  const { metrics, output } = await made("photos-run", tasks);
  expect(metrics.tasks.light!.classes).toEqual(["high", "low"]);
  expect(metrics.tasks.shade!.classes).toHaveLength(4);
  expect(metrics.tasks.light!.joint).toBeGreaterThan(0.6);
  for (const task of ["shade", "light"]) {
    const opened = await openRun(output, { runtime, task });
    expect((await opened.verify()).drifted).toEqual([]);
    await opened.close();
  }
}, 120_000);

test("what one task is tested on no other is trained on", async () => {
  await writeFile(join(folder, "both.csv"), table(sentences(0, 96), "animal"));
  const { tasks } = tasksFile(
    {
      ...usual,
      tasks: { colour: { data: "colours.csv" }, animal: { data: "both.csv" }, words: { kind: "mlm" } },
    },
    join(folder, "tasks.json"),
  );
  const read = await readTasks(tasks, { seed: 0, validation: 0.1 });
  const texts = (rows: readonly { input: { kind: string; text?: string } }[]) =>
    rows.map(({ input }) => input.text!);
  for (const one of read)
    for (const other of read) {
      const tested = new Set(texts(other.test));
      expect([...texts(one.train), ...texts(one.held)].filter((text) => tested.has(text))).toEqual([]);
    }
  expect(read[0]!.notes.join()).toMatch(/\d+ training rows were left out: other tasks are tested on them/);
});

test("tasks that read one file are tested on the same rows, and lose none for each other", async () => {
  const tasks = {
    colour: { data: "colours.csv" },
    all: { data: "colours.csv", relabel: { blue: "cold", red: "warm" } },
  };
  const specs = tasksFile({ ...usual, tasks }, join(folder, "tasks.json")).tasks;
  const [one, other] = await readTasks(specs, { seed: 0, validation: 0.1 });
  const places = (rows: readonly { where: string }[]) => rows.map(({ where }) => where).sort();
  expect(places(other!.test)).toEqual(places(one!.test));
  expect(other!.test.length).toBeGreaterThan(10);
  expect(other!.train.length + other!.held.length + other!.test.length).toBe(96);
});

test("tasks that cannot share a network are refused, with the task's name", async () => {
  const with_ = (tasks: object) => made("refused", { ...usual, tasks });
  await expect(with_({ colour: { data: "nowhere.csv" } })).rejects.toThrow(
    /refused\.json: task "colour": .*nowhere\.csv/,
  );
  await expect(with_({ colour: { data: "colours.csv", layer: "layer.9" } })).rejects.toThrow(
    /task "colour": the network has no layer "layer\.9"/,
  );
  await expect(with_({ colour: { data: "colours.csv" }, words: { kind: "mlm" } })).rejects.toThrow(
    /task "words": text-cnn gives no row for each token/,
  );
  await expect(with_({ colour: { data: "colours.csv", relabel: { green: "x" } } })).rejects.toThrow(
    /task "colour": relabel: .* has no class "green"/,
  );
});

test("the program writes the run, says who gained, and predicts a task", async () => {
  const said: string[] = [];
  const streams = {
    out: { write: (text: string) => said.push(text) > 0, isTTY: false },
    err: { write: () => true, isTTY: false },
    now: () => 0,
  };
  const output = join(folder, "runs", "program");
  const call = (...words: string[]) => main([...words, "--quiet"], streams as never);
  expect(await call("multitask", join(folder, "tasks.json"), "--output", output, "--threads", "1")).toBe(0);
  expect(said.join("")).toMatch(/each of 2 tasks is trained alone, too, for 8 epochs/);
  expect(said.join("")).toMatch(/colour +\S+ % +\S+ % +[+−]\S+ points/);
  said.length = 0;
  expect(await call("predict", output, join(folder, "animals.csv"), "--task", "animal")).toBe(0);
  expect(said.join("").split("\n")[0]).toBe("input,text,label,probability,p:cat,p:dog,p:owl");
  said.length = 0;
  expect(await call("evaluate", output, join(folder, "animals.csv"), "--task", "animal", "--json")).toBe(0);
  expect(JSON.parse(said.join("").trim().split("\n").at(-1)!).test.n).toBe(60);
  expect(await call("verify", output)).toBe(0);
  expect(await call("multitask", join(folder, "tasks.json"))).toBe(2);
  expect(
    await call("multitask", join(folder, "tasks.json"), "--output", output, "--safe", "--no-baselines"),
  ).toBe(2);
}, 120_000);

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random, readModel } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countedRuns } from "../../../../test/counted-runs.ts";
import { main } from "../cli/main.ts";
import { openRun, writeReport } from "../runs/index.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { openSource } from "../sources/index.ts";
import { openTaggerRun } from "../tagging/index.ts";
import type { TaggingTest } from "../tagging/metrics.ts";
import { type MultitaskOptions, multitaskRun } from "./multitask-run.ts";

let folder: string;
let runtime: OrtRuntime;
const COLOURS = ["red", "blue", "green"];
const ANIMALS = ["cat", "dog", "owl", "hen"];
const PLACES = ["here", "there", "nearby", "outside", "upstairs"];

/** Sentences with part of speech and chunks: "the red cat sits here". */
function sentences(from: number, count: number): [token: string, pos: string, chunk: string][][] {
  return Array.from({ length: count }, (_, i) => {
    const source = random(100 + from + i);
    const one = (list: readonly string[]) => list[source.integer(list.length)]!;
    return [
      ["the", "DET", "B-NP"],
      ...(i % 3 === 0 ? [[one(COLOURS), "ADJ", "I-NP"] as const] : []),
      [one(ANIMALS), "NOUN", "I-NP"],
      ["sits", "VERB", "B-VP"],
      ...Array.from({ length: 1 + source.integer(3) }, () => [one(PLACES), "ADV", "O"] as const),
      [String(from + i), "NUM", "B-NP"],
    ] as [string, string, string][];
  });
}

const conll = (rows: ReturnType<typeof sentences>) =>
  rows.map((row) => row.map((cells) => cells.join(" ")).join("\n")).join("\n\n");

/** A class for each text, of the same words. */
const table = (rows: ReturnType<typeof sentences>) =>
  [
    "text,label",
    ...rows.map((row) => {
      const words = row.map(([token]) => token);
      return `${words.join(" ")},${words.includes("cat") || words.includes("dog") ? "pet" : "bird"}`;
    }),
  ].join("\n");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-multitask-tagging-"));
  runtime = await ortRuntime({ threads: 1, spinning: false });
  await writeFile(join(folder, "tags.conll"), conll(sentences(0, 90)));
  await writeFile(join(folder, "chunks.conll"), conll(sentences(300, 60)));
  await writeFile(join(folder, "animals.csv"), table(sentences(600, 80)));
  await writeFile(
    join(folder, "raw.txt"),
    sentences(900, 60)
      .map((row) => row.map(([token]) => token).join(" "))
      .join("\n"),
  );
  const words = [...COLOURS, ...ANIMALS, ...PLACES, "the", "sits"];
  await writeFile(
    join(folder, "vectors.txt"),
    words
      .map((word, i) => `${word} ${Array.from({ length: 4 }, () => random(i).normal().toFixed(3)).join(" ")}`)
      .join("\n"),
  );
  await mkdir(join(folder, "runs"));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

const SMALL = { wordWidth: 8, affixRows: 50, affixWidth: 4, characters: "no", units: 8, batchTokens: 64 };

const usual = {
  trunk: { arch: "bilstm", backbone: "vectors:vectors.txt", options: { ...SMALL, layers: 2 } },
  training: { epochs: 6, learningRate: 0.02 },
  tasks: {
    pos: { kind: "tagging", data: "tags.conll", column: "tag=2", layer: "encoder.0" },
    chunk: { kind: "tagging", data: "chunks.conll" },
    animal: { data: "animals.csv", layer: "encoder.0" },
    rare: { kind: "word-frequency", layer: "tokens" },
    words: { kind: "mlm", data: "raw.txt", words: 12 },
  },
};

async function made(name: string, content: object = usual, more: Partial<MultitaskOptions> = {}) {
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify(content));
  const output = join(folder, "runs", name);
  return { path, output, ...(await multitaskRun(path, { output, runtime, command: "as told", ...more })) };
}

describe("sentences, tags and raw text over one BiLSTM", () => {
  let run: Awaited<ReturnType<typeof made>>;
  beforeAll(async () => {
    run = await made("usual", usual, { affinity: true });
  }, 240_000);

  test("every task is learnt, and compared with training alone by its own measure", () => {
    const { tasks, auxiliary, deltaP, affinity } = run.metrics;
    expect(Object.entries(tasks).map(([name, one]) => [name, one.kind, one.measure, one.layer])).toEqual([
      ["pos", "tagging", "accuracy by token", "encoder.0"],
      ["chunk", "tagging", "F1 of spans", "encoder"],
      ["animal", "classification", "accuracy", "encoder.0"],
    ]);
    for (const [name, one] of Object.entries(tasks)) {
      expect(one.joint, name).toBeGreaterThan(0.85);
      expect(one.alone, name).toBeGreaterThan(0.6);
      expect(one.gain!.gain, name).toBeCloseTo(one.joint - one.alone!, 10);
      expect(one.heldOut.joint, name).toBeLessThan(one.heldOut.baseline);
    }
    expect((tasks.chunk!.test as TaggingTest).spanF1).toBe(tasks.chunk!.joint);
    for (const one of Object.values(auxiliary)) expect(one.heldOut.joint).toBeLessThan(one.heldOut.baseline);
    expect(auxiliary.rare!.layer).toBe("tokens");
    const relative = Object.values(tasks).map(({ joint, alone }) => (joint - alone!) / alone!);
    expect(deltaP).toBeCloseTo((100 * relative.reduce((a, b) => a + b)) / 3, 8);
    expect(affinity!.names).toEqual(["pos", "chunk", "animal", "rare", "words"]);
  });

  test("the network has an output for each task, and the trunk once", async () => {
    const { graph } = readModel(await readFile(join(run.output, "model.onnx")));
    expect(graph.outputs.map(({ name }) => name)).toEqual(["pos", "chunk", "chunk.transitions", "animal"]);
    expect(graph.nodes.filter(({ opType }) => opType === "LSTM")).toHaveLength(2);
    const names = [...graph.initializers.keys()].map(({ name }) => name);
    expect(names.filter((name) => name.startsWith("tokens.words"))).toHaveLength(1);
    expect(names.filter((name) => name.startsWith("tokens.vectors"))).toHaveLength(1);
  });

  test("each task tags or classifies as it did on the test part, and its golden inputs replay", async () => {
    const stored = (await readFile(join(run.output, "predictions.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const task of ["pos", "chunk"]) {
      const opened = await openTaggerRun(run.output, { runtime, task });
      expect(await opened.verify()).toMatchObject({ drifted: [] });
      const own = stored.filter((one) => one.task === task);
      const tagged = await opened.tag(
        own.map(({ tokens }) => tokens.map(({ text }: { text: string }) => text)),
      );
      expect(tagged.map(({ tags }) => tags)).toEqual(
        own.map(({ tokens }) => tokens.map(({ tag }: { tag: string }) => tag)),
      );
      await opened.close();
    }
    const opened = await openRun(run.output, { runtime, task: "animal" });
    expect(await opened.verify()).toMatchObject({ drifted: [], largestDifference: 0 });
    await opened.close();
  });

  test("the report has a section a task, and is written again from its data", async () => {
    const page = await readFile(join(run.output, "report.html"), "utf8");
    for (const task of ["pos", "chunk", "animal"]) expect(page).toContain(`<h2 id="${task}">`);
    expect(page).toMatch(/Each type of span/);
    await writeReport(run.output);
    expect(await readFile(join(run.output, "report.html"), "utf8")).toBe(page);
  });

  test("as a source of features it is refused, with what it is a source for", async () => {
    await expect(
      openSource(`run:${run.output}`, { modality: "text", runtime, training: [] }),
    ).rejects.toThrow(
      /takes sentences of tokens; it is a source for taggers and for tasks of graft multitask/,
    );
  });

  test("the program tags, scores and verifies by the name of the task", async () => {
    const said: string[] = [];
    const streams = {
      out: { write: (text: string) => said.push(text) > 0, isTTY: false },
      err: { write: () => true, isTTY: false },
      now: () => 0,
    };
    const call = async (...words: string[]) => {
      said.length = 0;
      expect(await main([...words, "--quiet"], streams as never), words.join(" ")).toBe(0);
      return said.join("");
    };
    const tagged = await call("predict", run.output, join(folder, "tags.conll"), "--task", "pos");
    expect(tagged.split("\n")[0]).toBe("the DET B-NP");
    const scored = await call(
      ...["evaluate", run.output, join(folder, "chunks.conll"), "--task", "chunk", "--json"],
    );
    expect(JSON.parse(scored.trim().split("\n").at(-1)!).test.spanF1).toBeGreaterThan(0.85);
    const classes = await call("predict", run.output, join(folder, "animals.csv"), "--task", "animal");
    expect(classes).toMatch(/^input,text,label,probability,p:bird,p:pet/);
    const verified = await call("verify", run.output);
    for (const task of ["pos", "chunk"])
      expect(verified).toMatch(new RegExp(`${task}: \\d+ golden sentences`));
    expect(verified).toMatch(/animal: \d+ golden inputs/);
    await call("report", run.output);
  }, 60_000);
});

test("split writes a file a task, with the tags of the one network; safe keeps what is better on held-out sentences", async () => {
  const two = {
    ...usual,
    trunk: { arch: "dilated-cnn", options: { ...SMALL, units: 12, layers: 2 } },
    training: { epochs: 2, learningRate: 0.02 },
    tasks: { pos: { ...usual.tasks.pos, layer: "encoder.0" }, chunk: usual.tasks.chunk },
  };
  const whole = await made("whole", two, { baselines: false });
  const apart = await made("split", two, { baselines: false, split: true });
  const page = await readFile(join(whole.output, "report.html"), "utf8");
  expect(page).toContain("Against a guess");
  expect(page).not.toMatch(/joint − alone|training alone/);
  expect((await readdir(apart.output)).filter((name) => name.endsWith(".onnx")).sort()).toEqual([
    "task.chunk.onnx",
    "task.pos.onnx",
  ]);
  expect(await readFile(join(apart.output, "predictions.jsonl"), "utf8")).toBe(
    await readFile(join(whole.output, "predictions.jsonl"), "utf8"),
  );
  const opened = await openTaggerRun(apart.output, { runtime, task: "chunk" });
  expect((await opened.verify()).drifted).toEqual([]);
  await opened.close();
  const safe = await made("safe", two, { safe: true });
  for (const [name, one] of Object.entries(safe.metrics.tasks)) {
    expect(one.kept, name).toBe(one.heldOut.alone! < one.heldOut.joint ? "alone" : "joint");
    const test = one.test as TaggingTest;
    expect(test.spanF1 ?? test.accuracy, name).toBe(one.kept === "alone" ? one.alone : one.joint);
    const kept = await openTaggerRun(safe.output, { runtime, task: name });
    expect((await kept.verify()).drifted, name).toEqual([]);
    await kept.close();
  }
}, 120_000);

test.each([
  ["one batch a step", 64, 1],
  ["a step in two batches at once", 8, 2],
])(
  "with %s: stopped twice and gone on with, a run ends in the same bytes",
  async (name, batchTokens, together) => {
    const { pos, chunk, words } = usual.tasks;
    const trunk = { ...usual.trunk, options: { ...usual.trunk.options, batchTokens } };
    const small = { trunk, training: { epochs: 2 }, tasks: { pos, chunk, words } };
    const { wide, most } = countedRuns(runtime, 2);
    const whole = await made(`undisturbed, ${name}`, small, { runtime: wide });
    expect(most.ever).toBe(together);
    const output = join(folder, "runs", `stopped, ${name}`);
    const options = { output, runtime: wide, command: "as told", checkpointEvery: 5 };
    for (const at of [23, 20]) {
      const stop = new AbortController();
      let seen = 0;
      const onProgress = (task: string) => {
        if (/^(joint|alone)/.test(task) && ++seen === at) stop.abort();
      };
      await expect(
        multitaskRun(whole.path, { ...options, onProgress, signal: stop.signal }),
      ).rejects.toThrow();
    }
    await multitaskRun(whole.path, options);
    for (const file of ["model.onnx", "predictions.jsonl", "golden.json", "words.pos.txt"])
      expect(
        (await readFile(join(output, file))).equals(await readFile(join(whole.output, file))),
        file,
      ).toBe(true);
  },
  120_000,
);

test("tags over a transformer, weighed by famo, with a softmax for spans", async () => {
  const { metrics, output } = await made(
    "transformer",
    {
      trunk: { arch: "transformer", options: { ...SMALL, units: 8, layers: 1 } },
      training: { epochs: 1 },
      weighting: "famo",
      tasks: { pos: usual.tasks.pos, chunk: { ...usual.tasks.chunk, head: "softmax" } },
    },
    { baselines: false },
  );
  expect(metrics.tasks.chunk!.heldOut.joint).toBeGreaterThan(0);
  const { graph } = readModel(await readFile(join(output, "model.onnx")));
  expect(graph.outputs.map(({ name }) => name)).toEqual(["pos", "chunk"]);
}, 60_000);

test("what does not fit is refused with the task's name", async () => {
  const refused = (change: object) =>
    expect(made("refused", { ...usual, ...change }, { baselines: false })).rejects;
  await refused({
    trunk: { arch: "text-cnn" },
    tasks: { pos: usual.tasks.pos, old: { kind: "keep" } },
  }).toThrow(/task "old": kind keep keeps the tags of an earlier tagger, so the trunk must be one/);
  await refused({ tasks: { pos: { ...usual.tasks.pos, layer: "encoder.7" } } }).toThrow(
    /task "pos": the trunk has no layer "encoder\.7"; it has tokens, encoder\.0, encoder/,
  );
  await refused({ tasks: { animal: { kind: "tagging", data: "animals.csv" } } }).toThrow(
    /task "animal": .* is for text-classification; kind tagging takes tagged tokens/,
  );
  await refused({ trunk: { backbone: "vectors:vectors.txt" } }).toThrow(/word vectors need an encoder/);
  await refused({ trunk: { arch: "resnet-small", backbone: "vectors:vectors.txt" } }).toThrow(
    /only a network of texts/,
  );
  await refused({ trunk: { arch: "bilstm", options: { width: 3 } } }).toThrow(/trunk: options/);
});

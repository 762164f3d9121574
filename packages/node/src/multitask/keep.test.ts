import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random, readModel } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../cli/main.ts";
import { readDataset } from "../data/read.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { openTaggerRun, trainTaggerRun } from "../tagging/index.ts";
import { multitaskRun } from "./multitask-run.ts";

let folder: string;
let runtime: OrtRuntime;
const NOUNS = ["cat", "dog", "owl", "hen", "cow"];
const VERBS = ["sits", "runs", "eats", "sees"];
const ADVERBS = ["here", "there", "nearby", "outside"];

/** Sentences whose words say their part of speech, and whose chunks are of it. */
function sentences(from: number, count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const source = random(from + i);
    const one = (list: readonly string[]) => list[source.integer(list.length)]!;
    const words = [
      ["the", "DET", "B-NP"],
      [one(NOUNS), "NOUN", "I-NP"],
      [one(VERBS), "VERB", "B-VP"],
      ...(source.uniform() < 0.5 ? [[one(ADVERBS), "ADV", "O"]] : []),
      [String(from + i), "NUM", "B-NP"],
      ...(source.uniform() < 0.5
        ? [
            ["a", "DET", "B-NP"],
            [one(NOUNS), "NOUN", "I-NP"],
          ]
        : []),
    ];
    return words.map((cells) => cells.join(" ")).join("\n");
  }).join("\n\n");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-keep-"));
  runtime = await ortRuntime({ threads: 1, spinning: false });
  await writeFile(join(folder, "earlier.conll"), sentences(0, 80));
  await writeFile(join(folder, "new.conll"), sentences(500, 60));
  await trainTaggerRun(await readDataset(join(folder, "earlier.conll"), { column: "tag=2" }), {
    output: join(folder, "earlier"),
    settings: {
      wordWidth: 8,
      affixRows: 50,
      affixWidth: 4,
      units: 8,
      batchTokens: 64,
      epochs: 8,
      learningRate: 0.02,
    },
    column: "tag=2",
    runtime,
  });
}, 60_000);
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

async function kept(name: string, task: object, training: object = {}) {
  const path = join(folder, `${name}.json`);
  await writeFile(
    path,
    JSON.stringify({
      trunk: { backbone: "run:earlier", options: { batchTokens: 64 } },
      training: { epochs: 6, learningRate: 0.03, ...training },
      tasks: { chunk: { kind: "tagging", data: "new.conll" }, pos: { kind: "keep", ...task } },
    }),
  );
  const output = join(folder, name);
  return { output, ...(await multitaskRun(path, { output, runtime })) };
}

test("tags are kept by what the earlier tagger expects of new sentences, and what was forgotten is measured", async () => {
  const { metrics, output } = await kept("distil", {
    ...{ by: "distil", data: "earlier.conll", column: "tag=2" },
  });
  const { chunk, pos } = metrics.tasks;
  expect(chunk!.joint).toBeGreaterThan(0.9);
  expect(chunk!.gain!.against).toBe("alone");
  const old = await openTaggerRun(join(folder, "earlier"), { runtime });
  const stored = JSON.parse(await readFile(join(folder, "earlier", "metrics.json"), "utf8"));
  // The same test part as the earlier run's: what it gave then is what is compared with.
  expect(pos!.alone).toBeCloseTo(stored.test.accuracy, 10);
  expect(pos!.gain).toMatchObject({ against: "before" });
  expect(pos!.gain!.gain).toBeCloseTo(pos!.joint - pos!.alone!, 10);
  expect(pos!.joint).toBeGreaterThan(0.9);
  // What is compared with one earlier tagger is no part of the mean gain over training alone.
  expect(metrics.deltaP).toBeCloseTo((100 * (chunk!.joint - chunk!.alone!)) / chunk!.alone!, 8);
  for (const task of ["chunk", "pos"]) {
    const opened = await openTaggerRun(output, { runtime, task });
    expect((await opened.verify()).drifted, task).toEqual([]);
    expect(opened.config.id2label, task).toEqual(
      task === "pos" ? old.config.id2label : opened.config.id2label,
    );
    await opened.close();
  }
  await old.close();
  const { graph } = readModel(await readFile(join(output, "model.onnx")));
  expect(graph.outputs.map(({ name }) => name)).toEqual(["chunk", "chunk.transitions", "pos"]);
  expect(graph.nodes.filter(({ opType }) => opType === "LSTM")).toHaveLength(1);
}, 60_000);

test("what would be without keeping is the earlier head over the trunk that learnt the new tags alone", async () => {
  const earlier = { by: "replay", data: "earlier.conll", column: "tag=2" };
  // A trunk that does not move forgets nothing; one that every step throws about forgets.
  const { metrics: still } = await kept("still", earlier, { epochs: 1, learningRate: 1e-12 });
  expect(still.tasks.pos!.unkept).toBe(still.tasks.pos!.alone);
  expect(still.tasks.pos!.joint).toBe(still.tasks.pos!.alone);
  const { metrics: wild } = await kept("wild", earlier, { epochs: 1, learningRate: 1 });
  expect(wild.tasks.pos!.unkept).toBeLessThan(wild.tasks.pos!.alone! - 0.1);
}, 60_000);

test("without earlier sentences the score is how often the tags are still the earlier tagger's", async () => {
  const { metrics } = await kept("agreeing", {});
  const { pos } = metrics.tasks;
  expect(pos!.alone).toBe(1);
  expect(pos!.joint).toBeGreaterThan(0.95);
  await expect(kept("refused", { by: "replay" })).rejects.toThrow(
    /task "pos": by replay: name the earlier sentences with data/,
  );
}, 60_000);

test("a run with several tasks is a source, too, and its tasks can be kept", async () => {
  const path = join(folder, "again.json");
  await writeFile(
    path,
    JSON.stringify({
      trunk: { backbone: "run:distil", options: { batchTokens: 64 } },
      training: { epochs: 2, learningRate: 0.01 },
      tasks: {
        coarse: {
          kind: "tagging",
          data: "new.conll",
          column: "tag=2",
          relabel: { ADV: "OTHER", NUM: "OTHER" },
        },
        chunk: { kind: "keep", task: "chunk" },
        pos: { kind: "keep", task: "pos" },
      },
    }),
  );
  const { metrics } = await multitaskRun(path, { output: join(folder, "again"), runtime });
  expect(metrics.tasks.coarse!.classes).toEqual(["DET", "NOUN", "OTHER", "VERB"]);
  for (const name of ["chunk", "pos"]) expect(metrics.tasks[name]!.joint, name).toBeGreaterThan(0.9);
}, 60_000);

test("graft train --keep writes both tag sets into one run", async () => {
  const said: string[] = [];
  const streams = {
    out: { write: (text: string) => said.push(text) > 0, isTTY: false },
    err: { write: (text: string) => said.push(text) > 0, isTTY: false },
    now: () => 0,
  };
  const output = join(folder, "program");
  const words = ["--output", output, "--quiet", "--threads", "1", "--epochs", "3", "--learning-rate", "0.02"];
  const call = (...more: string[]) =>
    main(["train", join(folder, "new.conll"), ...words, ...more], streams as never);
  const backbone = ["--backbone", `run:${join(folder, "earlier")}`];
  expect(await call(...backbone, "--keep", "replay", "--earlier", join(folder, "earlier.conll"))).toBe(0);
  expect(said.join("")).toMatch(/earlier +\S+ % +\S+ % +[+−]\S+ points .*against the earlier tagger/);
  const { tasks } = JSON.parse(await readFile(join(output, "metrics.json"), "utf8"));
  expect(Object.keys(tasks)).toEqual(["new", "earlier"]);
  expect(tasks.earlier.joint).toBeGreaterThan(0.95);
  expect(await call("--keep", "distil")).toBe(2);
  expect(await call(...backbone, "--earlier", "x")).toBe(2);
}, 60_000);

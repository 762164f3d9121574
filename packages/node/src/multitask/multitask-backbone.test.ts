import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { architectures, type Model, random, readModel, sizeOf, writeModel } from "@graft-ml/core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRun } from "../runs/index.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { openArchitecture } from "../sources/index.ts";
import { openTaggerRun } from "../tagging/index.ts";
import { multitaskRun } from "./multitask-run.ts";

let folder: string;
let runtime: OrtRuntime;
const COLOURS = ["red", "blue"];
const ANIMALS = ["cat", "dog", "owl"];
const PLACES = ["here", "there", "nearby", "outside", "upstairs"];

/** Words that say nothing, so that no two texts are nearly the same. */
function fillers(seed: number): string {
  const source = random(seed);
  return Array.from({ length: 3 }, () => PLACES[source.integer(PLACES.length)]!).join(" ");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-multitask-backbone-"));
  runtime = await ortRuntime({ threads: 1, spinning: false });
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

async function run(name: string, content: object) {
  await writeFile(join(folder, `${name}.json`), JSON.stringify(content));
  const output = join(folder, `${name}-run`);
  return { output, ...(await multitaskRun(join(folder, `${name}.json`), { output, runtime })) };
}

/** Numbers of a model's initializers, by name. */
const numbersOf = (model: Model) =>
  new Map(
    [...model.graph.initializers].map(([{ name }, { data }]) => [name, Array.from(data as Float32Array)]),
  );

async function expectVerified(output: string, tasks: readonly string[]): Promise<void> {
  for (const task of tasks) {
    const opened = await openRun(output, { runtime, task });
    expect((await opened.verify()).drifted, task).toEqual([]);
    await opened.close();
  }
}

test("texts over an ONNX encoder: its upper blocks are trained by all tasks, what lies below stays as it came", async () => {
  const texts = Array.from({ length: 72 }, (_, i) => ({
    text: `the ${COLOURS[i % 2]} ${ANIMALS[i % 3]} sits ${fillers(i)} ${i}`,
    colour: COLOURS[i % 2]!,
    animal: ANIMALS[i % 3]!,
  }));
  for (const label of ["colour", "animal"] as const)
    await writeFile(
      join(folder, `${label}.csv`),
      ["text,label", ...texts.map((row) => `${row.text},${row[label]}`)].join("\n"),
    );
  const cells = (i: number) => [
    ["the", "DET"],
    [COLOURS[i % 2]!, "ADJ"],
    [ANIMALS[i % 3]!, "NOUN"],
    ["sits", "VERB"],
    ...fillers(i)
      .split(" ")
      .map((word) => [word, "ADV"]),
  ];
  await writeFile(
    join(folder, "tags.conll"),
    Array.from({ length: 40 }, (_, i) =>
      cells(200 + i)
        .map((one) => one.join(" "))
        .join("\n"),
    ).join("\n\n"),
  );
  const { model, backbone } = await openArchitecture({
    choice: { name: "transformer-small", settings: { width: 16, depth: 2, heads: 2 } },
    modality: "text",
    training: texts.map(({ text }, i) => ({
      where: `row ${i}`,
      input: { kind: "text", text } as const,
      ...{ label: null, split: null, group: null, weight: 1 },
    })),
    random: random(1),
  });
  const encoder = join(folder, "encoder");
  await mkdir(encoder);
  await writeFile(join(encoder, "model.onnx"), writeModel(model));
  await writeFile(join(encoder, "tokenizer.json"), JSON.stringify(backbone.tokenizer!.json));
  await writeFile(join(encoder, "tokenizer_config.json"), JSON.stringify(backbone.tokenizer!.config));
  await writeFile(join(encoder, "config.json"), "{}");
  const { metrics, output } = await run("texts", {
    trunk: { backbone: "encoder", depth: 2 },
    training: { epochs: 8, batchSize: 8, learningRate: 0.01 },
    tasks: {
      colour: { data: "colour.csv" },
      animal: { data: "animal.csv" },
      tag: { kind: "tagging", data: "tags.conll" },
      rare: { kind: "word-frequency" },
    },
  });
  // Tags stand on the first sub-word of each token, over the network that classifies texts.
  expect(metrics.tasks.tag!.joint).toBeGreaterThan(0.8);
  const tagger = await openTaggerRun(output, { runtime, task: "tag" });
  expect((await tagger.verify()).drifted).toEqual([]);
  const [tagged] = await tagger.tag([["the", "blue", "owl", "sits", "here"]]);
  expect(tagged!.tags[0]).toBe("DET");
  await tagger.close();
  for (const one of Object.values(metrics.tasks)) {
    expect(one.heldOut.joint).toBeLessThan(one.heldOut.baseline);
    expect(one.gain).not.toBeNull();
  }
  await expectVerified(output, ["colour", "animal"]);
  const before = numbersOf(model);
  const after = numbersOf(readModel(await readFile(join(output, "model.onnx"))));
  const changed = [...before].filter(([name, numbers]) => {
    const now = after.get(name);
    return now?.some((one, i) => one !== numbers[i]);
  });
  expect(changed.length).toBeGreaterThan(4);
  expect(changed.map(([name]) => name).filter((name) => /^embeddings|layer\.0\./.test(name))).toEqual([]);
}, 60_000);

test("pictures with three label sets over an ONNX network share what they train of it", async () => {
  const names = ["dark-left", "dark-right", "pale-left", "pale-right"];
  for (const [c, name] of names.entries()) {
    await mkdir(join(folder, "photos", name), { recursive: true });
    for (let i = 0; i < 12; i++) {
      const noise = random(c * 100 + i);
      const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, (_, k) => {
        const isLeft = Math.floor(k / 3) % 8 < 4;
        const spot = isLeft === name.endsWith("left") ? 50 : 0;
        return (name.startsWith("dark") ? 30 : 150) + spot + noise.integer(10);
      });
      await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } })
        .png()
        .toFile(join(folder, "photos", name, `${i}.png`));
    }
  }
  const network = join(folder, "network");
  await mkdir(network);
  const model = architectures["resnet-small"].build({ size: 8, width: 4, stages: 2, depth: 1 }, random(2));
  await writeFile(join(network, "model.onnx"), writeModel(model));
  await writeFile(join(network, "config.json"), "{}");
  await writeFile(
    join(network, "preprocessor_config.json"),
    JSON.stringify({
      ...{ do_resize: true, size: { height: 8, width: 8 }, do_rescale: true, rescale_factor: 1 / 255 },
      ...{ do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.25, 0.25, 0.25] },
    }),
  );
  const of = (start: number) =>
    Object.fromEntries(names.map((name) => [name, name.split("-")[start]!] as const));
  const { metrics, output } = await run("pictures", {
    trunk: { backbone: "network" },
    training: { epochs: 4, batchSize: 8, learningRate: 0.01 },
    sampling: "together",
    tasks: {
      all: { data: "photos" },
      shade: { data: "photos", relabel: of(0) },
      side: { data: "photos", relabel: of(1) },
    },
  });
  expect(Object.values(metrics.tasks).map(({ classes }) => classes.length)).toEqual([4, 2, 2]);
  expect(metrics.tasks.shade!.joint).toBeGreaterThan(0.8);
  await expectVerified(output, ["all", "shade", "side"]);
  const { graph } = readModel(await readFile(join(output, "model.onnx")));
  const convolutions = (one: Model["graph"]) => one.nodes.filter(({ opType }) => opType === "Conv").length;
  expect(convolutions(graph)).toBe(convolutions(model.graph));
  const total = [...graph.initializers.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const once = [...model.graph.initializers.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  expect(total).toBeLessThan(1.5 * once);
}, 60_000);

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "./main.ts";

const people = ["Ann", "Bob", "Eve", "Tom", "Zoe"];
const towns = ["Rome", "Oslo", "Lima", "Bonn"];
const verbs = ["saw", "left", "likes", "found"];

/** Sentences in which a capital after "in" is a town and any other a person; IOB1 where asked for. */
function sentences(count: number, seed: number, towned = "LOC"): string {
  const source = random(seed);
  const one = (of: readonly string[]) => of[source.integer(of.length)]!;
  return Array.from({ length: count }, () => {
    const lines = [`${one(people)} B-PER`];
    if (source.uniform() < 0.5) lines.push("Smith I-PER");
    lines.push(`${one(verbs)} O`, `${one(people)} B-PER`, "in O", `${one(towns)} B-${towned}`);
    if (source.uniform() < 0.3) lines.push(`City I-${towned}`);
    return `${lines.join("\n")}\n. O\n\n`;
  }).join("");
}

let folder: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-tagging-"));
  await writeFile(at("data.conll"), sentences(100, 1));
  await writeFile(at("test.conll"), sentences(40, 2));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const written = { out: "", err: "" };
  const code = await main([...args, "--quiet"], {
    out: { write: (text: string) => (written.out += text) },
    err: { write: (text: string) => (written.err += text) },
    now: () => 0,
  });
  return { code, ...written };
}

const SMALL = "units=12,wordWidth=8,affixWidth=4,affixRows=64,batchTokens=64";

describe.each([
  ["a network", ["--arch-options", SMALL, "--epochs", "5", "--learning-rate", "0.03"]],
  ["--fast", ["--fast", "--arch-options", "rows=4096"]],
  [
    "a network and a linear tagger",
    ["--arch-options", `${SMALL},beside=yes,rows=4096`, "--epochs", "3", "--learning-rate", "0.03"],
  ],
  [
    "convolutions",
    [
      "--arch",
      "dilated-cnn",
      "--head",
      "softmax",
      "--arch-options",
      SMALL,
      "--epochs",
      "8",
      "--learning-rate",
      "0.02",
    ],
  ],
])("graft with tagged tokens and %s", (name, flags) => {
  const output = () => at(`run ${name}`);
  test("trains, and writes a run with scores of spans", async () => {
    const { code, out, err } = await run(
      "train",
      at("data.conll"),
      "--test",
      at("test.conll"),
      "--output",
      output(),
      "--json",
      "--threads",
      "1",
      ...flags,
    );
    expect([code, err]).toEqual([0, ""]);
    const metrics = JSON.parse(out.trimEnd().split("\n").at(-1)!);
    expect(metrics).toMatchObject({
      task: "token-classification",
      classes: ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"],
      test: { sentences: 40 },
    });
    expect(metrics.test.spanF1).toBeGreaterThan(0.9);
    expect(metrics.test.spanF1).toBe(metrics.test.spans.f1);
    expect(metrics.baselines.raw).toBeGreaterThan(metrics.baselines.majority);
    expect(JSON.parse(await readFile(join(output(), "metrics.json"), "utf8"))).toEqual(metrics);
    expect(await readFile(join(output(), "report.html"), "utf8")).toContain("spans");
  });
  test("verifies, and evaluates to the scores of training", async () => {
    const verified = await run("verify", output(), "--json");
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, rows: 32 });
    const evaluated = await run("evaluate", output(), at("test.conll"), "--json");
    const { test: trained } = JSON.parse(await readFile(join(output(), "metrics.json"), "utf8"));
    const { test: again } = JSON.parse(evaluated.out);
    expect(again).toEqual({ ...trained, ece: expect.closeTo(trained.ece, 5) });
    expect((await run("report", output())).code).toBe(0);
  });
  test("predicts in the format it read, with and without tags there", async () => {
    const tagged = at(`tagged ${name}.conll`);
    await run("predict", output(), at("test.conll"), "--output", tagged);
    const [asked, given] = await Promise.all([readFile(at("test.conll"), "utf8"), readFile(tagged, "utf8")]);
    expect(given.split("\n").map((line) => line.split(" ")[0])).toEqual(
      asked.split("\n").map((line) => line.split(" ")[0]),
    );
    await writeFile(at("bare.conll"), "Ann\nleft\n\nTom\n");
    const { out } = await run("predict", output(), at("bare.conll"));
    expect(out).toMatch(/^Ann B-PER\nleft O\n\nTom \S+\n/);
  });
  test("predicts spans with offsets from raw text", async () => {
    await writeFile(at("raw.jsonl"), '{"text": "Ann saw Tom in Rome."}\n');
    const { out, code } = await run("predict", output(), at("raw.jsonl"));
    expect(code).toBe(0);
    const line = JSON.parse(out);
    for (const { start, end, text } of line.spans) expect(line.text.slice(start, end)).toBe(text);
    expect(line.spans.map((span: { text: string }) => span.text)).toContain("Rome");
  });
});

test("a tagger is a source for other tags, and is compared with one from nothing", async () => {
  await writeFile(at("other.conll"), sentences(60, 3, "TOWN").replaceAll("Bonn", "Ulm"));
  const { code, out, err } = await run(
    "train",
    at("other.conll"),
    "--backbone",
    `run:${at("run a network")}`,
    "--output",
    at("other"),
    "--json",
    "--epochs",
    "2",
    "--learning-rate",
    "0.01",
    "--arch-options",
    SMALL,
  );
  expect([code, err]).toEqual([0, ""]);
  const metrics = JSON.parse(out.trimEnd().split("\n").at(-1)!);
  expect(metrics.classes).toContain("B-TOWN");
  expect(metrics.transfer).toMatchObject({ against: "scratch" });
  expect(metrics.transfer.interval[0]).toBeLessThanOrEqual(metrics.transfer.gain);
  const wordsOf = async (name: string): Promise<string[]> =>
    JSON.parse(await readFile(join(at(name), "tagger.json"), "utf8")).trunk.encoding.words;
  const [before, after] = [await wordsOf("run a network"), await wordsOf("other")];
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.slice(before.length)).toEqual(["ulm"]);
  const config = JSON.parse(await readFile(join(at("other"), "config.json"), "utf8"));
  expect(config.reason).toMatch(/weights were started from the source's, the head is new/);
});

test("parts of speech in CoNLL-U are written back into their field", async () => {
  const rows = (tagged: boolean) =>
    Array.from({ length: 30 }, (_, i) =>
      [
        "# text = x",
        ...["the DET", `${people[i % 5]} PROPN`, `${verbs[i % 4]} VERB`].map((pair, t) => {
          const [form, tag] = pair.split(" ");
          return [t + 1, form, "_", tagged ? tag : "_", "_", "_", "_", "_", "_", "_"].join("\t");
        }),
        "",
        "",
      ].join("\n"),
    ).join("");
  await writeFile(at("pos.conllu"), rows(true));
  await writeFile(at("bare.conllu"), rows(false));
  const trained = await run(
    "train",
    at("pos.conllu"),
    "--output",
    at("pos"),
    "--fast",
    "--arch-options",
    "rows=4096",
    "--json",
  );
  expect(trained.code).toBe(0);
  expect(JSON.parse(trained.out.trimEnd().split("\n").at(-1)!).test).toMatchObject({
    spanF1: null,
    accuracy: 1,
  });
  const { out } = await run("predict", at("pos"), at("bare.conllu"));
  expect(out.trimEnd()).toBe(rows(true).trimEnd());
});

describe("what is at the edge has a clear answer", () => {
  const network = () => at("run a network");
  test("sentences of one token and of 5 000", async () => {
    await writeFile(at("edge.conll"), `Ann B-PER\n\n${"in O\n".repeat(4999)}Rome B-LOC\n`);
    const { code, out } = await run("evaluate", network(), at("edge.conll"), "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out).test).toMatchObject({ sentences: 2, tokens: 5001 });
  });
  test("an empty file", async () => {
    await writeFile(at("empty.conll"), "");
    const { code, err } = await run("train", at("empty.conll"), "--output", at("none"));
    expect(code).toBe(1);
    expect(err).toMatch(/empty.conll: is empty/);
  });
  test("tags that training never saw, some and all", async () => {
    await writeFile(at("some.conll"), "Ann B-PER\nleft O\n\nMay B-DATE\n");
    const some = await run("evaluate", network(), at("some.conll"), "--json");
    expect(
      JSON.parse(some.out).test.perTag.find(({ name }: { name: string }) => name === "B-DATE"),
    ).toMatchObject({ recall: 0, support: 1 });
    await writeFile(at("all.conll"), "Ann NOUN\nleft VERB\n\nMay NOUN\n");
    const all = await run("evaluate", network(), at("all.conll"));
    expect(all.code).toBe(1);
    expect(all.err).toMatch(/none of its tags \(NOUN, VERB\) is one that/);
  });
  test("a test part with another tag than training, said in a note", async () => {
    await writeFile(at("strange.conll"), `${sentences(10, 5)}May B-DATE\n. O\n`);
    const { out } = await run(
      "train",
      at("data.conll"),
      "--test",
      at("strange.conll"),
      "--output",
      at("strange"),
      "--fast",
      "--arch-options",
      "rows=1024",
    );
    expect(out).toMatch(
      /tags of the test part that never occur in training: B-DATE \(1×\); their tokens count as errors/,
    );
  });
  test("a test part that holds every training sentence", async () => {
    await writeFile(at("twin.conll"), sentences(100, 1));
    const { code, err } = await run(
      ...["train", at("data.conll"), "--test", at("twin.conll"), "--output", at("none"), "--fast"],
    );
    expect(code).toBe(1);
    expect(err).toMatch(/all \d+ training sentences stand in the test part, too/);
  });
  test("a broken line, left out and told", async () => {
    await writeFile(at("broken.conll"), sentences(100, 1).replace(". O", "."));
    const { code, out, err } = await run(
      ...["train", at("broken.conll"), "--test", at("test.conll"), "--output", at("broken")],
      ...["--fast", "--arch-options", "rows=1024", "--on-error", "skip", "--no-baselines"],
    );
    expect(code).toBe(0);
    expect(err).toMatch(/warning: left out: .*broken.conll line \d+ has 1 column/);
    expect(out).not.toContain("\n\n\n");
    const page = await readFile(join(at("broken"), "report.html"), "utf8");
    expect(page).toContain("Scores on the test part");
    expect(page).not.toContain("Against the baselines");
  });
  test("a mix of schemes", async () => {
    await writeFile(at("mixed.conll"), "a B-X\nb M-X\nc E-X\n\nd U-X\n");
    const { code, err } = await run("train", at("mixed.conll"), "--output", at("none"));
    expect(code).toBe(1);
    expect(err).toMatch(/mixed.conll: tags use the letters B, E, M, U, a mix of schemes/);
  });
  test("a backbone that is not there, and a head that tags nothing", async () => {
    const missing = await run("train", at("data.conll"), "--output", at("none"), "--backbone", "photo.onnx");
    expect(missing.code).toBe(1);
    expect(missing.err).toMatch(/photo\.onnx/);
    const head = await run("train", at("data.conll"), "--output", at("none"), "--head", "knn");
    expect(head.err).toMatch(/a tagger's head is crf or softmax/);
  });
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { architectures, initialise, random, withParameters, writeModel } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "../cli/main.ts";
import { trainTokenizer } from "../texts/index.ts";
import { subWords } from "./sub-words.ts";

const words = ["ann", "bob", "eve", "saw", "left", "found", "in", "rome", "oslo", "lima"];
const tagOf = (word: string, i: number, all: readonly string[]) =>
  all[i - 1] === "in" ? "LOC" : words.indexOf(word) < 3 ? "PER" : words.indexOf(word) < 6 ? "VERB" : "X";

/** Sentences in which what a word is depends on the one before it: any word after "in" is a place. */
function sentences(count: number, seed: number): string {
  const source = random(seed);
  return Array.from({ length: count }, () => {
    const own = Array.from({ length: 4 + source.integer(11) }, () => words[source.integer(words.length)]!);
    return `${own.map((word, i) => `${word} ${tagOf(word, i, own)}`).join("\n")}\n\n`;
  }).join("");
}

let folder: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-pretrained-"));
  const build = architectures["transformer-small"].build;
  const settings = { vocabulary: 64, length: 32, width: 16, depth: 2, heads: 2, expansion: 2 };
  const drawn = build(settings, random(1));
  const encoder = withParameters(drawn, initialise(drawn, random(2)));
  const { json, config } = trainTokenizer(
    words.map((word) => `${word} ${word}`),
    { size: 64, maxLength: 32 },
  );
  await mkdir(at("encoder"));
  await writeFile(at("encoder/model.onnx"), writeModel(encoder));
  await writeFile(at("encoder/tokenizer.json"), JSON.stringify(json));
  await writeFile(at("encoder/tokenizer_config.json"), JSON.stringify(config));
  await writeFile(at("encoder/config.json"), JSON.stringify({ model_type: "bert" }));
  await writeFile(at("data.conll"), sentences(120, 1));
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

async function trained(name: string, ...flags: string[]) {
  const { code, out, err } = await run(
    "train",
    at("data.conll"),
    "--test",
    at("test.conll"),
    "--output",
    at(name),
    "--threads",
    "1",
    "--json",
    ...flags,
  );
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out.trimEnd().split("\n").at(-1)!);
}

describe.each([
  ["a probe on frozen states", "probe", ["--epochs", "40"], 0.4],
  ["training every layer", "full", ["--epochs", "5", "--learning-rate", "0.01", "--no-baselines"], 0.8],
  ["adapters", "lora", ["--epochs", "1", "--no-baselines"], 0.5],
  ["the upper block", "lp-ft", ["--epochs", "1", "--depth", "1", "--no-baselines"], 0.5],
])("a tagger over a pretrained encoder, by %s", (_, method, flags, least) => {
  test("trains, verifies and evaluates to the scores of training", async () => {
    const backbone = ["--backbone", at("encoder"), "--max-length", "16", "--method", method];
    const metrics = await trained(method, ...backbone, ...flags);
    expect(metrics.chosen).toMatchObject({ method });
    expect(metrics.test.accuracy).toBeGreaterThan(least);
    if (metrics.transfer !== null) expect(metrics.transfer.against).toBe("linear");
    const verified = await run("verify", at(method), "--json");
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, rows: 32 });
    const again = JSON.parse((await run("evaluate", at(method), at("test.conll"), "--json")).out);
    expect(again.test.accuracy).toBe(metrics.test.accuracy);
  }, 60_000);
});

test("raw text is tagged with offsets, and sentences longer than a window are tagged whole", async () => {
  const text = "ann saw  bob in rome.";
  await writeFile(at("raw.jsonl"), `${JSON.stringify({ text })}\n`);
  const line = JSON.parse((await run("predict", at("full"), at("raw.jsonl"))).out);
  for (const { start, end, text: token } of line.tokens) expect(text.slice(start, end)).toBe(token);
  expect(line.tokens).toHaveLength(6);
  await writeFile(at("long.conll"), sentences(60, 3).replaceAll("\n\n", "\n"));
  const long = await readFile(at("long.conll"), "utf8");
  const { out } = await run("predict", at("full"), at("long.conll"));
  const right = out
    .trimEnd()
    .split("\n")
    .filter((pair, i) => pair === long.split("\n")[i]).length;
  expect(right / out.trimEnd().split("\n").length).toBeGreaterThan(0.8);
});

test("the encoder of such a tagger is a source for other tags", async () => {
  await writeFile(at("other.conll"), sentences(80, 4).replaceAll(" LOC", " TOWN"));
  const { out } = await run(
    ...["train", at("other.conll"), "--backbone", `run:${at("full")}`, "--output", at("other"), "--json"],
    ...["--no-baselines", "--threads", "1"],
  );
  const metrics = JSON.parse(out.trimEnd().split("\n").at(-1)!);
  expect(metrics.classes).toContain("TOWN");
  expect(metrics.test.accuracy).toBeGreaterThan(0.8);
});

test("a way of training without an encoder, an encoder named beside another, and a missing layer are refused", async () => {
  const base = ["train", at("data.conll"), "--output", at("refused")];
  expect((await run(...base, "--method", "lora")).err).toMatch(/there is none; name one with --backbone/);
  const over = [...base, "--backbone", at("encoder")];
  expect((await run(...over, "--arch", "bilstm")).err).toMatch(
    /the backbone is the encoder; leave --arch out/,
  );
  expect((await run(...over, "--method", "gradual")).err).toMatch(/probe, lp-ft, lora, bitfit, full/);
  expect((await run(...over, "--layer", "nowhere")).err).toMatch(/gives no numbers for each token/);
});

test("each token is where its first sub-word is, in the window whose ends are farthest", async () => {
  const json = JSON.parse(await readFile(at("encoder/tokenizer.json"), "utf8"));
  const feeder = subWords({
    tokenizer: { json, config: null },
    inputs: [{ name: "input_ids" }],
    maxLength: 8,
  });
  const own = Array.from({ length: 30 }, (_, i) => words[(i * 7) % 10]!);
  const { input_ids: ids, token_places: places } = feeder.feeds([own, ["ann", "oslo", "\u200b"]], 30);
  const [windows, extent] = ids!.shape as [number, number];
  expect(extent).toBe(8);
  const idOf = (word: string) => feeder.feeds([[word]], 1).input_ids!.data[0];
  for (const [t, word] of own.entries()) {
    const place = Number(places!.data[t]);
    expect(ids!.data[place]).toBe(idOf(word));
    const sides = [place % extent, extent - 1 - (place % extent)];
    // Half a window overlaps, so that a quarter of one lies on each side of a token that has neighbours there.
    if (t > 1 && t < own.length - 2) expect(Math.min(...sides)).toBeGreaterThanOrEqual(1);
  }
  expect(windows).toBe(8);
  const last = Number(places!.data[30 + 2]);
  expect(json.model.vocab["[UNK]"]).toBe(Number(ids!.data[last]));
});

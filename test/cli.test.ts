import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { graft, json } from "./program.ts";

const examples = fileURLToPath(new URL("../examples/support/messages.csv", import.meta.url));

let folder: string;
let run: string;
let metrics: {
  classes: string[];
  test: { n: number; accuracy: number };
  baselines: object;
  transfer: object;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-cli-"));
  process.env.GRAFT_CACHE = join(folder, "cache");
  run = join(folder, "run");
  const trained = await graft("train", examples, "--output", run, "--fast", "--json", "--quiet");
  expect(trained.err).toBe("");
  expect(trained.code).toBe(0);
  expect(trained.out.trim().split("\n")).toHaveLength(1);
  metrics = json(trained);
});

afterAll(async () => {
  delete process.env.GRAFT_CACHE;
  await rm(folder, { recursive: true });
});

describe("a run of texts from the command line", () => {
  test("has every file of the contract, and metrics.json is what --json printed", async () => {
    const names = await readdir(run);
    for (const name of [
      "model.onnx",
      "config.json",
      "golden.json",
      "metrics.json",
      "report.html",
      "README.md",
    ])
      expect(names).toContain(name);
    expect(names.filter((name) => name.endsWith(".part"))).toEqual([]);
    expect(JSON.parse(await readFile(join(run, "metrics.json"), "utf8"))).toEqual(metrics);
    expect(metrics).toMatchObject({
      task: "text-classification",
      baselines: { majority: expect.any(Number), raw: expect.any(Number), scratch: null },
      transfer: { verdict: "no evidence", against: "raw" },
      chosen: { backbone: "none", head: "logistic", method: "probe" },
      timing: { totalSeconds: expect.any(Number) },
    });
    expect(metrics.test.accuracy).toBeGreaterThan(0.6);
  });

  test("predictions of another process are those of training, bit for bit", async () => {
    const lines = (await readFile(join(run, "predictions.jsonl"), "utf8")).trim().split("\n");
    const trained = lines.map((line) => JSON.parse(line) as { text: string; probabilities: object });
    // In another order and another company than in training.
    const input = join(folder, "again.jsonl");
    await writeFile(
      input,
      trained
        .toReversed()
        .map(({ text }) => `${JSON.stringify({ text })}\n`)
        .join(""),
    );
    const output = join(folder, "again-out.jsonl");
    expect((await graft("predict", run, input, "--output", output, "--quiet")).code).toBe(0);
    const again = (await readFile(output, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(again).toHaveLength(metrics.test.n);
    for (const [i, { probabilities }] of trained.toReversed().entries())
      expect(again[i].probabilities).toEqual(probabilities);
  });

  test("the same command makes the same model, configuration and golden inputs", async () => {
    const second = join(folder, "second");
    await graft("train", examples, "--output", second, "--fast", "--quiet", "--json");
    for (const name of [
      "model.onnx",
      "config.json",
      "golden.json",
      "tfidf.json",
      "predictions.jsonl",
      "log.jsonl",
    ])
      expect(hash(await readFile(join(second, name)))).toBe(hash(await readFile(join(run, name))));
  });

  test("evaluate prints the form of metrics.json", async () => {
    const evaluated = json(await graft("evaluate", run, examples, "--json", "--quiet"));
    expect(evaluated.test.n).toBeGreaterThan(metrics.test.n);
    expect(evaluated.classes).toEqual(metrics.classes);
    expect(evaluated.test.accuracy).toBeGreaterThan(metrics.test.accuracy); // it was trained on most of these rows
  });

  test("verify passes, and fails with exit code 1 where a probability or the model was changed", async () => {
    const passed = await graft("verify", run, "--json");
    expect(passed.code).toBe(0);
    expect(json(passed)).toMatchObject({ ok: true, rows: 32, largestDifference: 0 });
    const changed = join(folder, "changed");
    await cp(run, changed, { recursive: true });
    const golden = JSON.parse(await readFile(join(changed, "golden.json"), "utf8"));
    golden.rows[3].probabilities[0] += 0.01;
    await writeFile(join(changed, "golden.json"), JSON.stringify(golden));
    const drifted = await graft("verify", changed, "--json");
    expect(drifted.code).toBe(1);
    expect(json(drifted)).toMatchObject({ ok: false, drifted: [{ where: golden.rows[3].where }] });
    const model = await readFile(join(changed, "model.onnx"));
    model[model.length - 40]! ^= 1;
    await writeFile(join(changed, "model.onnx"), model);
    const refused = await graft("verify", changed);
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/model.onnx is not the model of this run/);
  });

  test("the report is written again from what was stored", async () => {
    const path = join(run, "report.html");
    const before = await readFile(path, "utf8");
    await rm(path);
    expect((await graft("report", run)).out.trim()).toBe(path);
    expect(await readFile(path, "utf8")).toBe(before);
    expect(before).not.toMatch(/<script|src="http|href="http/);
  });
});

describe("wrong use", () => {
  test.each([
    [["train", examples], 2, "--output is missing"],
    [["train", "no-such-file.csv", "--output", "/tmp/never"], 1, "there is no such file or folder"],
    [["train", examples, "--output", "/tmp/never", "--head", "forest"], 2, "--head must be one of"],
    [["train", examples, "--output", "/tmp/never", "--backbone", "nothing.onnx"], 1, "nothing.onnx"],
    [["predict", "no-such-run", examples], 1, "no-such-run does not exist"],
    [["extract", examples, "--output", "/tmp/never"], 2, "--backbone is missing"],
  ])("%j ends with %i and says %s", async (args, code, message) => {
    const ended = await graft(...args);
    expect(ended.err).toContain(message);
    expect(ended.code).toBe(code);
    expect(ended.err).not.toMatch(/\n\s+at /); // no stack trace
    expect(ended.out).toBe("");
  });

  test("an output folder with other files in it is left alone", async () => {
    const other = join(folder, "other");
    await cp(examples, join(other, "thesis.csv"));
    const ended = await graft("train", examples, "--output", other, "--fast");
    expect(ended.code).toBe(1);
    expect(ended.err).toContain("holds other files already (thesis.csv)");
    expect(await readdir(other)).toEqual(["thesis.csv"]);
  });

  test("a label that the model does not know is named with its row", async () => {
    const path = join(folder, "labels.csv");
    await writeFile(path, "text,label\nwhere is my parcel,delivery\nhello there,greeting\n");
    const ended = await graft("evaluate", run, path);
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/labels.csv row 3: label "greeting" is not a class/);
  });
});

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

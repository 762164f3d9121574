import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readDataset } from "graft-ml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const folder = fileURLToPath(new URL("../examples/", import.meta.url));
const lessons = readdirSync(folder).filter((name) => /^\d\d-.*\.mjs$/.test(name));

/** What a person must see in the output of each lesson. */
const said: Readonly<Record<string, (output: string) => void>> = {
  "01-train.mjs"(output) {
    const [, accuracy, low, high] = output
      .match(/accuracy (\S+) \(95 % interval (\S+) to (\S+)\)/)!
      .map(Number);
    expect(accuracy).toBeGreaterThan(0.65);
    expect(low).toBeLessThan(accuracy!);
    expect(high).toBeGreaterThan(accuracy!);
    expect(output.trim().split("\n")).toHaveLength(9);
  },
  "02-layers.mjs"(output) {
    const of = (name: string) => Number(output.match(new RegExp(`^${name}: .* accuracy (.*)$`, "m"))![1]);
    expect(of("raw pixels")).toBeLessThan(0.6);
    expect(of("first")).toBeGreaterThan(0.9);
    expect(of("logits")).toBeGreaterThan(of("raw pixels"));
  },
  "03-gradients.mjs"(output) {
    const losses = output
      .match(/^loss (.*)$/m)![1]!
      .split(", ")
      .map(Number);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 5);
    expect(Number(output.match(/accuracy (\S+)/)![1])).toBeGreaterThan(0.97);
  },
  "04-check.mjs"(output) {
    expect(output).toMatch(/^438 rows, 7 classes$/m);
    expect(output).toMatch(/^warning: 2 rows hold the same input under different labels/m);
    expect(output).toMatch(/^note: 2 rows repeat the input of another/m);
    expect(output).toMatch(/row 439/); // the text of one letter, in the last row
  },
  "05-predict.mjs"(output) {
    expect(output).toMatch(/another process gives the same bits/);
    expect(output).toMatch(/ONNX Runtime alone gives the same bits/);
    expect(output).toMatch(/32 golden inputs, 0 drifted/);
  },
  "06-heads.mjs"(output) {
    const lines = output.trim().split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(2);
    for (const line of lines) {
      const [, mean, low, high] = line.match(/accuracy (\S+) \[(\S+), (\S+)\]/)!.map(Number);
      expect(mean).toBeGreaterThan(0.7);
      expect(low).toBeLessThan(mean!);
      expect(high).toBeGreaterThan(mean!);
    }
  },
  "07-multitask.mjs"(output) {
    for (const task of ["intent", "desk"]) {
      const [, joint, alone, most] = output
        .match(new RegExp(`^${task}: joint (\\S+) %, alone (\\S+) %, always the commonest (\\S+) %$`, "m"))!
        .map(Number);
      expect(joint).toBeGreaterThan(most! + 20);
      expect(alone).toBeGreaterThan(most! + 20);
      const [, gain] = output.match(new RegExp(`^${task}:.*\\n  joint − alone (\\S+) %`, "m"))!.map(Number);
      expect(gain).toBeCloseTo(joint! - alone!, 0);
    }
    expect(output).toMatch(/^desk: (account|goods|money) \(\S+ %\)$/m);
  },
};

describe("the lessons", () => {
  let work = "";
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), "graft-examples-"));
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test("are numbered without gaps, and each has what must be seen of it", () => {
    expect(lessons.map((name) => Number(name.slice(0, 2)))).toEqual(lessons.map((_, i) => i + 1));
    expect(Object.keys(said)).toEqual(lessons);
  });
  test.each(lessons)("%s is under 60 lines", (name) => {
    expect(readFileSync(join(folder, name), "utf8").trimEnd().split("\n").length).toBeLessThan(60);
  });
  test.each(lessons)("%s runs and says what it should", { timeout: 300_000 }, async (name) => {
    const env = { ...process.env, GRAFT_CACHE: join(work, "cache") };
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, name), join(work, name)], {
      cwd: work,
      env,
    });
    said[name]!(stdout);
  });
});

describe("the support messages", () => {
  test("are in seven intents of 62, a fifth of them Chinese, none twice", async () => {
    const { rows, classes } = await readDataset(join(folder, "support/messages.csv"));
    expect(classes).toEqual(["account", "billing", "cancel", "delivery", "product", "refund", "technical"]);
    for (const name of classes) expect(rows.filter(({ label }) => label === name)).toHaveLength(62);
    const texts = rows.map(({ input }) => (input.kind === "text" ? input.text : ""));
    expect(new Set(texts.map((text) => text.toLowerCase())).size).toBe(434);
    const chinese = texts.filter((text) => /\p{Script=Han}/u.test(text)).length;
    expect(chinese / texts.length).toBeGreaterThan(0.17);
    expect(chinese / texts.length).toBeLessThan(0.23);
  });
  test("without labels are 80 more", async () => {
    const { rows } = await readDataset(join(folder, "support/unlabelled.csv"), { labels: "optional" });
    const labelled = await readDataset(join(folder, "support/messages.csv"));
    const known = new Set(labelled.rows.map(({ input }) => (input.kind === "text" ? input.text : "")));
    expect(rows).toHaveLength(80);
    expect(rows.filter(({ input }) => input.kind === "text" && known.has(input.text))).toEqual([]);
  });
});

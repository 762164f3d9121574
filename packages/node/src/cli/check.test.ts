import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDataset } from "../data/index.ts";
import { main } from "./main.ts";

let folder: string;
let table: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-check-cli-"));
  table = join(folder, "t.csv");
  const rows = [
    "Where is my parcel today?,late,train",
    "where is my parcel today,late,test",
    '"Refund me, please",money,train',
    '"refund me, please",late,test',
    "no label here,,train",
  ];
  await writeFile(table, `text,label,split\n${rows.join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const written = { out: "", err: "" };
  const code = await main(["check", ...args], {
    out: { write: (text: string) => (written.out += text) },
    err: { write: (text: string) => (written.err += text) },
    now: () => 0,
  });
  return { code, ...written };
}

describe("graft check", () => {
  it("counts tokens of each tag, and shows equal sentences without a label", async () => {
    const tagged = join(folder, "t.conll");
    await writeFile(tagged, `${"It PRON\nfell VERB\n\nshe PRON\nleft VERB\n\n".repeat(2)}No DET\n`);
    const { out } = await run(tagged);
    await rm(tagged);
    expect(out).toContain("5 sentences with 3 tags");
    expect(out).toMatch(/tag +tokens\n +DET +1\n/);
    expect(out).toContain("DET: 1 training token\n");
    expect(out).toMatch(/t.conll line 1 and t.conll line 7: It fell/);
  });

  it("tells people of classes, of each finding with an example, and what to do", async () => {
    const { code, out } = await run(table);
    expect(code).toBe(0);
    expect(out).toContain("4 texts in 2 classes");
    expect(out).toMatch(/class +rows +train +test\n +late +3 +1 +2\n +money +1 +1 +0\n/);
    expect(out).toContain("✗ problem: 1 of 2 test rows also stand in a part that is trained or chosen on");
    expect(out).toContain("t.csv row 4 and t.csv row 5: money: Refund me, please | late: refund me, please");
    expect(out).toContain("    → train leaves the training copies out");
    expect(out).toContain("1 row has no label [unlabelled-rows]");
  });

  it("prints one JSON object with the findings under --json", async () => {
    const { code, out, err } = await run(table, "--json");
    expect([code, err]).toEqual([0, ""]);
    const told = JSON.parse(out);
    expect(told).toMatchObject({ rows: 4, skipped: 1, task: "text-classification", format: "csv" });
    expect(told.classes[0]).toEqual({ name: "late", total: 3, train: 1, val: 0, test: 2, none: 0 });
    for (const finding of told.findings) {
      expect(finding).toEqual({
        kind: expect.any(String),
        severity: expect.stringMatching(/^(problem|warning|note)$/),
        count: expect.any(Number),
        message: expect.any(String),
        remedy: finding.remedy === null ? null : expect.any(String),
        examples: expect.any(Array),
      });
    }
  });

  it("writes check.json and duplicates.csv, which reads back as a table, into --output alone", async () => {
    const output = join(folder, "found");
    const { code } = await run(table, "--output", output);
    expect(code).toBe(0);
    expect((await readdir(output)).sort()).toEqual(["check.json", "duplicates.csv"]);
    expect((await readdir(folder)).sort()).toEqual(["found", "t.csv"]);
    expect(JSON.parse(await readFile(join(output, "check.json"), "utf8")).rows).toBe(4);
    const listed = await readDataset(join(output, "duplicates.csv"), { text: "input", label: "kind" });
    expect(listed.rows.map(({ input, label }) => `${label}: ${input.kind === "text" && input.text}`)).toEqual(
      [
        "exact: Refund me, please",
        "exact: refund me, please",
        "near: Where is my parcel today?",
        "near: where is my parcel today",
      ],
    );
  });

  it("looks for no near duplicates with --no-near, and stops at a bad row with --on-error fail", async () => {
    expect((await run(table, "--no-near")).out).not.toContain("near");
    expect(await run(table, "--on-error", "fail")).toMatchObject({
      code: 1,
      err: expect.stringContaining("t.csv row 6 has no label"),
    });
  });

  it("exits with 1 where nothing can be read and with 2 on wrong usage", async () => {
    expect(await run(join(folder, "absent"))).toMatchObject({ code: 1, out: "" });
    expect(await run()).toMatchObject({ code: 2 });
    expect(await run(table, "--similarity", "3")).toMatchObject({ code: 2 });
  });
});

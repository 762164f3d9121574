import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ReadOptions, readDataset } from "./read.ts";

// What a correct writer writes comes back as it was, whatever the cells hold.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-codecs-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Example {
  readonly text: string;
  readonly label: string;
}

const nasty = fc.oneof(
  fc.constantFrom(
    '"',
    '""',
    "a,b",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "'",
    "\\",
    "\u2028",
    "\u0085",
    "é",
    "漢",
    "😀",
    "\uFEFF",
    "=",
  ),
  fc.string({ unit: "grapheme", maxLength: 8 }),
);
/** Texts of difficult pieces, without NUL, which is damage in a text file, and without half characters. */
const text = fc.array(nasty, { maxLength: 6 }).map((pieces) => pieces.join("").replaceAll("\0", ""));
const label = fc.constantFrom("yes", "no", "may be, or not", 'the "other"', "類");
const examples = fc.array(fc.record({ text, label }), { minLength: 1, maxLength: 12 });

async function roundTrip(name: string, content: string, options: ReadOptions = {}): Promise<Example[]> {
  const path = join(folder, name);
  await writeFile(path, content);
  const { rows } = await readDataset(path, options);
  return rows.map(({ input, label }) => ({ text: input.kind === "text" ? input.text : "", label: label! }));
}

const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;

describe("what is written comes back", () => {
  it.each([
    ["commas", "t.csv", ",", "\n"],
    ["semicolons and CRLF", "t.csv", ";", "\r\n"],
    ["tabs", "t.tsv", "\t", "\n"],
  ])("from cells in quotes, with %s", async (_, name, delimiter, end) => {
    await fc.assert(
      fc.asyncProperty(examples, async (rows) => {
        const lines = [["text", "label"], ...rows.map((row) => [row.text, row.label])];
        const content = lines.map((cells) => cells.map(quoted).join(delimiter) + end).join("");
        expect(await roundTrip(name, content, { quotes: "yes" })).toEqual(rows);
      }),
      { numRuns: 150 },
    );
  });

  it("from cells in quotes only where they need them", async () => {
    await fc.assert(
      fc.asyncProperty(examples, async (rows) => {
        const cell = (value: string) => (/[",\r\n]/.test(value) ? quoted(value) : value);
        const content = ["label,text", ...rows.map((row) => `${cell(row.label)},${cell(row.text)}`)].join(
          "\n",
        );
        expect(await roundTrip("t.csv", `${content}\n`)).toEqual(rows);
      }),
      { numRuns: 150 },
    );
  });

  it("from tab files whose quotes are plain characters", async () => {
    const plain = text.map((value) => value.replace(/[\t\r\n]/g, " "));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ text: plain, label }), { minLength: 1, maxLength: 12 }),
        async (rows) => {
          const content = ["text\tlabel", ...rows.map((row) => `${row.text}\t${row.label}`)].join("\n");
          expect(await roundTrip("t.tsv", content, { quotes: "no" })).toEqual(rows);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("from lines of JSON", async () => {
    await fc.assert(
      fc.asyncProperty(examples, async (rows) => {
        const content = rows.map((row) => JSON.stringify(row)).join("\n");
        expect(await roundTrip("t.jsonl", content)).toEqual(rows);
      }),
      { numRuns: 150 },
    );
  });

  it("or ends in an error that names the file, never in another: bytes of any kind", async () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const names = fc.constantFrom("r.csv", "r.tsv", "r.jsonl", "r.txt", "r.parquet", "r-images-idx3-ubyte");
    await fc.assert(
      fc.asyncProperty(names, bytes, fc.boolean(), async (name, content, headed) => {
        const path = join(folder, name);
        await writeFile(path, headed ? Buffer.concat([Buffer.from("text,label\n"), content]) : content);
        const outcome = await readDataset(path).then(
          () => "read",
          (error: Error) => `${error.name} ${error.message}`,
        );
        expect(outcome).toMatch(/^read$|^InputError .*r[.-]/);
      }),
      { numRuns: 300 },
    );
  });
});

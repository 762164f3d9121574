import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Dataset, Row } from "@graft-ml/core";
import { afterEach, beforeEach } from "vitest";
import { type ReadOptions, readDataset } from "../packages/node/src/data/read.ts";

/** An empty folder for each test of the file that imports this. */
export let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-data-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Writes files into the folder; returns the path of the first. */
export async function put(files: Record<string, string | Uint8Array>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return join(folder, Object.keys(files)[0]!);
}

/** Reads a file of that content. */
export async function read(
  content: string | Uint8Array,
  name = "data.csv",
  options: ReadOptions = {},
): Promise<Dataset> {
  return await readDataset(await put({ [name]: content }), options);
}

/** A row's text. */
export const text = ({ input }: Row) => (input.kind === "text" ? input.text : `(${input.kind})`);

/** Rows as "label: text". */
export const told = ({ rows }: Dataset) => rows.map((row) => `${row.label}: ${text(row)}`);

/** The content of a file that has the name of an image. */
export const image = "an image is not looked at while reading";

/** The row of a text. */
export function row(where: string, content: string, label: string, more: Partial<Row> = {}): Row {
  return {
    where,
    input: { kind: "text", text: content },
    label,
    split: null,
    group: null,
    weight: 1,
    ...more,
  };
}

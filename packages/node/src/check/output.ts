import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckReport, Dataset, Row } from "@graft-ml/core";

/**
 * Writes what a check found into a folder: `check.json`, and `duplicates.csv` with a row for every row that
 * has an equal or a near one: number of the group, exact or near, similarity (the least that holds the group
 * together), the row's name, label, part, and its text or the path of its image.
 */
export async function writeCheck(report: CheckReport, dataset: Dataset, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const { duplicates, ...told } = report;
  const files = {
    "duplicates.csv": duplicatesTable(report, dataset.rows),
    "check.json": `${JSON.stringify(told, null, 2)}\n`,
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, `${name}.part`), content);
    await rename(join(folder, `${name}.part`), join(folder, name));
  }
  return Object.keys(files).map((name) => join(folder, name));
}

function duplicatesTable({ duplicates }: CheckReport, rows: readonly Row[]): string {
  const lines = [["group", "kind", "similarity", "row", "label", "split", "input"]];
  let group = 0;
  const add = (members: readonly number[], kind: string, similarity: number) => {
    group++;
    for (const i of members) {
      const { where, label, split, input } = rows[i]!;
      const shown = input.kind === "text" ? input.text : input.kind === "image" ? input.path : "";
      lines.push([String(group), kind, similarity.toFixed(4), where, label ?? "", split ?? "", shown]);
    }
  };
  for (const members of duplicates.exact) add(members, "exact", 1);
  for (const { rows: members, similarity } of duplicates.near) add(members, "near", similarity);
  return `${lines.map((cells) => cells.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/** A cell as RFC 4180 has it. */
function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

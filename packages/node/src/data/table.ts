import { readdir, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import type { Input, Row } from "@graft-ml/core";
import { type Assignment, assignColumns } from "./columns.ts";
import { type DataSettings, fileError, limits, type Report, type Role, type Source } from "./format.ts";
import type { TableRecord } from "./records.ts";
import { splitOf } from "./splits.ts";

/** A table opened: its columns, a first look at its cells, and all of its records. */
export interface Table {
  readonly columns: readonly string[];
  /** Up to 1000 records, cells by position. */
  readonly sample: readonly (readonly (string | null)[])[];
  /** Every record, in blocks, with the cells of the `wanted` columns in that order. */
  records(wanted: readonly number[]): AsyncIterable<readonly TableRecord[]>;
}

export const SAMPLE = 1000;

/** The rows of a table, its columns found by name, by the settings, or by what they hold. */
export async function* tableRows(
  table: Table,
  source: Source,
  settings: DataSettings,
  report: Report,
): AsyncGenerator<Row, void> {
  if (table.columns.length > limits.columns) {
    throw fileError(source.name, `has ${table.columns.length} columns; ${limits.columns} at most are read`);
  }
  const columns = assignColumns(source.name, table.columns, table.sample, settings, report);
  const roles = (Object.keys(columns) as Role[]).filter((role) => columns[role] !== null);
  const wanted = roles.map((role) => columns[role]!);
  const images = new Folder(dirname(source.path));
  let count = 0;
  for await (const block of table.records(wanted)) {
    settings.signal?.throwIfAborted();
    for (const record of block) {
      const at = record.row === record.line ? `row ${record.row}` : `row ${record.row} (line ${record.line})`;
      const where = `${source.name} ${at}`;
      count++;
      const row = record.problem ?? (await rowOf(record, where, roles, columns, table, source, images));
      if (typeof row === "string") report.reject(where, row);
      else yield row;
    }
  }
  if (count === 0) throw fileError(source.name, "has a header and no rows; there is nothing to read");
}

/** The row of a record, or what is wrong with it. */
async function rowOf(
  record: TableRecord,
  where: string,
  roles: readonly Role[],
  columns: Assignment,
  table: Table,
  source: Source,
  images: Folder,
): Promise<Row | string> {
  const cell = (role: Role): string | null => {
    const position = roles.indexOf(role);
    return position < 0 ? null : (record.cells[position] ?? null);
  };
  const name = (role: Role) => `"${table.columns[columns[role]!]}"`;
  let input: Input;
  if (columns.image !== null) {
    const path = cell("image");
    if (path === null || path.trim() === "")
      return `has no image path in column ${name("image")}; fill it in or take the row out`;
    if (/^[a-z]+:\/\//i.test(path)) return `image "${path}" is an address; fetch it and give its path`;
    const full = isAbsolute(path) ? path : join(images.path, path);
    const there = images.knows(full);
    if (!(typeof there === "boolean" ? there : await there)) {
      return `image "${path}" is not there (looked for ${full}); paths are relative to the table's folder`;
    }
    input = { kind: "image", path: full };
  } else {
    const text = cell("text");
    if (text === null) return `has no text in column ${name("text")}; fill it in or take the row out`;
    input = { kind: "text", text };
  }
  const label = cell("label");
  const weight = cell("weight");
  const weightValue = weight === null || weight.trim() === "" ? 1 : Number(weight);
  if (!Number.isFinite(weightValue) || weightValue < 0) {
    return `weight "${weight}" in column ${name("weight")} is not a number from 0`;
  }
  const splitWord = cell("split")?.trim() ?? "";
  const split = splitWord === "" ? source.split : splitOf(splitWord);
  if (splitWord !== "" && split === null) {
    return `split "${splitWord}" in column ${name("split")} is not one of train, val, test`;
  }
  const group = cell("group");
  return {
    where,
    input,
    label: label === null || label.trim() === "" ? source.label : label,
    split,
    group: group === null || group === "" ? null : group,
    weight: weightValue,
  };
}

/** Which files lie in the folders a table's paths lead to, each folder listed once. */
class Folder {
  readonly path: string;
  readonly #listed = new Map<string, Set<string> | Promise<Set<string>>>();

  constructor(path: string) {
    this.path = path;
  }

  /** Whether the file is there: at once where its folder is listed already, else when it is. */
  knows(file: string): boolean | Promise<boolean> {
    const folder = dirname(file);
    const listed = this.#listed.get(folder);
    if (listed instanceof Set && listed.has(basename(file))) return true;
    return this.#look(folder, file);
  }

  async #look(folder: string, file: string): Promise<boolean> {
    if (!this.#listed.has(folder)) {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      const files = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
      this.#listed.set(folder, new Set(files));
    }
    if (!(await this.#listed.get(folder)!).has(basename(file))) {
      // A file system may fold case or accents where a listing does not; and the entry may be a link to a file.
      return await stat(file).then(
        (entry) => entry.isFile(),
        () => false,
      );
    }
    return true;
  }
}

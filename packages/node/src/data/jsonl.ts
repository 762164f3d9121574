import { type Format, fileError, tableOptions, textOptions } from "./format.ts";
import { type Fields, objectOf } from "./json-object.ts";
import { type Lines, readLines } from "./lines.ts";
import type { TableRecord } from "./records.ts";
import { SAMPLE, type Table, tableRows } from "./table.ts";

export const jsonl: Format = {
  about: "a JSON object a line",
  extensions: ["jsonl", "ndjson"],
  options: { ...tableOptions, ...textOptions },
  async *read(source, settings, report) {
    const lines = readLines(source.path, source.name, settings.encoding, report);
    try {
      const { value: first } = await lines.next();
      if (first === undefined || first.texts.every((text) => text.trim() === "")) {
        throw fileError(source.name, "is empty; there are no rows to read");
      }
      yield* tableRows(openTable(first, lines, source.name), source, settings, report);
    } finally {
      await lines.return();
    }
  },
};

function openTable(first: Lines, rest: AsyncIterable<Lines>, name: string): Table {
  const objects = first.texts
    .slice(0, SAMPLE)
    .filter((text) => text.trim() !== "")
    .map(objectOf)
    .filter((parsed): parsed is Fields => typeof parsed === "object");
  if (objects.length === 0) {
    const array = first.texts[0]!.trimStart().startsWith("[");
    throw fileError(
      name,
      array
        ? "holds a JSON array; write one object a line"
        : `no line is a JSON object; row 1 ${objectOf(first.texts[0]!)}`,
    );
  }
  const columns = [...new Set(objects.flatMap((object) => Object.keys(object)))];
  return {
    columns,
    sample: objects.map((object) => columns.map((column) => cell(object[column]) ?? null)),
    async *records(wanted) {
      const names = wanted.map((position) => columns[position]!);
      yield recordsOf(first, names);
      for await (const lines of rest) yield recordsOf(lines, names);
    },
  };
}

function recordsOf(lines: Lines, names: readonly string[]): TableRecord[] {
  const records: TableRecord[] = [];
  for (let i = 0; i < lines.texts.length; i++) {
    const text = lines.texts[i]!;
    const row = lines.first + i;
    const unreadable = lines.problems.get(i);
    if (unreadable === undefined && text.trim() === "") continue;
    records.push({ row, line: row, ...fieldsOf(unreadable ?? objectOf(text), names) });
  }
  return records;
}

function fieldsOf(parsed: Fields | string, names: readonly string[]): Pick<TableRecord, "cells" | "problem"> {
  if (typeof parsed === "string") return { cells: [], problem: parsed };
  const cells: (string | null)[] = [];
  for (const name of names) {
    const value = cell(Object.hasOwn(parsed, name) ? parsed[name] : null);
    if (value === undefined) {
      const kind = Array.isArray(parsed[name]) ? "a list" : "an object";
      return { cells: [], problem: `"${name}" holds ${kind} where text, a number or true/false is expected` };
    }
    cells.push(value);
  }
  return { cells, problem: null };
}

/** A value as a cell; undefined where it is no single value. */
function cell(value: unknown): string | null | undefined {
  if (value === null || value === undefined) return null;
  return typeof value === "object" ? undefined : String(value);
}

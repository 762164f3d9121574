import { dialectOf } from "./dialect.ts";
import { dialectOptions, type Format, fileError, type Report, tableOptions, textOptions } from "./format.ts";
import { type Lines, readLines } from "./lines.ts";
import { type Dialect, recordReader, type TableRecord } from "./records.ts";
import { SAMPLE, type Table, tableRows } from "./table.ts";

export const csv: Format = {
  about: "a table of separated values: commas, tabs, semicolons or bars; with a header row or without",
  extensions: ["csv", "tsv", "tab"],
  options: { ...tableOptions, ...textOptions, ...dialectOptions },
  async *read(source, settings, report) {
    const lines = readLines(source.path, source.name, settings.encoding, report);
    try {
      const { value: first } = await lines.next();
      if (first === undefined || first.texts.every((text) => text.trim() === "")) {
        throw fileError(source.name, "is empty; there are no rows to read");
      }
      refuseOldLineEnds(first, source.name);
      const extension = source.name.replace(/\.gz$/i, "").split(".").at(-1)!.toLowerCase();
      const dialect = dialectOf(first.texts, extension, settings, source.name);
      if (dialect === null)
        throw fileError(source.name, "no delimiter cuts its lines into columns; pass --delimiter");
      const table = openTable(first, lines, dialect, source.name, report);
      yield* tableRows(table, source, settings, report);
    } finally {
      await lines.return();
    }
  },
};

function openTable(
  first: Lines,
  rest: AsyncIterable<Lines>,
  dialect: Dialect,
  name: string,
  report: Report,
): Table {
  const look = records(first, dialect);
  const head = look.find((record) => record.problem === null);
  const header = dialect.header ? look[0] : undefined;
  if (header?.problem) throw fileError(name, `row ${header.row}, the header, ${header.problem}`);
  if (head === undefined) {
    throw fileError(name, `no row can be read; row ${look[0]?.row ?? 1} ${look[0]?.problem ?? "is blank"}`);
  }
  const columns = header
    ? header.cells.map((cell) => cell!.trim())
    : head.cells.map((_, position) => `column ${position + 1}`);
  if (!dialect.header) report.note(`${name}: no header row; its ${columns.length} columns go by number`);
  const body = (header ? look.slice(1) : look).filter(
    (record) => record.problem === null && record.cells.length === columns.length,
  );
  return {
    columns,
    sample: body.slice(0, SAMPLE).map((record) => record.cells),
    async *records(wanted) {
      const reader = recordReader(dialect);
      let skipHeader = dialect.header;
      const shaped = (found: Iterable<TableRecord>): TableRecord[] => {
        const block: TableRecord[] = [];
        for (const record of found) {
          if (skipHeader) skipHeader = false;
          else block.push(shape(record, columns.length, wanted, dialect));
        }
        return block;
      };
      yield shaped(reader.take(first));
      for await (const lines of rest) yield shaped(reader.take(lines));
      yield shaped(reader.end());
      const blank = reader.blankLines();
      if (blank > 0) report.note(`${name}: ${blank} blank lines passed over`);
    },
  };
}

/** The records of the first block, complete or cut off at its end. */
function records(first: Lines, dialect: Dialect): TableRecord[] {
  const found: TableRecord[] = [];
  for (const record of recordReader(dialect).take(first)) {
    found.push(record);
    if (found.length > SAMPLE) break;
  }
  return found;
}

function shape(
  record: TableRecord,
  columns: number,
  wanted: readonly number[],
  dialect: Dialect,
): TableRecord {
  if (record.problem !== null) return record;
  const { length } = record.cells;
  if (length === columns) return { ...record, cells: wanted.map((position) => record.cells[position]!) };
  const remedy =
    length > columns && dialect.delimiter !== "\t"
      ? `; enclose cells that hold ${JSON.stringify(dialect.delimiter)} in quotes`
      : "; correct the row";
  return {
    ...record,
    cells: [],
    problem: `has ${cells(length)} where the table has ${cells(columns)}${remedy}`,
  };
}

function cells(count: number): string {
  return count === 1 ? "1 cell" : `${count} cells`;
}

function refuseOldLineEnds(first: Lines, name: string): void {
  if (first.texts.length === 1 && first.texts[0]!.replace(/\r$/, "").includes("\r")) {
    throw fileError(name, "its lines end in a lone carriage return, as on old Macs; save it with line feeds");
  }
}

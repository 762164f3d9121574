import type { DuckDBConnection } from "@duckdb/node-api";
import { firstBytes } from "./bytes.ts";
import { type Format, fileError, tableOptions } from "./format.ts";
import type { TableRecord } from "./records.ts";
import { SAMPLE, type Table, tableRows } from "./table.ts";

export const parquet: Format = {
  about: "a Parquet table, read through DuckDB",
  extensions: ["parquet", "pq"],
  options: tableOptions,
  async *read(source, settings, report) {
    await requireParquet(source.path, source.name);
    const { DuckDBInstance } = await import("@duckdb/node-api"); // a native library: loaded when needed
    const instance = await DuckDBInstance.create(":memory:", { memory_limit: "2GB" });
    const connection = await instance.connect();
    try {
      yield* tableRows(await openTable(connection, source.path, source.name), source, settings, report);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  },
};

/** A Parquet file starts and ends in PAR1 (https://parquet.apache.org/docs/file-format/). */
async function requireParquet(path: string, name: string): Promise<void> {
  const magic = await firstBytes(path, name, 4);
  if (magic.length === 0) throw fileError(name, "is empty; there are no rows to read");
  if (magic[0] === 0x1f && magic[1] === 0x8b) {
    throw fileError(name, "is gzip around Parquet, which is packed already; unpack it with gunzip");
  }
  if (magic.toString("latin1") !== "PAR1")
    throw fileError(name, "is no Parquet file; it does not start with PAR1");
}

async function openTable(connection: DuckDBConnection, path: string, name: string): Promise<Table> {
  const from = `read_parquet('${path.replaceAll("'", "''")}')`;
  const described = await ask(connection, `DESCRIBE SELECT * FROM ${from}`, name);
  const columns = described.map(([column]) => String(column));
  const types = described.map(([, type]) => String(type));
  const flat = [...columns.keys()].filter((c) => isFlat(types[c]!));
  const sampled =
    flat.length === 0
      ? []
      : await ask(connection, `SELECT ${select(columns, flat)} FROM ${from} LIMIT ${SAMPLE}`, name);
  return {
    columns,
    sample: sampled.map((values) => {
      const cells = new Array<string | null>(columns.length).fill(null);
      for (const [i, c] of flat.entries()) cells[c] = values[i] === null ? null : String(values[i]);
      return cells;
    }),
    async *records(wanted) {
      for (const c of wanted) {
        if (!isFlat(types[c]!)) {
          throw fileError(
            name,
            `column "${columns[c]}" holds ${types[c]}; text, numbers or paths of image files are read`,
          );
        }
      }
      let row = 1;
      try {
        const result = await connection.stream(`SELECT ${select(columns, wanted)} FROM ${from}`);
        for (;;) {
          const chunk = await result.fetchChunk();
          if (chunk === null || chunk.rowCount === 0) break;
          yield chunk.getRows().map((values): TableRecord => {
            const cells = values.map((value) => (value === null ? null : String(value)));
            const record = { row, line: row, cells, problem: null };
            row++;
            return record;
          });
        }
      } catch (error) {
        throw broken(error, name);
      }
    },
  };
}

/** Casting in the query gives every cell as text, so that 1, 1.0 and dates read as DuckDB prints them. */
function select(columns: readonly string[], wanted: readonly number[]): string {
  return wanted.map((c) => `CAST("${columns[c]!.replaceAll('"', '""')}" AS VARCHAR)`).join(", ");
}

function isFlat(type: string): boolean {
  return !/^(STRUCT|MAP|UNION|BLOB|BIT)|\[\d*\]$/.test(type);
}

async function ask(connection: DuckDBConnection, sql: string, name: string) {
  try {
    return (await connection.runAndReadAll(sql)).getRows();
  } catch (error) {
    throw broken(error, name);
  }
}

function broken(error: unknown, name: string): Error {
  if (!(error instanceof Error) || error.name === "InputError") return error as Error;
  return fileError(
    name,
    `the Parquet data cannot be read (${error.message.split("\n")[0]}); write the file again`,
  );
}

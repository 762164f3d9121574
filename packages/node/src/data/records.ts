import type { Lines } from "./lines.ts";

/** How separated values are written. */
export interface Dialect {
  readonly delimiter: string;
  /** Whether the first record names the columns. */
  readonly header: boolean;
  /**
   * Whether a cell that starts with " goes on to the next lone ", doubled ones inside standing for one (RFC
   * 4180).
   */
  readonly quoted: boolean;
}

/**
 * One record of a table. `row` counts records from 1 with the header and blank lines among them, as a
 * spreadsheet does;
 * `line` is the line of the file it starts on. A record with a problem has no cells.
 */
export interface TableRecord {
  readonly row: number;
  readonly line: number;
  readonly cells: readonly (string | null)[];
  readonly problem: string | null;
}

/** Longest quoted cell: what is longer is an unclosed quote, not a cell. */
const MAX_OPEN_LINES = 10_000;
const MAX_OPEN_CHARACTERS = 16 * 2 ** 20;

interface OpenRecord {
  readonly row: number;
  readonly line: number;
  readonly cells: string[];
  /** Pieces of the quoted cell that is not closed yet. */
  pieces: string[];
  /** The lines after the first, to be read again on their own if the quote turns out broken. */
  readonly later: { text: string; problem: string | null }[];
  characters: number;
}

/**
 * Takes lines, gives records; blank lines are passed over. After a broken quote reading goes on with the next
 * line, so one bad row costs no other.
 */
export function recordReader(dialect: Dialect) {
  let row = 0;
  let open: OpenRecord | null = null;
  let blank = 0;

  function* take(text: string, problem: string | null, line: number): Generator<TableRecord, void> {
    const queue: { text: string; problem: string | null; line: number }[] = [{ text, problem, line }];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const result =
        open === null ? start(next.text, next.problem, next.line) : goOn(open, next.text, next.problem);
      if (result === null) continue;
      yield result.record;
      for (let i = result.again.length - 1; i >= 0; i--) {
        queue.push({ ...result.again[i]!, line: result.record.line + 1 + i });
      }
    }
  }

  function start(text: string, problem: string | null, line: number) {
    row++;
    if (problem !== null) return alone({ row, line, cells: [], problem });
    if (text === "" || text === "\r") {
      blank++;
      return null;
    }
    if (!dialect.quoted || !text.includes('"')) {
      return alone({ row, line, cells: withoutReturn(text).split(dialect.delimiter), problem: null });
    }
    const record: OpenRecord = { row, line, cells: [], pieces: [], later: [], characters: text.length };
    return finish(record, scan(text, 0, false, record, dialect.delimiter));
  }

  function goOn(record: OpenRecord, text: string, problem: string | null) {
    record.later.push({ text, problem });
    record.characters += text.length + 1;
    if (problem !== null)
      return broken(record, `a quoted cell opens here and runs into a line that ${problem}`);
    if (record.later.length > MAX_OPEN_LINES || record.characters > MAX_OPEN_CHARACTERS)
      return unclosed(record);
    record.pieces.push("\n");
    return finish(record, scan(text, 0, true, record, dialect.delimiter));
  }

  function finish(record: OpenRecord, state: "done" | "open" | { problem: string }) {
    if (state === "open") {
      open = record;
      return null;
    }
    if (typeof state === "object") return broken(record, state.problem);
    open = null;
    return alone({ row: record.row, line: record.line, cells: record.cells, problem: null });
  }

  function broken(record: OpenRecord, problem: string) {
    open = null;
    return { record: { row: record.row, line: record.line, cells: [], problem }, again: record.later };
  }

  function unclosed(record: OpenRecord) {
    return broken(
      record,
      'a cell opens with " that is never closed; close it, double it, or pass --quotes no',
    );
  }

  return {
    *take(lines: Lines): Generator<TableRecord, void> {
      for (let i = 0; i < lines.texts.length; i++) {
        const text = lines.texts[i]!;
        const line = lines.first + i;
        const problem = lines.problems.get(i) ?? null;
        if (
          open === null &&
          problem === null &&
          text !== "" &&
          text !== "\r" &&
          !(dialect.quoted && text.includes('"'))
        ) {
          row++; // the common case, without the machinery
          yield { row, line, cells: withoutReturn(text).split(dialect.delimiter), problem: null };
        } else {
          yield* take(text, problem, line);
        }
      }
    },
    /** The records that the end of the file leaves: an unclosed quote, and the lines it swallowed. */
    *end(): Generator<TableRecord, void> {
      while (open !== null) {
        const { record, again } = unclosed(open);
        yield record;
        for (let i = 0; i < again.length; i++)
          yield* take(again[i]!.text, again[i]!.problem, record.line + 1 + i);
      }
    },
    blankLines: () => blank,
  };
}

const alone = (record: TableRecord) => ({ record, again: [] as OpenRecord["later"] });

/** Reads the cells of a line into `record`, starting inside a quoted cell or not. */
function scan(
  text: string,
  from: number,
  inside: boolean,
  record: OpenRecord,
  delimiter: string,
): "done" | "open" | { problem: string } {
  let at = from;
  let quoted = inside;
  for (;;) {
    if (!quoted) {
      if (text.charCodeAt(at) === 34) {
        quoted = true;
        at++;
        continue;
      }
      const end = text.indexOf(delimiter, at);
      if (end < 0) {
        record.cells.push(withoutReturn(text.slice(at)));
        return "done";
      }
      record.cells.push(text.slice(at, end));
      at = end + delimiter.length;
      continue;
    }
    const quote = text.indexOf('"', at);
    if (quote < 0) {
      record.pieces.push(text.slice(at));
      return "open";
    }
    record.pieces.push(text.slice(at, quote));
    at = quote + 1;
    if (text.charCodeAt(at) === 34) {
      record.pieces.push('"');
      at++;
      continue;
    }
    if (at === text.length || text.slice(at) === "\r") {
      record.cells.push(record.pieces.join(""));
      return "done";
    }
    if (!text.startsWith(delimiter, at)) {
      const follows = JSON.stringify(text.slice(at, at + 12));
      return {
        problem: `a quote closes a cell but ${follows} follows it; double the quotes inside cells, or pass --quotes no`,
      };
    }
    record.cells.push(record.pieces.join(""));
    record.pieces = [];
    at += delimiter.length;
    quoted = false;
  }
}

function withoutReturn(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

import { isKnownName } from "./columns.ts";
import { type DataSettings, fileError } from "./format.ts";
import { type Dialect, recordReader } from "./records.ts";

const named: Readonly<Record<string, string>> = {
  tab: "\t",
  "\\t": "\t",
  comma: ",",
  semicolon: ";",
  pipe: "|",
  space: " ",
};
/** Lines that are looked at to tell whether a file is quoted. */
const MOST_LINES = 20_000;
const candidates = [",", "\t", ";", "|"];

type Wishes = Pick<DataSettings, "delimiter" | "header" | "quotes" | "text" | "label" | "image">;

/**
 * How a file of separated values is written, as its first lines show: the delimiter whose first line names
 * columns, else the one that cuts every line into equally many cells. A comma file is quoted; a tab file is,
 * where that reads better (a tab file often holds plain quotes). Null where nothing cuts the lines, so that
 * it is no table.
 */
export function dialectOf(
  lines: readonly string[],
  extension: string,
  settings: Wishes,
  name: string,
): Dialect | null {
  const filled = lines.filter((line) => line.trim() !== "").map((line) => line.replace(/\r$/, ""));
  const delimiter =
    settings.delimiter === null
      ? sniff(filled, extension, settings)
      : (named[settings.delimiter] ?? settings.delimiter);
  if (delimiter === null) return null;
  if (delimiter.length !== 1 || delimiter === '"' || delimiter === "\n" || delimiter === "\r") {
    throw fileError(name, `the delimiter must be one character, got ${JSON.stringify(delimiter)}`);
  }
  const quoted =
    settings.quotes === "auto"
      ? delimiter !== "\t" || areQuoted(filled, delimiter)
      : settings.quotes === "yes";
  const header =
    settings.header === "auto" ? hasHeader(filled, delimiter, settings) : settings.header === "yes";
  return { delimiter, header, quoted };
}

function sniff(lines: readonly string[], extension: string, settings: Wishes): string | null {
  const first = lines[0] ?? "";
  const naming = candidates.find((d) => first.includes(d) && namesColumns(cellsOf(first, d), settings));
  if (naming !== undefined) return naming;
  if (extension === "tsv" || extension === "tab") return "\t";
  if (extension === "csv") return steadiest(lines) ?? ",";
  if (namesColumns([first], settings)) return ","; // one column with a name
  // Without a header, punctuation inside sentences is no proof of columns; a tab in every line is.
  return lines.length > 0 && lines.every((line) => line.includes("\t")) ? "\t" : null;
}

/** The delimiter that cuts the lines into the most even number of cells, two or more. */
function steadiest(lines: readonly string[]): string | null {
  let best: string | null = null;
  let bestShare = 0;
  for (const delimiter of candidates) {
    const counts = lines.slice(0, 200).map((line) => cellsOf(line, delimiter).length);
    const usual = counts[0] ?? 1;
    const share = usual < 2 ? 0 : counts.filter((count) => count === usual).length / counts.length;
    if (share > bestShare) [best, bestShare] = [delimiter, share];
  }
  return best;
}

/** Cells of a line for guessing alone: a quoted cell is kept whole, nothing is checked. */
function cellsOf(line: string, delimiter: string): string[] {
  if (!line.includes('"')) return line.split(delimiter);
  const cells: string[] = [];
  let cell = "";
  let inside = false;
  for (const char of line) {
    if (char === '"') inside = !inside;
    else if (char === delimiter && !inside) {
      cells.push(cell);
      cell = "";
    } else cell += char;
  }
  return [...cells, cell];
}

function namesColumns(cells: readonly string[], settings: Wishes): boolean {
  const names = cells.map((cell) => cell.trim());
  const wished = [settings.text, settings.label, settings.image].filter(
    (name) => name !== null && !/^\d+$/.test(name),
  );
  if (wished.length > 0) return wished.every((name) => names.includes(name!));
  return (
    names.some(isKnownName) &&
    new Set(names).size === names.length &&
    names.every((name) => name.length <= 64)
  );
}

/**
 * Whether the first line names the columns: it holds a known name, or the other cells of its most repetitive
 * column come again and again and its own does not.
 */
function hasHeader(lines: readonly string[], delimiter: string, settings: Wishes): boolean {
  const rows = lines.slice(0, 1000).map((line) => cellsOf(line, delimiter));
  const first = rows[0];
  if (first === undefined) return true;
  if (namesColumns(first, settings)) return true;
  if (first.filter((cell) => isKnownName(cell)).length >= 2) return true; // also where a name is there twice
  if ([settings.text, settings.label, settings.image].some((name) => name !== null && !/^\d+$/.test(name)))
    return true;
  if (first.some((cell) => cell.trim() === "" || cell.length > 64 || /^-?\d+(\.\d+)?$/.test(cell.trim()))) {
    return first
      .filter((cell) => cell.trim() !== "")
      .every((cell) => /^[A-Za-z_]\w{0,30}$/.test(cell.trim()));
  }
  if (rows.length < 3) return false;
  for (let c = 0; c < first.length; c++) {
    const below = rows.slice(1).map((row) => row[c] ?? "");
    const values = new Set(below);
    if (values.size <= Math.max(1, below.length / 2) && !values.has(first[c]!)) return true;
  }
  return false;
}

/**
 * Whether quotes enclose cells: reading them so goes wrong in no more lines than taking them as they are. A
 * quote that swallows lines which fit the table by themselves is a plain one.
 */
function areQuoted(lines: readonly string[], delimiter: string): boolean {
  if (!lines.some((line) => line.includes('"'))) return true;
  const texts = lines.slice(0, MOST_LINES);
  const usual = texts[0]!.split(delimiter).length;
  const plain = texts.filter((line) => line.split(delimiter).length !== usual).length;
  const reader = recordReader({ delimiter, header: false, quoted: true });
  const block = { first: 1, texts, problems: new Map<number, string>() };
  let misread = 0;
  let records = 0;
  for (const { cells, problem } of [...reader.take(block), ...reader.end()]) {
    records++;
    if (problem !== null || cells.length !== usual) misread++;
  }
  return misread <= plain && !(plain === 0 && records < texts.length);
}

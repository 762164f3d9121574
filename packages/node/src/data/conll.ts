import { type Format, fileError, textOptions, tokenOptions } from "./format.ts";
import { readSentences, tokenRow } from "./sentences.ts";
import { positionOf, tokenColumns } from "./token-columns.ts";

export const conll: Format = {
  about:
    "a token a line with its tags in columns, blank lines between sentences, as in CoNLL-2000 and CoNLL-2003",
  extensions: ["conll", "iob", "iob2", "bio", "bioes", "bmes"],
  options: { ...textOptions, ...tokenOptions },
  async *read(source, settings, report) {
    const columns = tokenColumns(settings.column);
    const isFree = settings.labels === "optional";
    for (const [name, column] of Object.entries(columns))
      if (typeof column === "string")
        throw fileError(
          source.name,
          `its columns have no names, but --column says ${name}=${column}; give a number, 1 being the first`,
        );
    const [tokenColumn, tagColumn] = [(columns.token ?? 1) as number, (columns.tag ?? -1) as number];
    let usual = 0; // cells of the first line
    let usualLine = 0;
    let isNumbered: boolean | null = null;
    let document = 0;
    let blankTokens = 0;
    for await (const { first, lines, problems } of readSentences(source, settings, report)) {
      const where = `${source.name} line ${first}`;
      const cells = lines.map(cellsOf);
      if (cells[0]![0] === "-DOCSTART-" && lines.length === 1) {
        document++;
        continue;
      }
      usual ||= cells[0]!.length;
      usualLine ||= first;
      const problem = problems.entries().next().value ?? null;
      const uneven = cells.findIndex((one) => one.length !== usual);
      const [position, told] =
        problem ??
        (uneven >= 0
          ? [
              uneven,
              `has ${columnsIn(cells[uneven]!.length)} where line ${usualLine} has ${usual}; correct the line, or put a blank one between sentences`,
            ]
          : [0, null]);
      if (told !== null) {
        report.reject(`${source.name} line ${first + position}`, told);
        continue;
      }
      const at = positionOf(tokenColumn, usual);
      const tagAt = positionOf(tagColumn, usual);
      if (at === null || tagAt === null)
        throw fileError(
          source.name,
          `has ${columnsIn(usual)}, and --column names ${at === null ? `token=${tokenColumn}` : `tag=${tagColumn}`}; choose one of 1 to ${usual}`,
        );
      const hasTags = at !== tagAt;
      if (!hasTags && !isFree)
        throw fileError(
          source.name,
          `has ${columnsIn(usual)}, so there is no column of tags beside that of the tokens; add one, or name it with --column tag=…`,
        );
      // A file of characters with their place in the word behind each, as 科0 技1 in Weibo's named entities.
      isNumbered ??= cells.length > 1 && cells.every((one) => /^.\d$/u.test(one[at]!));
      const texts = cells.map((one) => one[at]!);
      const shown = isNumbered
        ? texts.map((text) => (/^.\d$/u.test(text) ? text.replace(/\d$/, "") : text))
        : texts;
      if (isNumbered) blankTokens += shown.length;
      yield tokenRow(
        source,
        where,
        {
          texts: shown,
          tags: hasTags ? cells.map((one) => one[tagAt]!) : null,
          ...(isFree ? { lines, places: Int32Array.from(lines.keys()) } : {}),
        },
        {
          group: document > 0 ? `${source.name} document ${document}` : null,
          ...(shown.every(isHan) ? { gaps: shown.map(() => "") } : {}),
        },
      );
    }
    if (blankTokens > 0)
      report.note(`${source.name}: the digit behind each character is its place in a word and no part of it`);
  },
};

/** Cells of a line: between tabs where there are any, else between blanks. */
export function cellsOf(line: string): string[] {
  return line.includes("\t") ? line.split("\t").map((cell) => cell.trim()) : line.trim().split(/ +/);
}

/** A single character that is written without blanks beside it. */
function isHan(text: string): boolean {
  return text.length <= 2 && !/^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]{2}$/u.test(text);
}

const columnsIn = (count: number) => `${count} ${count === 1 ? "column" : "columns"}`;

/**
 * Whether lines are tokens in columns: all but one line of fifty have as many cells as the first, two to
 * twenty, blank lines cut them into sentences of more than one line on average, and the last column holds
 * few different values. What is uneven is left to the reader, which names its line.
 */
export function areColumns(lines: readonly string[]): boolean {
  const whole = lines.slice(0, 4000);
  const filled = whole.filter((line) => line.trim() !== "").map((line) => cellsOf(line.replace(/\r$/, "")));
  const width = filled[0]?.length ?? 0;
  if (filled.length < 4 || width < 2 || width > 20) return false;
  const even = filled.filter(
    (cells) => cells.length === width && !/\s/.test(cells[0]!) && cells.at(-1) !== "",
  );
  if (filled.length - even.length > filled.length / 50) return false;
  let groups = 0;
  for (const [i, line] of whole.entries())
    if (line.trim() !== "" && (i === 0 || whole[i - 1]!.trim() === "")) groups++;
  const tags = new Set(even.map((cells) => cells.at(-1)!));
  return groups >= 2 && filled.length >= groups * 1.5 && tags.size <= Math.max(4, filled.length / 3);
}

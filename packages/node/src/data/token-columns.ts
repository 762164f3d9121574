import { fileError } from "./format.ts";

/** A column of a CoNLL file: a number from 1 (or from the end, -1 the last), or the name of a field. */
export type Column = number | string;

/** Which columns hold the tokens and their tags; null where it was not said. */
export interface TokenColumns {
  readonly token: Column | null;
  readonly tag: Column | null;
}

/**
 * What `--column` says: NAME=INDEX|field, several with commas between. Throws an InputError for another name
 * than token or tag, and for a column 0.
 */
export function tokenColumns(text: string | null): TokenColumns {
  const found: { token: Column | null; tag: Column | null } = { token: null, tag: null };
  for (const part of text === null ? [] : text.split(",")) {
    const [, name, value] = /^\s*([^=]+?)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
    if (value === undefined || (name !== "token" && name !== "tag"))
      throw fileError(
        "--column",
        `${JSON.stringify(part)} is not token=COLUMN or tag=COLUMN; a column is a number from 1, -1 for the last, or a field as upos`,
      );
    const number = Number(value);
    if (number === 0) throw fileError("--column", `${name}=0 is no column; they count from 1`);
    found[name] = Number.isInteger(number) ? number : value.toLowerCase();
  }
  return found;
}

/** Position of a numbered column among `count`, from 0; null where there is none. */
export function positionOf(column: number, count: number): number | null {
  const position = column < 0 ? count + column : column - 1;
  return position >= 0 && position < count ? position : null;
}

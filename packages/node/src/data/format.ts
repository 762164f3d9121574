import { InputError, type Option, type Options, type Row, type Settings, type Split } from "@graft-ml/core";

/** A file or folder to read rows from. `name` is what people call it, relative to the data set. */
export interface Source {
  readonly path: string;
  readonly name: string;
  /** What all of its rows are, where its place says so; null where the rows say it themselves. */
  readonly split: Split | null;
  readonly label: string | null;
}

/**
 * A way data lie in files. A new one: one file with an export of this shape and a line in `formats.ts`; what
 * recognises it stands in `recognise.ts`.
 */
export interface Format {
  readonly about: string;
  /** Endings of file names, without the dot and without ".gz". */
  readonly extensions: readonly string[];
  readonly options: Options;
  /** Rows in file order. Bad rows go to `report.reject`; what is wrong with the whole file throws an InputError. */
  read(source: Source, settings: DataSettings, report: Report): AsyncIterable<Row>;
}

/** Where readers tell what they met. */
export interface Report {
  /** A row that cannot be taken: throws, or lists it and goes on, as `onError` says. */
  reject(where: string, problem: string): void;
  /** Something a person should know that is no fault. */
  note(text: string): void;
  /** What was found out of a file: its columns, its encoding. */
  found(facts: Facts): void;
}

export interface Facts {
  readonly encoding?: string;
  readonly columns?: Readonly<Record<Role, string | null>>;
}

/** What a column of a table is for. */
export type Role = "text" | "image" | "label" | "split" | "group" | "weight";

const column = (about: string) => ({ type: "string", default: null, about }) as const satisfies Option;

/** How tables find their columns. */
export const tableOptions = {
  text: column("column of the texts, by name or number from 1"),
  image: column("column of the paths of images, relative to the table's folder"),
  label: column("column of the labels"),
  split: column("column with train, val or test (default: one named split)"),
  group: column("column of what must not be torn apart: patient, page, author (default: one named group)"),
  weight: column("column of row weights (default: one named weight)"),
} as const satisfies Options;

/** How files of characters are read. */
export const textOptions = {
  encoding: {
    type: "string",
    default: null,
    about: "encoding of text files: utf-8 (the default), windows-1252, gb18030, shift_jis …",
  },
} as const satisfies Options;

/** How tables of separated values are read. */
export const dialectOptions = {
  delimiter: {
    type: "string",
    default: null,
    about: "character between cells, or tab, comma, semicolon, pipe, space (default: seen from the file)",
  },
  header: {
    type: "choice",
    default: "auto",
    of: ["auto", "yes", "no"],
    about: "whether the first row names the columns",
  },
  quotes: {
    type: "choice",
    default: "auto",
    of: ["auto", "yes", "no"],
    about: 'whether "…" encloses cells that hold the delimiter',
  },
} as const satisfies Options;

/** How labels before a colon are read. */
export const levelOptions = {
  level: {
    type: "choice",
    default: "coarse",
    of: ["coarse", "fine"],
    about: "of labels like LOC:city at the start of lines: the first part or both",
  },
} as const satisfies Options;

/** How tokens and their tags are found. */
export const tokenOptions = {
  column: {
    type: "string",
    default: null,
    many: true,
    about:
      "token and tag columns of CoNLL files: token=1,tag=4 counting from 1 (-1 is the last), or a field as in tag=xpos, tag=entity",
  },
} as const satisfies Options;

/** Every setting of reading a data set, ready to become flags of a command. */
export const dataOptions = {
  ...tableOptions,
  ...textOptions,
  ...dialectOptions,
  ...levelOptions,
  ...tokenOptions,
  test: { type: "string", default: null, about: "file or folder with the official test rows" },
  classes: {
    type: "string",
    default: null,
    about: "the class names there may be, separated by commas; any other label is an error",
  },
  onError: {
    type: "choice",
    default: "fail",
    of: ["fail", "skip"],
    about: "at a bad row: stop, or leave it out, list it and go on",
  },
} as const satisfies Options;

export type DataSettings = Settings<typeof dataOptions> & {
  /** Whether rows may come without a label (to predict, or a pool to label). */
  readonly labels: "required" | "optional";
  readonly signal: AbortSignal | null;
};

/** How much of a file may be held in memory at once, in bytes: what is larger is refused, not swallowed. */
export const limits = {
  /** One line, or one quoted cell over several lines. */
  line: 16 * 2 ** 20,
  /** A text file once unpacked. */
  file: 2 * 2 ** 30,
  columns: 10_000,
} as const;

/** An error of the file as a whole. */
export function fileError(name: string, problem: string): InputError {
  return new InputError(`${name}: ${problem}`);
}

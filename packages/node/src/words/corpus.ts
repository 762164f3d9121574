import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { TextDecoder } from "node:util";
import { InputError } from "@graft-ml/core";
import { readBytes } from "../data/bytes.ts";
import { type DataSettings, type Format, fileError } from "../data/format.ts";
import { csv, jsonl, parquet } from "../data/formats.ts";
import { goesOn } from "./line-breaks.ts";

/** How a corpus is read. */
export interface CorpusOptions {
  /** Column of the texts in tables. */
  readonly text?: string | null;
  readonly encoding?: string | null;
  /**
   * What of a text file is a text of its own: a line, a paragraph, all of it; "auto" joins lines that are
   * broken to a width.
   */
  readonly lines?: "auto" | "each" | "wrapped" | "file";
  readonly onNote?: (note: string) => void;
  readonly signal?: AbortSignal;
}

/** A file of a corpus. */
export interface CorpusFile {
  readonly path: string;
  readonly name: string;
  /** Bytes on the disk, and when they were written: what a changed corpus is known by. */
  readonly size: number;
  readonly changed: number;
}

/** Bytes of a file once unpacked; characters of a piece of text without a line end. */
const MOST_BYTES = 2 ** 42;
const LONGEST_PIECE = 2 ** 20;

/**
 * The files of a corpus: those named, and all that lie in folders named, by name. Throws an InputError where
 * there is none.
 */
export async function corpusFiles(paths: readonly string[]): Promise<CorpusFile[]> {
  const files: CorpusFile[] = [];
  const take = async (path: string, name: string, isNamed: boolean): Promise<void> => {
    const entry = await stat(path).catch(() => null);
    if (entry === null) throw new InputError(`${path}: there is no such file or folder; check the path`);
    if (entry.isDirectory()) {
      const names = (await readdir(path)).filter((one) => !one.startsWith(".")).sort();
      for (const one of names) await take(join(path, one), `${name}/${one}`, false);
    } else if (isNamed || !/^(readme|licen[cs]e|notice)\b/i.test(basename(path)))
      files.push({ path, name, size: entry.size, changed: entry.mtimeMs });
  };
  for (const path of paths) await take(path, basename(path), true);
  if (files.length === 0) throw new InputError(`${paths.join(", ")}: there are no files of text`);
  return files;
}

/**
 * The texts of a corpus as a stream: lines or paragraphs of text files, the text column of CSV, TSV, JSONL
 * and Parquet; any of them gzipped. A context never reaches from one text into the next.
 */
export async function* corpusTexts(
  files: readonly CorpusFile[],
  options: CorpusOptions = {},
): AsyncGenerator<string, void> {
  for (const file of files) {
    const ending = file.path.replace(/\.gz$/i, "").toLowerCase().split(".").at(-1)!;
    const format = TABLES[ending];
    if (format === undefined) yield* plainTexts(file, options);
    else yield* tableTexts(file, format, options);
  }
}

const TABLES: Readonly<Record<string, Format | undefined>> = {
  csv,
  tsv: csv,
  tab: csv,
  jsonl,
  ndjson: jsonl,
  parquet,
  pq: parquet,
};

async function* tableTexts(
  { path, name }: CorpusFile,
  format: Format,
  { text = null, encoding = null, onNote = () => {}, signal }: CorpusOptions,
): AsyncGenerator<string, void> {
  const settings = {
    ...{ text, image: null, label: null, split: null, group: null, weight: null, encoding },
    ...{ delimiter: null, header: "auto", quotes: "auto", level: "coarse", test: null, classes: null },
    ...{ onError: "fail", labels: "optional", signal: signal ?? null },
  } as unknown as DataSettings;
  const report = {
    reject: (where: string, problem: string) => {
      throw new InputError(`${where} ${problem}`);
    },
    note: onNote,
    found: () => {},
  };
  const source = { path, name, split: null, label: null };
  for await (const { input } of format.read(source, settings, report))
    if (input.kind === "text") yield input.text;
}

/** Lines of a text at most. */
const MOST_LINES = 10_000;

async function* plainTexts(file: CorpusFile, options: CorpusOptions): AsyncGenerator<string, void> {
  const { lines = "auto", onNote = () => {} } = options;
  let paragraph: string[] = [];
  let isTold = false;
  for await (const block of linesOf(file, options)) {
    if (lines === "each") {
      yield* block;
      continue;
    }
    const joins = lines === "auto" ? goesOn(block) : null;
    if (!isTold && joins?.includes(1)) {
      isTold = true;
      onNote(
        `${file.name}: lines that are broken to a width are joined to paragraphs (--lines each does not)`,
      );
    }
    for (const [i, line] of block.entries()) {
      if (line.trim() !== "") paragraph.push(line);
      const isEnd = lines === "file" ? false : joins === null ? line.trim() === "" : joins[i] === 0;
      if (paragraph.length === 0 || !(isEnd || paragraph.length >= MOST_LINES)) continue;
      yield paragraph.join("\n");
      paragraph = [];
    }
  }
  if (paragraph.length > 0) yield paragraph.join("\n");
}

/** Lines in blocks of about a megabyte; a line without end is cut at a blank. */
async function* linesOf(
  { path, name }: CorpusFile,
  { encoding = null, signal }: CorpusOptions,
): AsyncGenerator<string[], void> {
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(encoding ?? "utf-8", { fatal: true });
  } catch {
    throw fileError(
      name,
      `there is no encoding ${JSON.stringify(encoding)}; utf-8, gb18030, windows-1252 … are known`,
    );
  }
  const decoded = (bytes: Buffer | null) => {
    try {
      return bytes === null ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch {
      throw fileError(name, `holds bytes that are no ${decoder.encoding}; name its encoding with --encoding`);
    }
  };
  let rest = "";
  for await (const bytes of readBytes(path, name, MOST_BYTES)) {
    signal?.throwIfAborted();
    const text = rest + decoded(bytes);
    let end = text.lastIndexOf("\n");
    if (end < 0 && text.length > LONGEST_PIECE) end = text.lastIndexOf(" ");
    if (end < 0) {
      rest = text;
      continue;
    }
    rest = text.slice(end + 1);
    yield text.slice(0, end).split("\n");
  }
  rest += decoded(null);
  if (rest !== "") yield rest.split("\n");
}

import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Split } from "@graft-ml/core";
import { inside, requireOneLevel } from "./class-folders.ts";
import { areColumns } from "./conll.ts";
import { dialectOf } from "./dialect.ts";
import { type DataSettings, fileError, type Source } from "./format.ts";
import type * as formats from "./formats.ts";
import { idxSplit } from "./idx.ts";
import { startWithLabels } from "./labelled-lines.ts";
import { readLines } from "./lines.ts";
import { kindOfFile, type Listing, listFolder } from "./listing.ts";
import { splitOf, splitOfName } from "./splits.ts";
import { holdsTokens } from "./tokens-jsonl.ts";

/** A source and the name of the format to read it with. */
export interface Recognised extends Source {
  readonly format: keyof typeof formats;
}

const byEnding: Readonly<Record<string, keyof typeof formats>> = {
  csv: "csv",
  tsv: "csv",
  tab: "csv",
  jsonl: "jsonl",
  ndjson: "jsonl",
  parquet: "parquet",
  pq: "parquet",
  conllu: "conllu",
  conll: "conll",
  iob: "conll",
  iob2: "conll",
  bio: "conll",
  bioes: "conll",
  bmes: "conll",
};
const refused: Readonly<Record<string, string>> = {
  zip: "is an archive; unpack it first",
  tar: "is an archive; unpack it first",
  tgz: "is an archive; unpack it first",
  "7z": "is an archive; unpack it first",
  bz2: "is packed with bzip2; gzip is read, or unpack it",
  xz: "is packed with xz; gzip is read, or unpack it",
  zst: "is packed with zstandard; gzip is read, or unpack it",
  xlsx: "is a spreadsheet; save it as CSV",
  xls: "is a spreadsheet; save it as CSV",
  ods: "is a spreadsheet; save it as CSV",
  json: "is JSON; write one object a line and name it .jsonl",
  pkl: "is a pickle, which can run code when read; write it as CSV or Parquet",
};
const imageFile = /images.*idx[34]-ubyte(\.gz)?$/i;
const tableOfFolder =
  /^(index|labels|metadata|data|dataset|annotations)\.(csv|tsv|jsonl|ndjson|parquet)(\.gz)?$/i;
const besideData =
  /^(readme|licen[cs]e|notice|source|citation|authors|changelog|data-description)\b|\.(md|rst|pdf|html?|py|sh|ipynb|json|ya?ml|sha256|md5|toml)$/i;

/**
 * What lies at a path, as sources to be read one after the other. Throws an InputError that says what was
 * found and what is read where it is nothing known, or could be two things.
 */
export async function recognise(
  path: string,
  settings: DataSettings,
  note: (text: string) => void,
): Promise<Recognised[]> {
  const entry = await stat(path).catch(() => null);
  if (entry === null) {
    const parts = await splitFilesOf(path, settings);
    if (parts.length > 0) return parts;
    throw fileError(path, "there is no such file or folder; check the path");
  }
  if (entry.isFile()) return await recogniseFile(path, basename(path), null, settings);
  return await recogniseFolder(path, "", null, settings, note);
}

async function recogniseFolder(
  path: string,
  name: string,
  split: Split | null,
  settings: DataSettings,
  note: (text: string) => void,
): Promise<Recognised[]> {
  const listing = await listFolder(path, name === "" ? path : name);
  const { folders, files } = listing;
  const pairs = withoutTwins(files.filter((file) => imageFile.test(file)));
  if (pairs.length > 0) {
    return pairs.map((file) => ({
      ...at(path, name, file, split ?? (pairs.length > 1 ? idxSplit(file) : null)),
      format: "idx",
    }));
  }
  const parts = folders.filter((folder) => splitOf(folder) !== null);
  if (
    split === null &&
    parts.length > 0 &&
    (parts.some((folder) => splitOf(folder) === "train") || parts.length === folders.length)
  ) {
    return await recogniseParts(path, listing, parts, settings, note);
  }
  const table = files.filter((file) => tableOfFolder.test(file));
  // Images in one folder beside a table are what the table names; in several they lie in class folders.
  if (table.length === 1 && (await holdingExamples(path, folders)) < 2) {
    return await recogniseFile(join(path, table[0]!), inside(name, table[0]!), split, settings);
  }
  if (folders.length > 0) {
    await requireOneLevel(path, name, folders);
    return [{ path, name, split, label: null, format: "classFolders" }];
  }
  return await recogniseFiles(path, name, split, files, settings, note);
}

/** Folders train/, val/, test/, each read as a data set of that part. */
async function recogniseParts(
  path: string,
  { folders, files }: Listing,
  parts: readonly string[],
  settings: DataSettings,
  note: (text: string) => void,
): Promise<Recognised[]> {
  const others = folders.filter((folder) => !parts.includes(folder));
  if (others.length > 0) {
    throw fileError(
      path,
      `holds ${parts.join(", ")} beside ${others.slice(0, 4).join(", ")}; put class folders inside train, val and test`,
    );
  }
  const taken = new Map<Split, string>();
  for (const part of parts) {
    const other = taken.get(splitOf(part)!);
    if (other !== undefined) throw fileError(path, `holds both ${other} and ${part} for one part; keep one`);
    taken.set(splitOf(part)!, part);
  }
  if (files.length > 0)
    note(
      `left out beside ${parts.join(", ")}: ${files.slice(0, 4).join(", ")}${files.length > 4 ? ", …" : ""}`,
    );
  const sources: Recognised[] = [];
  for (const part of parts) {
    sources.push(...(await recogniseFolder(join(path, part), part, splitOf(part), settings, note)));
  }
  return sources;
}

/** A folder without folders: loose images, parts of a table, a file a class, or one table. */
async function recogniseFiles(
  path: string,
  name: string,
  split: Split | null,
  all: readonly string[],
  settings: DataSettings,
  note: (text: string) => void,
): Promise<Recognised[]> {
  const shown = name === "" ? path : name;
  if (all.length === 0) throw fileError(shown, "this folder is empty");
  const images = all.filter((file) => kindOfFile(file) === "image");
  const files = all.filter((file) => !besideData.test(file));
  if (images.length > 0) {
    if (settings.labels === "optional") return [{ path, name, split, label: null, format: "classFolders" }];
    throw fileError(
      shown,
      `holds ${images.length} images and no class folders; put the images of each class into a folder named after it, or write a table with columns path and label`,
    );
  }
  const ofParts = split === null ? files.flatMap((file) => named(file)) : [];
  if (ofParts.some((part) => part.split === "train")) {
    const sets = [...new Set(ofParts.map((part) => part.rest))];
    if (sets.length > 1) {
      throw fileError(
        shown,
        `holds the parts of several sets (${sets.slice(0, 5).join(", ")}); name one, as in ${join(path, sets[0]!)}`,
      );
    }
    const left = all.filter((file) => !ofParts.some((part) => part.file === file));
    if (left.length > 0) note(`left out: ${left.slice(0, 4).join(", ")}${left.length > 4 ? ", …" : ""}`);
    return await recognisePartFiles(path, name, ofParts, settings);
  }
  const classes = classFiles(files);
  if (classes !== null) {
    return classes.map(({ file, label }) => ({ ...at(path, name, file, split), label, format: "lines" }));
  }
  if (files.length === 1)
    return await recogniseFile(join(path, files[0]!), inside(name, files[0]!), split, settings);
  throw fileError(
    shown,
    `cannot tell what this folder is; it holds ${files.slice(0, 6).join(", ") || all.slice(0, 6).join(", ")}. Read are class folders, train/val/test folders or files, one table, and MNIST-style IDX files${pointAt(path, files)}`,
  );
}

/** The remedy where a folder holds several tables: one of them is to be named. */
function pointAt(path: string, files: readonly string[]): string {
  const tables = files.filter((file) => endingOf(file) in byEnding);
  if (tables.length < 2) return "";
  return `; point at one table, as in ${join(path, tables[0]!)}, the test rows being another with --test`;
}

/** The ending of a name, without ".gz". */
function endingOf(file: string): string {
  return file.replace(/\.gz$/i, "").toLowerCase().split(".").at(-1)!;
}

interface PartFile {
  readonly file: string;
  readonly split: Split;
  readonly rest: string;
}

function named(file: string): PartFile[] {
  const found = splitOfName(file);
  return found === null ? [] : [{ file, ...found }];
}

async function recognisePartFiles(
  path: string,
  name: string,
  parts: readonly PartFile[],
  settings: DataSettings,
) {
  const sources: Recognised[] = [];
  for (const { file, split } of parts) {
    sources.push(...(await recogniseFile(join(path, file), inside(name, file), split, settings)));
  }
  return sources;
}

/** "data/stsa.binary" where there are data/stsa.binary.train, .dev and .test. */
async function splitFilesOf(path: string, settings: DataSettings): Promise<Recognised[]> {
  const folder = dirname(path);
  if ((await stat(folder).catch(() => null))?.isDirectory() !== true) return [];
  const { files } = await listFolder(folder, folder);
  const stem = basename(path);
  const parts = files
    .filter((file) => file.startsWith(stem) && /^[._-]/.test(file.slice(stem.length)))
    .flatMap((file) => named(file));
  return parts.some((part) => part.split === "train")
    ? await recognisePartFiles(folder, "", parts, settings)
    : [];
}

/** One class a file: names that differ in the ending alone, or .txt files of two names or more. */
function classFiles(files: readonly string[]): { file: string; label: string }[] | null {
  const plain = files.map((file) => file.replace(/\.gz$/i, ""));
  if (plain.length < 2 || plain.some((file) => !file.includes(".") || endingOf(file) in byEnding))
    return null;
  const stems = plain.map((file) => file.slice(0, file.lastIndexOf(".")));
  const endings = plain.map((file) => file.slice(file.lastIndexOf(".") + 1));
  if (new Set(stems).size === 1 && new Set(endings).size === plain.length) {
    return files.map((file, i) => ({ file, label: endings[i]! }));
  }
  if (endings.every((ending) => ending.toLowerCase() === "txt") && new Set(stems).size === plain.length) {
    return files.map((file, i) => ({ file, label: stems[i]! }));
  }
  return null;
}

async function recogniseFile(
  path: string,
  name: string,
  split: Split | null,
  settings: DataSettings,
): Promise<Recognised[]> {
  const plain = name.replace(/\.gz$/i, "");
  const ending = endingOf(name);
  const source = { path, name, split, label: null };
  if (/idx[134]-ubyte$/i.test(plain)) {
    if (/labels/i.test(basename(plain)))
      throw fileError(name, "holds the labels of an IDX pair; name the file of the images, or their folder");
    return [{ ...source, format: "idx" }];
  }
  const reason = Object.hasOwn(refused, ending) ? refused[ending] : undefined;
  if (reason !== undefined) throw fileError(name, reason);
  const kind = kindOfFile(plain);
  if (kind === "image" && settings.labels === "optional") return [{ ...source, format: "classFolders" }];
  if (kind === "image" || kind === "foreign image") {
    throw fileError(
      name,
      "is one image; a data set is a folder of class folders, or a table with columns path and label",
    );
  }
  const format = Object.hasOwn(byEnding, ending)
    ? await withinEnding(byEnding[ending]!, path, name, settings)
    : await formatOfText(path, name, ending, settings);
  return [{ ...source, format }];
}

/** What an ending stands for, where two formats share it: objects with tokens, or columns of tokens. */
async function withinEnding(
  format: keyof typeof formats,
  path: string,
  name: string,
  settings: DataSettings,
): Promise<keyof typeof formats> {
  if (format !== "jsonl" && format !== "csv") return format;
  const texts = await firstLines(path, name, settings);
  if (format === "csv")
    return /\.(tsv|tab)(\.gz)?$/i.test(name) && isConll(texts, settings) ? "conll" : "csv";
  const first = texts.find((text) => text.trim() !== "");
  return first !== undefined && holdsTokens(first, settings.labels) ? "tokensJsonl" : "jsonl";
}

/** Whether lines are tokens in columns; taken at its word where `--column` says so. */
function isConll(texts: readonly string[], settings: DataSettings): boolean {
  return settings.column !== null || (settings.text === null && settings.label === null && areColumns(texts));
}

async function firstLines(path: string, name: string, settings: DataSettings): Promise<readonly string[]> {
  const lines = readLines(path, name, settings.encoding, { found: () => {}, note: () => {} });
  const { value: first } = await lines.next();
  await lines.return();
  return first?.texts ?? [];
}

/** The format of a text file whose name does not say: seen from its first lines. */
async function formatOfText(
  path: string,
  name: string,
  ending: string,
  settings: DataSettings,
): Promise<keyof typeof formats> {
  const lines = readLines(path, name, settings.encoding, { found: () => {}, note: () => {} });
  const { value: first } = await lines.next();
  await lines.return();
  const texts = first?.texts.filter((text, i) => text.trim() !== "" && !first.problems.has(i)) ?? [];
  if (first !== undefined && texts.length === 0) {
    const problem = [...first.problems.values()][0];
    throw fileError(
      name,
      problem === undefined
        ? "is empty; there are no rows to read"
        : `cannot be read as text: row 1 ${problem}`,
    );
  }
  if (texts[0]?.trimStart().startsWith("{"))
    return holdsTokens(texts[0], settings.labels) ? "tokensJsonl" : "jsonl";
  if (isConll(first!.texts, settings)) return "conll";
  if (dialectOf(texts, ending, settings, name) !== null) return "csv";
  if (startWithLabels(texts)) return "labelledLines";
  if (settings.labels === "optional") return "lines";
  throw fileError(
    name,
    `cannot tell labels from texts; its first line is "${texts[0]?.slice(0, 60)}". Read are tables with a header or tabs, and lines that start with a label; a table needs --label and --text, or --delimiter`,
  );
}

/** How many of the folders hold images or texts directly, as class folders do: up to two, which settles it. */
async function holdingExamples(path: string, folders: readonly string[]): Promise<number> {
  let count = 0;
  for (const folder of folders) {
    const { files } = await listFolder(join(path, folder), folder);
    if (files.some((file) => kindOfFile(file) !== "other")) count++;
    if (count === 2) break;
  }
  return count;
}

/** Of a file and its gzip, the file. */
function withoutTwins(files: readonly string[]): string[] {
  return files.filter((file) => !(file.endsWith(".gz") && files.includes(file.slice(0, -3))));
}

function at(path: string, name: string, file: string, split: Split | null): Source {
  return { path: join(path, file), name: inside(name, file), split, label: null };
}

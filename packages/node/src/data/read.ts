import { realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";
import {
  type Columns,
  type Dataset,
  InputError,
  type Row,
  resolveSettings,
  type SchemeFound,
  schemeOf,
  sortedClasses,
} from "@graft-ml/core";
import { type DataSettings, dataOptions, type Facts, type Format, fileError, type Report } from "./format.ts";
import * as formats from "./formats.ts";
import { recognise } from "./recognise.ts";

/** Settings of `readDataset`; `classes` may be a list or names with commas between. */
export interface ReadOptions extends Partial<Omit<DataSettings, "classes">> {
  readonly classes?: readonly string[] | string | null;
}

/**
 * Reads a labelled data set: a folder of class folders (train/, val/, test/ above them if there), a CSV, TSV,
 * JSONL or Parquet table, lines that start with a label, a file a class, MNIST-style IDX files, or tagged
 * tokens (CoNLL columns, CoNLL-U, JSONL with tokens or character spans); any of them gzipped. Images stay in
 * their files. Throws an InputError that names file, row and value at the first bad row, or with `onError:
 * "skip"` lists bad rows in `skipped`.
 */
export async function readDataset(path: string, options: ReadOptions = {}): Promise<Dataset> {
  const { labels = "required", signal = null, classes, ...rest } = options;
  const names =
    typeof classes === "string" ? classes.split(",").map((name) => name.trim()) : (classes ?? null);
  const settings: DataSettings = { ...resolveSettings("data", dataOptions, { ...rest }), labels, signal };
  const reading = startReading(settings, names);
  await reading.read(path, false);
  if (settings.test !== null) await reading.readTest(path, settings.test);
  return reading.dataset(path);
}

const readers: Readonly<Record<keyof typeof formats, Format>> = formats;

function startReading(settings: DataSettings, classes: readonly string[] | null) {
  let rows: Row[] = [];
  const origins: string[] = []; // the file or folder each row was read from
  const skipped: string[] = [];
  const notes: string[] = [];
  let facts: Facts = {};
  let format: string | undefined;
  const report: Report = {
    reject(where, problem) {
      const sentence = /^(has|is|holds|lies|cannot|byte) /.test(problem)
        ? `${where} ${problem}`
        : `${where}: ${problem}`;
      if (settings.onError === "fail") throw new InputError(sentence);
      skipped.push(sentence);
    },
    note: (text) => notes.push(text),
    found(found) {
      facts = { ...found, ...facts }; // the first file's
    },
  };
  const take = (row: Row, origin: string): void => {
    const labels = row.tokens === undefined ? [row.label] : (row.tokens.tags ?? [null]);
    const foreign =
      classes === null ? undefined : labels.find((label) => label !== null && !classes.includes(label));
    if (labels[0] === null && settings.labels === "required") {
      report.reject(row.where, "has no label; label it or take it out");
    } else if (foreign !== undefined) {
      const shown = classes!.slice(0, 12).join(", ") + (classes!.length > 12 ? ", …" : "");
      report.reject(
        row.where,
        `label ${JSON.stringify(foreign)} is not one of ${shown}; correct it or pass --classes`,
      );
    } else {
      rows.push(row);
      origins.push(input(row) ?? origin);
    }
  };
  const read = async (path: string, asTest: boolean): Promise<void> => {
    const sources = await recognise(path, settings, report.note);
    for (const source of sources) {
      format ??= source.format;
      for await (const row of readers[source.format].read(source, settings, report)) {
        take(asTest ? { ...row, split: "test" } : row, source.path);
      }
    }
  };
  return {
    read,
    async readTest(path: string, test: string): Promise<void> {
      const inner = await within(path, test);
      const officially = rows.filter((row) => row.split === "test").length;
      if (officially > 0 && !inner) {
        throw fileError(
          path,
          `has ${officially} test rows of its own; leave out --test, or point at the training part`,
        );
      }
      if (inner) {
        // The test rows lie in the data set too: there they count once, as test.
        const tested = new Map<string, boolean>();
        for (const origin of new Set(origins)) tested.set(origin, await within(test, origin));
        const kept = rows.filter((_, i) => !tested.get(origins[i]!));
        if (kept.length === 0)
          throw fileError(test, "is all of the data; --test must be a part of it, or lie elsewhere");
        rows = kept;
      }
      const before = rows.length;
      await read(test, true);
      // A table of test images may name files of the data set.
      const judged = new Set(rows.slice(before).map((row) => resolve(input(row) ?? "")));
      const isJudged = (row: Row) => input(row) !== null && judged.has(resolve(input(row)!));
      const twice = rows.slice(0, before).filter(isJudged).length;
      if (twice === before)
        throw fileError(test, "is all of the data; --test must be a part of it, or lie elsewhere");
      if (twice > 0) {
        rows = rows.filter((row, i) => i >= before || !isJudged(row));
        notes.push(`${twice} images that ${test} names are in the test part alone`);
      }
    },
    dataset(path: string): Dataset {
      if (rows.length === 0) {
        const first =
          skipped[0] === undefined ? "" : `; ${skipped.length} were skipped, the first: ${skipped[0]}`;
        throw fileError(path, `there are no rows to use${first}`);
      }
      const other = rows.find((row) => (row.input.kind === "text") !== (rows[0]!.input.kind === "text"));
      if (other !== undefined) {
        throw fileError(
          path,
          `holds texts and images both: ${rows[0]!.where} and ${other.where}; learn from one of them`,
        );
      }
      const isTagged = rows[0]!.tokens !== undefined;
      const single = rows.find((row) => (row.tokens !== undefined) !== isTagged);
      if (single !== undefined)
        throw fileError(
          path,
          `holds tagged tokens and whole texts both: ${rows[0]!.where} and ${single.where}; learn from one of them`,
        );
      const found = isTagged ? tagsIn(rows) : sortedClasses(rows.map((row) => row.label));
      if (isTagged) {
        requireTags(found.length, rows, path);
        const told = irregularSpans(rows, path);
        if (told !== null) notes.push(told);
      } else if (classes === null) requireClasses(found.length, rows.length, path, facts.columns ?? null);
      return {
        source: path,
        task: isTagged
          ? "token-classification"
          : rows[0]!.input.kind === "text"
            ? "text-classification"
            : "image-classification",
        classes: classes === null ? found : sortedClasses(classes),
        rows,
        skipped,
        ...(format === undefined ? {} : { format }),
        ...(facts.encoding === undefined ? {} : { encoding: facts.encoding }),
        ...(facts.columns === undefined ? {} : { columns: facts.columns as Columns }),
        notes,
      };
    },
  };
}

/** A label that is different in almost every row is no class, but the wrong column. */
function requireClasses(classes: number, rows: number, path: string, columns: Facts["columns"] | null): void {
  if (rows < 100 || classes <= rows / 2) return;
  const column =
    columns?.label === null || columns?.label === undefined ? "the labels" : `column "${columns.label}"`;
  throw fileError(
    path,
    `${column} has ${classes} different values in ${rows} rows, so it names no classes; name the label column with --label`,
  );
}

/** Every tag that occurs, in order. */
function tagsIn(rows: readonly Row[]): string[] {
  const found = new Set<string>();
  for (const { tokens } of rows) for (const tag of tokens?.tags ?? []) found.add(tag);
  return sortedClasses([...found]);
}

/** A tag that is different on almost every token is none, but the wrong column. */
function requireTags(tags: number, rows: readonly Row[], path: string): void {
  const tokens = rows.reduce((sum, row) => sum + row.tokens!.texts.length, 0);
  if (tags < 100 || tags <= tokens / 4) return;
  throw fileError(
    path,
    `there are ${tags} different tags on ${tokens} tokens, so they are no tags; name the column of the tags with --column tag=…`,
  );
}

/** What a person should know of spans that are not written as their scheme asks. */
function irregularSpans(rows: readonly Row[], path: string): string | null {
  const tagged = rows.filter(({ tokens }) => tokens?.tags);
  let found: SchemeFound;
  try {
    found = schemeOf(tagged.map(({ tokens }) => tokens!.tags!));
  } catch (error) {
    throw error instanceof InputError ? fileError(path, error.message) : error;
  }
  const { scheme, spans, irregular, first } = found;
  if (first === null) return null;
  return `${irregular} of ${spans} spans are not written as ${scheme} asks (first: ${tagged[first.sentence]!.where}, token ${first.token + 1}); they are read as conlleval reads them: what continues nothing begins a span`;
}

/** Whether a path is `outer` or lies in it. */
async function within(outer: string, inner: string): Promise<boolean> {
  const [a, b] = await Promise.all(
    [outer, inner].map((path) => realpath(resolve(path)).catch(() => resolve(path))),
  );
  return a === b || b!.startsWith(a! + sep);
}

/** The file an image of its own lies in. */
function input({ input }: Row): string | null {
  return input.kind === "image" ? input.path : null;
}

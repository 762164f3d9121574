import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Row } from "@graft-ml/core";
import { readBytes } from "./bytes.ts";
import { byteOrderMark, decoder, undecodable } from "./encoding.ts";
import {
  type DataSettings,
  type Format,
  fileError,
  limits,
  type Report,
  type Source,
  textOptions,
} from "./format.ts";
import { legacyEncodingOf, legacyNote } from "./legacy.ts";
import { filesUnder, kindOfFile, listFolder } from "./listing.ts";

export const classFolders: Format = {
  about: "a folder a class, holding images, or .txt files of one text each",
  extensions: [],
  options: textOptions,
  async *read(source, settings, report) {
    if ((await stat(source.path)).isFile()) {
      yield* readFile(source.path, source.name, source, source.label, settings, report);
      return;
    }
    const { folders, files } = await listFolder(source.path, source.name);
    const loose = files.filter((file) => kindOfFile(file) !== "other");
    if (settings.labels === "optional" && loose.length > 0) {
      for (const file of loose) {
        yield* readFile(join(source.path, file), inside(source.name, file), source, null, settings, report);
      }
    } else if (loose.length > 0) {
      for (const file of loose) {
        report.reject(
          inside(source.name, file),
          "lies beside the class folders, so it has no label; move it into one",
        );
      }
    }
    noteLeftOut(
      files.filter((file) => kindOfFile(file) === "other"),
      source.name,
      report,
    );
    for (const folder of folders) yield* readClass(source, folder, settings, report);
  },
};

async function* readClass(
  source: Source,
  folder: string,
  settings: DataSettings,
  report: Report,
): AsyncGenerator<Row, void> {
  const path = join(source.path, folder);
  const name = inside(source.name, folder);
  const leftOut: string[] = [];
  let count = 0;
  for await (const file of filesUnder(path, name)) {
    settings.signal?.throwIfAborted();
    if (kindOfFile(file) === "other") {
      leftOut.push(file);
      continue;
    }
    count++;
    yield* readFile(join(path, file), `${name}/${file}`, source, folder, settings, report);
  }
  noteLeftOut(leftOut, name, report);
  if (count === 0)
    report.reject(name, "this class folder holds no image and no .txt file; fill it or take it away");
}

async function* readFile(
  path: string,
  where: string,
  source: Source,
  label: string | null,
  settings: DataSettings,
  report: Report,
): AsyncGenerator<Row, void> {
  const common = { where, label, split: source.split, group: null, weight: 1 };
  const kind = kindOfFile(path);
  if (kind === "image") {
    yield { ...common, input: { kind: "image", path } };
  } else if (kind === "foreign image") {
    report.reject(where, "is an image of a kind that is not decoded; convert it to JPEG or PNG");
  } else {
    const text = await readText(path, where, settings.encoding, report);
    if (text.problem !== null) report.reject(where, text.problem);
    else yield { ...common, input: { kind: "text", text: text.text } };
  }
}

async function readText(path: string, name: string, encoding: string | null, report: Report) {
  const chunks: Buffer[] = [];
  for await (const chunk of readBytes(path, name, limits.line)) chunks.push(chunk);
  let bytes = Buffer.concat(chunks);
  const mark = byteOrderMark(bytes);
  const decode = decoder(encoding ?? mark?.encoding ?? "utf-8", name);
  if (mark !== null && mark.encoding === decode.encoding) bytes = bytes.subarray(mark.length);
  let text = decode.decode(bytes);
  if (text === null && encoding === null && mark === null) {
    const legacy = legacyEncodingOf(bytes);
    if (legacy !== null) {
      report.note(legacyNote(name, legacy));
      text = decoder(legacy.encoding, name).decode(bytes);
    }
  }
  if (text === null) return { text: "", problem: undecodable(bytes, decode.encoding) };
  const nul = text.indexOf("\0");
  return {
    text,
    problem: nul < 0 ? null : `holds a NUL character at position ${nul + 1}; the file is damaged`,
  };
}

function noteLeftOut(files: readonly string[], name: string, report: Report): void {
  if (files.length === 0) return;
  const shown = files.slice(0, 3).join(", ") + (files.length > 3 ? ", …" : "");
  report.note(
    `${name === "" ? "the folder" : name}: ${files.length === 1 ? "1 file" : `${files.length} files`} left out, neither image nor text: ${shown}`,
  );
}

/** The name of a file in a folder; the data set's own folder has the name "". */
export function inside(folder: string, file: string): string {
  return folder === "" ? file : `${folder}/${file}`;
}

/**
 * Refuses a folder whose class folders hold folders of the same names: the level of the classes is then
 * anyone's guess.
 */
export async function requireOneLevel(path: string, name: string, folders: readonly string[]): Promise<void> {
  const inner: string[] = [];
  for (const folder of folders) {
    const listing = await listFolder(join(path, folder), inside(name, folder));
    if (listing.files.some((file) => kindOfFile(file) !== "other") || listing.folders.length === 0) return;
    inner.push(listing.folders.join("/"));
  }
  if (inner.length > 1 && new Set(inner).size === 1) {
    throw fileError(
      name === "" ? path : name,
      `${folders.slice(0, 3).join(", ")} each hold the folders ${inner[0]!.split("/").slice(0, 4).join(", ")}: which are the classes? Point at one of them, or write a table with columns path and label`,
    );
  }
}

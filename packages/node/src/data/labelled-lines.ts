import type { Row } from "@graft-ml/core";
import { type Format, fileError, levelOptions, type Source, textOptions } from "./format.ts";
import { type Lines, readLines } from "./lines.ts";

/** A label without spaces, white space, the text: "1 a fine film", "LOC:city What …", "__label__spam Win …". */
const labelled = /^(\S+)[ \t]+(\S.*)$/s;

export const labelledLines: Format = {
  about: "a text a line with its label before it, as in TREC, SST and fastText files",
  extensions: [],
  options: { ...textOptions, ...levelOptions },
  async *read(source, settings, report) {
    for await (const { where, text, problem } of filledLines(source, settings.encoding, report)) {
      const match = problem === null ? labelled.exec(text) : null;
      if (problem !== null) report.reject(where, problem);
      else if (match === null)
        report.reject(where, `"${text.slice(0, 40)}" is no label and text; write both, a space between`);
      else if (/^__label__/.test(match[2]!)) report.reject(where, "has two labels; one a row is learned");
      else {
        const full = match[1]!.replace(/^__label__/, "");
        const label = settings.level === "coarse" ? full.replace(/^([^:]+):.+$/, "$1") : full;
        yield textRow(source, where, match[2]!, label);
      }
    }
  },
};

export const lines: Format = {
  about: "a text a line: unlabelled, or every file one class as in rt-polarity.neg and rt-polarity.pos",
  extensions: ["txt"],
  options: textOptions,
  async *read(source, settings, report) {
    for await (const { where, text, problem } of filledLines(source, settings.encoding, report)) {
      if (problem !== null) report.reject(where, problem);
      else yield textRow(source, where, text, source.label);
    }
  },
};

/**
 * Whether lines start with labels: each has a first word and a text, and the first words are few and come
 * again (or are marked as labels).
 */
export function startWithLabels(texts: readonly string[]): boolean {
  const filled = texts.filter((text) => text.trim() !== "");
  const words = filled.map((text) => labelled.exec(text)?.[1]);
  const found = words.filter((word) => word !== undefined);
  if (filled.length === 0 || found.length < filled.length * 0.98) return false;
  if (found.every((word) => word.startsWith("__label__"))) return true;
  const coarse = found.filter((word) => /^[^\s:]+:[^\s:]+$/.test(word)).length >= found.length * 0.98;
  const distinct = new Set(coarse ? found.map((word) => word.split(":")[0]) : found).size;
  return distinct <= Math.max(2, Math.min(200, found.length / 10)) && distinct < found.length;
}

async function* filledLines(source: Source, encoding: string | null, report: Parameters<Format["read"]>[2]) {
  let blank = 0;
  let count = 0;
  for await (const block of readLines(source.path, source.name, encoding, report)) {
    for (const line of inBlock(block, source.name)) {
      if (line.problem === null && line.text.trim() === "") blank++;
      else {
        count++;
        yield line;
      }
    }
  }
  if (count === 0) throw fileError(source.name, "is empty; there are no rows to read");
  if (blank > 0) report.note(`${source.name}: ${blank} blank lines passed over`);
}

function* inBlock(block: Lines, name: string) {
  for (let i = 0; i < block.texts.length; i++) {
    const text = block.texts[i]!;
    yield {
      where: `${name} row ${block.first + i}`,
      text: text.endsWith("\r") ? text.slice(0, -1) : text,
      problem: block.problems.get(i) ?? null,
    };
  }
}

function textRow(source: Source, where: string, text: string, label: string | null): Row {
  return { where, input: { kind: "text", text }, label, split: source.split, group: null, weight: 1 };
}

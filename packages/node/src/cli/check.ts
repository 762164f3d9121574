import { type CheckReport, type Dataset, InputError } from "@graft-ml/core";
import { checkDataset, writeCheck } from "../check/index.ts";
import { dataOptions, readDataset } from "../data/index.ts";
import { kindOf } from "../sources/index.ts";
import { type Coverage, coverageOf, coverageSentence, readVectorsFile } from "../words/index.ts";
import { command } from "./command.ts";
import type { Terminal } from "./terminal.ts";

export const check = command({
  about: "Says what is in a data set and what is wrong with it: counts, broken and repeated rows, leaks.",
  operands: ["DATA"],
  options: {
    ...dataOptions,
    onError: { ...dataOptions.onError, default: "skip" },
    near: { type: "boolean", default: true, about: "look for near duplicates" },
    similarity: {
      type: "number",
      default: null,
      min: 0.5,
      max: 1,
      about: "from where two rows are near duplicates (default 0.8 of texts, 0.99 of images)",
    },
    vectors: {
      type: "string",
      default: null,
      about: "file of word vectors: says how much of the texts has none, and which words these are",
    },
    output: { type: "string", default: null, about: "folder for check.json and duplicates.csv" },
  },
  example: "graft check photos/ --output check",
  async run({ operands, settings, terminal, signal }) {
    const started = performance.now();
    const {
      near,
      similarity,
      vectors,
      output,
      json: _json,
      quiet: _quiet,
      seed: _seed,
      ...reading
    } = settings;
    const dataset = await readDataset(operands[0]!, { ...reading, signal });
    const report = await checkDataset(dataset, {
      near,
      ...(similarity === null ? {} : { similarity }),
      signal,
      onProgress: terminal.progress,
    });
    const { duplicates: _, ...told } = report;
    printReport(terminal, report);
    const coverage = vectors === null ? null : await vectorCoverage(vectors, dataset);
    if (coverage !== null) terminal.print(`· note: ${coverageSentence(coverage, "all")}`);
    const files = output === null ? [] : await writeCheck(report, dataset, output);
    if (files.length > 0) terminal.print(`written: ${files.join(", ")}`);
    return {
      ...told,
      ...(coverage === null ? {} : { coverage }),
      files,
      seconds: (performance.now() - started) / 1000,
    };
  },
});

async function vectorCoverage(path: string, { rows, source, task }: Dataset): Promise<Coverage> {
  if (task !== "text-classification")
    throw new InputError(`${source} is for ${task}; --vectors is about the words of texts`);
  const { vectors } = await readVectorsFile(path, { onError: "skip" });
  const texts = rows.flatMap(({ input }) => (input.kind === "text" ? [input.text] : []));
  return coverageOf(vectors, texts, kindOf(vectors));
}

const SHOWN_CLASSES = 30;
const SHOWN_EXAMPLES = 3;
const marks = { problem: "✗ problem", warning: "! warning", note: "· note" } as const;

function printReport(terminal: Terminal, report: CheckReport): void {
  const { source, rows, classes, findings, notes, task } = report;
  const what = {
    "text-classification": "texts",
    "image-classification": "images",
    "token-classification": "sentences",
  }[task];
  terminal.print(
    `${source}: ${rows} ${what} ${task === "token-classification" ? `with ${classes.length} tags` : `in ${classes.length} classes`}`,
  );
  for (const note of notes) terminal.print(`  ${note}`);
  terminal.print();
  printClasses(terminal, report);
  terminal.print();
  if (findings.length === 0) terminal.print("nothing is wrong with it");
  for (const { severity, message, remedy, examples, kind } of findings) {
    terminal.print(`${marks[severity]}: ${message} [${kind}]`);
    for (const { rows: named, detail } of examples.slice(0, SHOWN_EXAMPLES)) {
      const names = named.join(" and ");
      terminal.print(`    ${names === "" || detail.includes(names) ? detail : `${names}: ${detail}`}`);
    }
    if (examples.length > SHOWN_EXAMPLES) terminal.print("    …");
    if (remedy !== null) terminal.print(`    → ${remedy}`);
  }
}

function printClasses(terminal: Terminal, { classes, task }: CheckReport): void {
  const parts = (["train", "val", "test", "none"] as const).filter((part) =>
    classes.some((one) => one[part] > 0),
  );
  const named = task === "token-classification" ? ["tag", "tokens"] : ["class", "rows"];
  const head = [...named, ...(parts.length === 1 && parts[0] === "none" ? [] : parts)];
  const shown = classes.length > SHOWN_CLASSES ? classes.slice(0, SHOWN_CLASSES) : classes;
  const lines = shown.map((one) => [
    one.name,
    String(one.total),
    ...parts.slice(0, head.length - 2).map((part) => String(one[part])),
  ]);
  const table = [head, ...lines];
  const width = head.map((_, c) => Math.max(...table.map((cells) => cells[c]!.length)));
  for (const cells of table) {
    terminal.print(
      `  ${cells.map((cell, c) => (c === 0 ? cell.padEnd(width[c]!) : cell.padStart(width[c]!))).join("  ")}`,
    );
  }
  if (shown.length < classes.length) terminal.print(`  … and ${classes.length - shown.length} more`);
}

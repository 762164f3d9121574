import { extname } from "node:path";
import { type Dataset, type Row, type Runtime, type Settings, segments, sentencesOf } from "@graft-ml/core";
import { writeWhole } from "../runs/folder.ts";
import { commandLine } from "../runs/report-of.ts";
import { ortRuntime } from "../runtime/index.ts";
import {
  type EncoderMethod,
  openTaggerRun,
  rivalOf,
  type Sentence,
  TAGGER_NAMES,
  type TaggingMetrics,
  type TaggingReplay,
  type TaggingTest,
  taggedForm,
  taggedText,
  taggerOptions,
  trainTaggerRun,
} from "../tagging/index.ts";
import { type Call, UsageError } from "./command.ts";
import {
  type backboneFlags,
  backboneSettings,
  type dataFlags,
  progressOn,
  readData,
  type runtimeFlags,
  runtimeSettings,
} from "./flags.ts";
import { warnLeftOut } from "./left-out.ts";
import { standardInputLines } from "./standard-input.ts";
import type { Terminal } from "./terminal.ts";
import { percent } from "./words.ts";

type DataSettings = Settings<typeof dataFlags>;
type RuntimeSettings = Settings<typeof runtimeFlags>;
type BackboneFlags = Settings<typeof backboneFlags>;
type Common = Pick<Call<Record<never, never>>, "terminal" | "signal" | "words">;

/** What `graft train` says that concerns a tagger. */
export type TaggerFlags = RuntimeSettings & {
  readonly backbone: string;
  readonly arch: string | null;
  readonly archOptions: string | null;
  readonly head: string;
  readonly method: string;
  readonly layer: string | null;
  readonly maxLength: number | null;
  readonly depth: number | null;
  readonly decay: number;
  readonly rank: number;
  readonly alpha: number;
  readonly assume: BackboneFlags["assume"];
  readonly offline: boolean;
  readonly epochs: number | null;
  readonly learningRate: number | null;
  readonly fast: boolean;
  readonly baselines: boolean;
  readonly testFraction: number;
  readonly column: string | null;
  readonly seed: number;
};

/** Trains a tagger as the flags of `graft train` say. */
export async function trainTagged(
  dataset: Dataset,
  output: string,
  settings: TaggerFlags,
  { terminal, signal, words }: Common,
): Promise<TaggingMetrics> {
  const { metrics, report, config } = await trainTaggerRun(dataset, {
    output,
    backbone: settings.backbone === "auto" ? "none" : settings.backbone,
    arch: settings.arch,
    head: settings.head,
    method: settings.method as EncoderMethod | "auto",
    encoder: {
      layer: settings.layer,
      maxLength: settings.maxLength,
      backbone: backboneSettings(settings),
    },
    tuning: {
      depth: settings.depth,
      decay: settings.decay,
      rank: settings.rank,
      alpha: settings.alpha,
    },
    settings: {
      ...archSettings(settings.archOptions),
      ...(settings.epochs === null ? {} : { epochs: settings.epochs }),
      ...(settings.learningRate === null ? {} : { learningRate: settings.learningRate }),
    },
    seed: settings.seed,
    testFraction: settings.testFraction,
    fast: settings.fast,
    baselines: settings.baselines,
    column: settings.column,
    ...runtimeSettings(settings),
    command: commandLine(["graft", "train", ...words]),
    onProgress: progressOn(terminal),
    signal,
  });
  const { chosen, baselines, transfer, timing } = metrics;
  for (const note of report.notes.slice((dataset.notes ?? []).length)) terminal.print(`note: ${note}`);
  terminal.print();
  terminal.print(`${chosen.backbone} · ${chosen.layer} · ${chosen.head} · ${chosen.method}`);
  terminal.print(`method: ${config.reason}`);
  printTest(terminal, metrics.test);
  if (baselines.majority !== null || baselines.raw !== null || transfer !== null) terminal.print();
  for (const [name, value] of Object.entries(baselines))
    if (value !== null) terminal.print(`${name.padEnd(9)} ${percent(value)} of tokens`);
  if (transfer !== null)
    terminal.print(
      `transfer  ${transfer.verdict}: ${(100 * transfer.gain).toFixed(2)} points (95 % interval ${transfer.interval.map((end) => (100 * end).toFixed(2)).join("–")}) against ${rivalOf(transfer)}`,
    );
  terminal.print();
  terminal.print(`${output}/report.html shows it all, in ${timing.totalSeconds.toFixed(1)} s`);
  return metrics;
}

/** Settings after --arch-options: NAME=VALUE with commas between. */
function archSettings(text: string | null): Record<string, unknown> {
  return Object.fromEntries(
    (text === null ? [] : text.split(",")).map((part) => {
      const [, name = "", value = ""] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
      const option = taggerOptions[name as keyof typeof taggerOptions];
      if (option === undefined)
        throw new UsageError(
          `--arch-options: ${JSON.stringify(part)} is not NAME=VALUE with one of the settings of a tagger: ${Object.keys(taggerOptions).join(", ")}`,
        );
      if (option.type === "boolean") return [name, value === "true" || value === "yes"];
      return [name, option.type === "number" ? Number(value) : value];
    }),
  );
}

/** The encoders of a tagger, in words. */
export const taggerNames = TAGGER_NAMES.join(", ");

/** Scores RUN on tagged sentences. */
export async function evaluateTagged(
  folder: string,
  path: string,
  settings: DataSettings &
    RuntimeSettings & { readonly seed: number; readonly part: string; readonly task: string | null },
  { terminal, signal }: Common,
): Promise<TaggingMetrics> {
  const begin = performance.now();
  const runtime = await ortRuntime(runtimeSettings(settings));
  try {
    const run = await openTaggerRun(folder, { runtime, task: settings.task });
    const { config } = run;
    const whole = await readData(path, { ...settings, column: settings.column ?? config.column }, { signal });
    const rows =
      settings.part === "all" ? whole.rows : whole.rows.filter(({ split }) => split === settings.part);
    const started = performance.now();
    const test = await run.evaluate({ ...whole, rows }, { seed: settings.seed, signal });
    warnLeftOut(terminal, whole.skipped);
    printTest(terminal, test);
    const most = config.trainingCounts.indexOf(Math.max(...config.trainingCounts));
    const commonest = test.perTag.find(({ name }) => name === config.id2label[String(most)]);
    const seconds = (performance.now() - started) / 1000;
    return {
      task: "token-classification",
      classes: Object.values(config.id2label),
      test,
      baselines: { majority: (commonest?.support ?? 0) / test.tokens, raw: null, scratch: null },
      transfer: null,
      chosen: {
        backbone: config.backbone.spec,
        sha256: config.backbone.sha256,
        layer: config.layer,
        head: config.head,
        method: config.method,
      },
      timing: {
        extractSeconds: 0,
        fitSeconds: 0,
        totalSeconds: (performance.now() - begin) / 1000,
        itemsPerSecond: test.tokens / seconds,
      },
    };
  } finally {
    await runtime.close();
  }
}

/** Tags INPUT: files of tokens in the form they were read, raw texts as JSON with spans. */
export async function predictTagged(
  folder: string,
  input: string,
  settings: Omit<DataSettings, "test" | "classes"> &
    RuntimeSettings & { readonly output: string | null; readonly task: string | null },
  { terminal, signal }: Common,
): Promise<object> {
  const runtime = await ortRuntime(runtimeSettings(settings));
  try {
    const run = await openTaggerRun(folder, { runtime, task: settings.task });
    const column = settings.column ?? run.config.column;
    const { rows, skipped, format } = await inputRows(
      input,
      { ...settings, column },
      run.config.unit,
      signal,
    );
    const form = taggedForm(settings.output, format);
    const tagged = await run.tag(
      rows.map(({ tokens }) => tokens.texts),
      { onProgress: (done, total) => progressOn(terminal)("tag", done, total), signal },
    );
    const text = taggedText(rows, tagged, form, column);
    if (settings.output === null) terminal.print(text.trimEnd());
    else await writeWhole(settings.output, text);
    warnLeftOut(terminal, skipped);
    if (settings.output !== null) terminal.print(`${rows.length} sentences tagged in ${settings.output}`);
    return {
      rows: rows.length,
      tokens: rows.reduce((sum, { tokens }) => sum + tokens.texts.length, 0),
      skipped: skipped.length,
      output: settings.output,
      predictions:
        settings.output === null
          ? rows.map(({ tokens }, i) => ({ tokens: tokens.texts, tags: tagged[i]!.tags }))
          : undefined,
    };
  } finally {
    await runtime.close();
  }
}

/** Sentences of INPUT: tokens as given, or those of raw texts, a line each. */
async function inputRows(
  input: string,
  settings: Omit<DataSettings, "test" | "classes">,
  unit: "words" | "characters",
  signal: AbortSignal,
): Promise<{
  readonly rows: readonly Sentence[];
  readonly skipped: readonly string[];
  readonly format: string | undefined;
}> {
  if (input === "-") {
    const texts = await standardInputLines();
    const lines = texts.map((line, i) => textRow(`standard input line ${i + 1}`, line));
    return { rows: lines.flatMap((row) => cutRows(row, unit)), skipped: [], format: undefined };
  }
  const read = await readData(
    input,
    { ...settings, test: null, classes: null },
    { labels: "optional", signal },
  );
  const isCut = read.task === "token-classification";
  const rows = isCut
    ? read.rows.filter((row): row is Sentence => (row.tokens?.texts.length ?? 0) > 0)
    : read.rows.flatMap((row) => cutRows(row, unit));
  // Tokens in a line of JSON are written as JSON again.
  return {
    rows,
    skipped: read.skipped,
    format: isCut && extname(input) !== ".jsonl" ? read.format : undefined,
  };
}

/** The sentences of a text, cut into tokens. */
function cutRows(row: Row, unit: "words" | "characters"): Sentence[] {
  if (row.input.kind !== "text") return [];
  return sentencesOf(row.input.text).flatMap(({ text }, i) => {
    const found = segments(text, unit);
    if (found.length === 0) return [];
    const tokens = {
      texts: found.map((one) => one.text),
      tags: null,
      starts: Int32Array.from(found, ({ start }) => start),
    };
    const where = i === 0 ? row.where : `${row.where}, sentence ${i + 1}`;
    return [{ ...row, where, input: { kind: "text", text } as const, tokens }];
  });
}

function textRow(where: string, text: string): Row {
  return { where, input: { kind: "text", text }, label: null, split: null, group: null, weight: 1 };
}

/** Replays the golden sentences of RUN, or of one of its tasks. */
export async function verifyTagged(
  folder: string,
  task: string | null,
  runtime: Runtime,
  terminal: Terminal,
): Promise<TaggingReplay> {
  const label = task === null ? "" : `${task}: `;
  const run = await openTaggerRun(folder, { runtime, task });
  try {
    const replay = await run.verify();
    const { rows, largestDifference, tolerance, drifted } = replay;
    for (const { where, difference, expected, got } of drifted.slice(0, 5))
      terminal.print(
        `${label}${where}: differs by ${difference.toPrecision(3)}; expected ${expected}, got ${got}`,
      );
    terminal.print(
      drifted.length === 0
        ? `${label}${rows} golden sentences give what they gave in training (largest difference ${largestDifference.toPrecision(2)}, ${tolerance} passes)`
        : `${label}${drifted.length} of ${rows} golden sentences drifted beyond ${tolerance}: the tokens' encoding or the network is no longer the one that was trained`,
    );
    return replay;
  } finally {
    await run.close();
  }
}

function printTest(terminal: Terminal, test: TaggingTest): void {
  const range = ([low, high]: readonly [number, number]) =>
    `${(100 * low).toFixed(2)}–${(100 * high).toFixed(2)} %`;
  const exact = (share: number) => `${(100 * share).toFixed(2)} %`;
  if (test.spans !== null) {
    const { f1, precision, recall, interval, strict } = test.spans;
    terminal.print(
      `span F1   ${exact(f1)}  (precision ${exact(precision)}, recall ${exact(recall)}; 95 % interval ${range(interval)}; strict ${exact(strict.f1)})`,
    );
  }
  terminal.print(
    `accuracy  ${exact(test.accuracy)}  (of ${test.tokens} tokens in ${test.sentences} sentences; ${range(test.accuracyInterval)})`,
  );
  if (test.unseen !== null)
    terminal.print(
      `unseen    ${exact(test.unseen.accuracy)}  (of ${test.unseen.tokens} tokens; ${range(test.unseen.interval)})`,
    );
  for (const { type, precision, recall, f1, gold } of test.spans?.perType.slice(0, 30) ?? [])
    terminal.print(
      `  ${type.padEnd(12)} precision ${exact(precision)}  recall ${exact(recall)}  F1 ${exact(f1)}  ${gold} spans`,
    );
}

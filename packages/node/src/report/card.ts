import type { ReportData } from "./data.ts";
import { percent, percents } from "./format.ts";
import { scoreSentence, transferSentence } from "./headline.ts";
import { printable } from "./markup.ts";

/** What the card says beyond the report. */
export interface CardOptions {
  /** The model's name, the folder's as a rule. */
  readonly name: string;
  /** Licence identifier of the hub ("apache-2.0"), where it is known. */
  readonly licence?: string | null;
  /** Repository of the backbone on the hub ("owner/name"), where it came from there. */
  readonly baseModel?: string | null;
}

/**
 * The README.md of a RUN: a model card in the hub's format (https://huggingface.co/docs/hub/model-cards),
 * YAML front matter with the scores as a model index, then the same in words. Texts of the data are quoted in
 * YAML and escaped in Markdown.
 */
export function renderModelCard(run: ReportData, options: CardOptions): string {
  return `---\n${frontMatter(run, options)}---\n\n${body(run, options)}`;
}

function frontMatter(run: ReportData, { name, licence, baseModel }: CardOptions): string {
  const { task, test } = run;
  const lines = [
    "library_name: onnx",
    `pipeline_tag: ${task}`,
    "tags:",
    "- graft",
    "- onnx",
    "- transfer-learning",
  ];
  if (licence) lines.unshift(`license: ${quoted(licence)}`);
  if (baseModel) lines.push(`base_model: ${quoted(baseModel)}`);
  lines.push("metrics:", "- accuracy", "- f1");
  lines.push(
    "model-index:",
    `- name: ${quoted(name)}`,
    "  results:",
    "  - task:",
    `      type: ${task}`,
    "    dataset:",
    `      name: ${quoted(run.title)}`,
    '      type: "local"',
    '      split: "test"',
    "    metrics:",
  );
  const metrics: [type: string, name: string, value: number][] = [
    ["accuracy", "Accuracy", test.accuracy],
    ["f1", "Macro F1", test.macroF1],
    ["log_loss", "Log loss", test.logLoss],
    ["ece", "Expected calibration error (15 bins of equal width)", test.ece],
  ];
  for (const [type, title, value] of metrics) {
    lines.push(`    - type: ${type}`, `      name: ${quoted(title)}`, `      value: ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

function body(run: ReportData, { name, licence }: CardOptions): string {
  const { test, classes, counts } = run;
  const kind = run.task.replace("-", " ");
  const facts = Object.entries(run.chosen).filter(([, value]) => value !== null);
  const shown = classes.slice(0, 200);
  const scores: [string, string, string][] = [
    ["accuracy", percent(test.accuracy), percents(test.interval)],
    ["macro-F1", percent(test.macroF1), percents([test.intervals.macroF1.low, test.intervals.macroF1.high])],
    ["log loss", test.logLoss.toFixed(3), range(test.intervals.logLoss)],
    ["calibration error", test.ece.toFixed(3), range(test.intervals.ece)],
  ];
  const sections = [
    `# ${markdown(name)}`,
    `${capital(kind)} into ${classes.length} classes, trained with Graft on ${markdown(run.title)}: ${counts.train} training rows, ${counts.test} test rows. One ONNX graph, from preprocessed input to class probabilities.`,
    "## Result",
    `${markdown(scoreSentence(run))} ${markdown(transferSentence(run))}`,
    table(["score", "value", "95% interval"], scores),
    run.baselines.length > 0
      ? table(
          ["baseline", "accuracy", "what it is"],
          run.baselines.map((baseline) => [baseline.name, percent(baseline.accuracy), baseline.about]),
        )
      : "",
    "`report.html` has the confusion matrix, calibration, every class and the surest errors; `metrics.json` the figures.",
    "## Limits",
    limits(run),
    "## Classes",
    shown.map((c) => `\`${code(c)}\``).join(", ") +
      (shown.length < classes.length ? ` and ${classes.length - shown.length} more in config.json` : ""),
    "## What was chosen",
    table(
      ["", ""],
      facts.map(([fact, value]) => [fact, String(value)]),
    ),
    "## Use",
    fenced("graft predict THIS_FOLDER INPUT --output predictions.csv\ngraft verify THIS_FOLDER"),
    "## To do it again",
    fenced(run.command),
    licence
      ? ""
      : "The licence of the backbone and of the data was not stated; find out before passing this model on.",
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

function limits({ test, findings }: ReportData): string {
  const weakest = test.perClass
    .filter(({ support }) => support > 0)
    .sort((a, b) => a.recall - b.recall)
    .slice(0, 3)
    .map(({ name, recall, support }) => `${markdown(name)} (${percent(recall)} of ${support} rows found)`);
  const problems = findings
    .filter(({ severity }) => severity === "problem")
    .map(({ text }) => markdown(text));
  return [
    "The scores hold for data like the test part. The classes found least often:",
    `${weakest.join(", ")}.`,
    ...problems,
  ].join(" ");
}

function range({ low, high }: { readonly low: number; readonly high: number }): string {
  return `${low.toFixed(3)}–${high.toFixed(3)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(markdown).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

/** A YAML string in double quotes: JSON's escapes are YAML's, and what is no printable character is gone. */
function quoted(text: string): string {
  return JSON.stringify(printable(text));
}

/** Text of one line that Markdown and the HTML in it leave as it is. */
function markdown(text: string): string {
  return oneLine(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replace(/[\\`*_{}[\]#!|~>$]/g, (character) => `\\${character}`)
    .replace(/^(\s*)([-+]|\d+\.)(?=\s)/, "$1\\$2")
    .replace(/:\/\//g, ":\u200b//"); // a bare address would become a link
}

/** Text for a code span: without backticks, which would end it. */
function code(text: string): string {
  return oneLine(text).replaceAll("`", "ˋ").replaceAll("|", "¦");
}

/** A block of code fenced by more backticks than it holds. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}sh\n${printable(text)}\n${fence}`;
}

function oneLine(text: string): string {
  return printable(text).replace(/\s+/g, " ").trim();
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

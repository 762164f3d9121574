import { barChart } from "../report/charts/bars.ts";
import { curveChart } from "../report/charts/curves.ts";
import { confusionChart } from "../report/charts/matrix.ts";
import { figures, percent, percents, points, pointsRange, pValue, whole } from "../report/format.ts";
import type { Curves, ReportError } from "../report/index.ts";
import { html, Markup } from "../report/markup.ts";
import {
  classTable,
  errorList,
  factTable,
  scoresTable,
  section,
  table,
  timingTable,
} from "../report/sections.ts";
import { STYLE } from "../report/style.ts";
import type { MultitaskMetrics, TaskMetrics } from "./metrics.ts";

/** All that the report of several tasks shows, as plain data: RUN/report.json. */
export interface MultitaskReport {
  readonly version: 1;
  readonly kind: "multi-task";
  readonly title: string;
  readonly modality: "image" | "text";
  readonly metrics: MultitaskMetrics;
  /** One for each task with labels. */
  readonly sections: readonly {
    readonly name: string;
    readonly source: string;
    readonly metrics: TaskMetrics;
    readonly curves: Curves;
    readonly errors: readonly ReportError[];
    readonly notes: readonly string[];
  }[];
  readonly notes: readonly string[];
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The report of several tasks over one network, as one HTML page that needs nothing beside itself. */
export function renderMultitask(run: MultitaskReport): string {
  const { metrics } = run;
  const style = new Markup(`<style>${STYLE}</style>`);
  const learnt = Object.keys(metrics.tasks).length;
  const auxiliary = Object.entries(metrics.auxiliary);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${run.title}: ${learnt} tasks</title>
${style}
</head>
<body><main>
<header><h1><bdi>${run.title}</bdi></h1>
<p class="fine">${learnt} ${learnt === 1 ? "task" : "tasks"} over one network, ${metrics.chosen.trunk}${auxiliary.length > 0 && ` · ${auxiliary.length} more that only helped`}</p>
${run.sections.map(({ name, metrics: one }) => html`<p class="headline">${verdictOf(one)}<strong><bdi>${name}</bdi></strong>: ${sentence(one)}</p>`)}
${metrics.deltaP !== null && html`<p class="headline">${meanSentence(metrics.deltaP)}</p>`}</header>
${section(
  "The tasks",
  table(
    ["task", "training rows", "accuracy", "alone", "joint − alone", "95% interval"],
    run.sections.map(({ name, metrics: one }) => ({
      cells: [
        html`<bdi>${name}</bdi>${one.kept === "alone" && html` <small>alone is kept</small>`}`,
        whole(one.rows.train),
        percent(one.joint),
        one.alone === null ? "" : percent(one.alone),
        one.gain === null ? "" : points(one.gain.gain),
        one.gain === null ? "" : pointsRange(one.gain.interval),
      ],
    })),
    [1, 2, 3, 4, 5],
  ),
  html`<p class="fine">Accuracy of the joint network and of each task trained alone, on the same test rows. The test rows took no part in any choice.</p>`,
)}
<div class="grid-2">
${metrics.affinity !== null && section("Which tasks help each other", affinityTable(metrics.affinity))}
${
  auxiliary.length > 0 &&
  section(
    "Tasks that only helped",
    factTable(
      auxiliary.map(([name, { measure, heldOut }]) => [
        name,
        `${figures(heldOut.joint)} on held-out rows (${measure}); a blind guess ${figures(heldOut.baseline)}`,
      ]),
    ),
  )
}
</div>
${run.sections.map((one) => taskSection(one))}
<div class="grid-2">
${section("What was chosen", factTable(Object.entries(metrics.chosen).filter(([, value]) => value !== null)))}
${section("Time", timingTable({ ...metrics.timing }))}
${section("To do it again", html`<pre>${run.command}</pre>`, factTable(Object.entries(run.versions)))}
${run.notes.length > 0 && section("Notes", html`<ul class="findings">${run.notes.map((note) => html`<li>${note}</li>`)}</ul>`)}
</div>
</main></body>
</html>
`.text;
}

function verdictOf({ gain }: TaskMetrics): Markup | false {
  if (gain === null) return false;
  const look = { helps: "helps", hurts: "hurts", "no evidence": "doubt" }[gain.verdict];
  const words = { helps: "gains", hurts: "loses", "no evidence": "no difference shown" }[gain.verdict];
  return html`<span class="verdict ${look}">${words}</span> `;
}

/** What a task's test rows say, in a sentence or two. */
export function sentence({ test, joint, gain, kept, rows }: TaskMetrics): string {
  const right = `${percent(kept === "joint" ? joint : test.accuracy)} of ${whole(rows.test)} test rows are right (95% interval ${percents(test.interval)})`;
  if (gain === null)
    return `${right}; it was not trained alone, so this does not show what the company was worth.`;
  const claim = {
    helps: `Company helps: ${points(gain.gain)}`,
    hurts: `Company hurts: ${points(gain.gain)}`,
    "no evidence": `Company makes no difference that is shown: ${points(gain.gain)}`,
  }[gain.verdict];
  const safe = kept === "alone" ? " The network trained alone is kept: it was better on held-out rows." : "";
  return `${right}. ${claim} against training alone (95% interval ${pointsRange(gain.interval)}, ${pValue(gain.pValue)}).${safe}`;
}

function meanSentence(deltaP: number): string {
  return `Over the tasks the mean relative gain is ${deltaP < 0 ? "−" : "+"}${Math.abs(deltaP).toFixed(2)} %.`;
}

function affinityTable({
  names,
  mean,
  error,
  groups,
  looks,
}: NonNullable<MultitaskMetrics["affinity"]>): Markup {
  const signed = (value: number) => `${value < 0 ? "−" : "+"}${(100 * Math.abs(value)).toFixed(2)}`;
  return html`${table(
    ["a step for ↓ changes the loss of →", ...names],
    names.map((from, i) => ({
      cells: [
        html`<bdi>${from}</bdi>`,
        ...names.map(
          (_, j) => html`${signed(mean[i]![j]!)} <small>± ${(100 * error[i]![j]!).toFixed(2)}</small>`,
        ),
      ],
    })),
    names.map((_, k) => k + 1),
  )}<p class="fine">Percent by which a loss falls when the shared layers take one step for another task, mean and standard error of ${looks} looks. Proposed groups: ${groups.map((group) => group.join(" + ")).join("; ")}.</p>`;
}

function taskSection({
  name,
  source,
  metrics,
  curves,
  errors,
  notes,
}: MultitaskReport["sections"][number]): Markup {
  const { test, classes } = metrics;
  const chart = curveChart(curves);
  const bars = [
    {
      name: metrics.kept === "joint" ? "joint" : "this model (alone)",
      value: test.accuracy,
      interval: test.interval,
      isOurs: true,
    },
    ...(metrics.alone !== null && metrics.kept === "joint"
      ? [{ name: "alone", value: metrics.alone, interval: metrics.aloneInterval, isOurs: false }]
      : []),
    { name: "always the commonest class", value: metrics.majority, interval: null, isOurs: false },
  ];
  return html`<h2 id="${name}"><bdi>${name}</bdi> <small>${source}</small></h2>
<div class="grid-2">
${section("Against training alone", barChart(bars))}
${section("Scores on the test part", scoresTable(test))}
${section("Confusion matrix", confusionChart(test.confusion, classes), html`<p class="fine">Down: the label. Across: the prediction.</p>`)}
${section("Each class", classTable(test))}
${chart !== null && section(curves.title, chart)}
${notes.length > 0 && section("Notes", html`<ul class="findings">${notes.map((note) => html`<li>${note}</li>`)}</ul>`)}
</div>
${errors.length > 0 && section("Surest errors", errorList(errors))}`;
}

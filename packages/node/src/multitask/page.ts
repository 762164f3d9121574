import type { Interval, Scores } from "@graft-ml/core";
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
import type { TaggingTest } from "../tagging/index.ts";
import {
  confusedTable,
  sentenceBox,
  spanTable,
  TOKEN_STYLE,
  tagScores,
  tagTable,
  type WorstSentence,
} from "../tagging/report.ts";
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
    /** Of a task that tags, the test sentences with the most errors. */
    readonly worst: readonly WorstSentence[];
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
  const style = new Markup(`<style>${STYLE}${TOKEN_STYLE}</style>`);
  const learnt = Object.keys(metrics.tasks).length;
  const auxiliary = Object.entries(metrics.auxiliary);
  const compared = run.sections.some(({ metrics: one }) => one.alone !== null);
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
    [
      ...["task", "measure", "training rows", "joint"],
      ...(compared ? ["alone", "joint − alone", "95% interval"] : []),
    ],
    run.sections.map(({ name, metrics: one }) => ({
      cells: [
        html`<bdi>${name}</bdi>${one.kept === "alone" && html` <small>alone is kept</small>`}`,
        one.measure,
        whole(one.rows.train),
        percent(one.joint),
        ...(compared
          ? [
              one.alone === null
                ? ""
                : html`${percent(one.alone)}${one.gain?.against === "before" && html` <small>before</small>`}`,
              one.gain === null ? "" : points(one.gain.gain),
              one.gain === null ? "" : pointsRange(one.gain.interval),
            ]
          : []),
      ],
    })),
    [2, 3, 4, 5, 6],
  ),
  html`<p class="fine">${compared && "The joint network and each task trained alone, on the same test rows. "}The test rows took no part in any choice.</p>`,
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
  const words =
    gain.against === "before"
      ? { helps: "better than before", hurts: "forgets", "no evidence": "nothing forgotten that is shown" }
      : { helps: "gains", hurts: "loses", "no evidence": "no difference shown" };
  return html`<span class="verdict ${look}">${words[gain.verdict]}</span> `;
}

/** What a task's test rows say, in a sentence or two. */
export function sentence({ test, measure, gain, kept, rows, unkept }: TaskMetrics): string {
  const { value, interval } = headline(test);
  const right =
    measure === "F1 of spans"
      ? `F1 of the spans of ${whole(rows.test)} test sentences is ${percent(value)} (95% interval ${percents(interval)})`
      : measure === "accuracy"
        ? `${percent(value)} of ${whole(rows.test)} test rows are right (95% interval ${percents(interval)})`
        : `${percent(value)} of ${whole(test.n)} tokens in ${whole(rows.test)} test sentences are right (95% interval ${percents(interval)})`;
  if (gain === null)
    return `${right}; it was not trained alone, so this does not show what the company was worth.`;
  if (gain.against === "before") {
    const without =
      unkept === null ? "" : ` Had the trunk learnt the new labels alone, it would be ${percent(unkept)}.`;
    return `${right}. That is ${points(gain.gain)} against the earlier tagger (95% interval ${pointsRange(gain.interval)}, sentences drawn anew).${without}${kept === "alone" ? " The earlier network is kept: it was better on held-out rows." : ""}`;
  }
  const claim = {
    helps: `Company helps: ${points(gain.gain)}`,
    hurts: `Company hurts: ${points(gain.gain)}`,
    "no evidence": `Company makes no difference that is shown: ${points(gain.gain)}`,
  }[gain.verdict];
  const safe = kept === "alone" ? " The network trained alone is kept: it was better on held-out rows." : "";
  return `${right}. ${claim} against training alone (95% interval ${pointsRange(gain.interval)}${gain.pValue === null ? ", sentences drawn anew" : `, ${pValue(gain.pValue)}`}).${safe}`;
}

/** What a task is judged by: the F1 of spans where tags write some, else the accuracy. */
function headline(test: TaskMetrics["test"]): { readonly value: number; readonly interval: Interval } {
  const spans = "spans" in test ? test.spans : null;
  return spans
    ? { value: spans.f1, interval: spans.interval }
    : { value: test.accuracy, interval: test.interval };
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
  worst,
  notes,
}: MultitaskReport["sections"][number]): Markup {
  const { test, classes } = metrics;
  const chart = curveChart(curves);
  const isBefore = metrics.gain?.against === "before";
  const bars = [
    {
      name: metrics.kept === "joint" ? "joint" : "this model (alone)",
      ...headline(test),
      isOurs: true,
    },
    ...(metrics.alone !== null && metrics.kept === "joint"
      ? [
          {
            name: isBefore ? "before" : "alone",
            value: metrics.alone,
            interval: metrics.aloneInterval,
            isOurs: false,
          },
        ]
      : []),
    ...(metrics.unkept === null
      ? []
      : [{ name: "without keeping", value: metrics.unkept, interval: null, isOurs: false }]),
    { name: "always the commonest class", value: metrics.majority, interval: null, isOurs: false },
  ];
  return html`<h2 id="${name}"><bdi>${name}</bdi> <small>${source}</small></h2>
<div class="grid-2">
${section(isBefore ? "Against the earlier tagger" : metrics.alone === null ? "Against a guess" : "Against training alone", barChart(bars))}
${"spans" in test ? tagSections(test) : classSections(test, classes)}
${chart !== null && section(curves.title, chart)}
${notes.length > 0 && section("Notes", html`<ul class="findings">${notes.map((note) => html`<li>${note}</li>`)}</ul>`)}
</div>
${errors.length > 0 && section("Surest errors", errorList(errors))}
${worst.length > 0 && section("Worst sentences", html`<p class="fine">Test sentences with the most errors. Green: a tag that is right. Red: what it should be → what was given.</p>`, worst.slice(0, SHOWN).map(sentenceBox))}`;
}

/** Sentences that a task's section shows. */
const SHOWN = 8;

function classSections(test: Scores, classes: readonly string[]): Markup {
  return html`${section("Scores on the test part", scoresTable(test))}
${section("Confusion matrix", confusionChart(test.confusion, classes), html`<p class="fine">Down: the label. Across: the prediction.</p>`)}
${section("Each class", classTable(test))}`;
}

function tagSections(test: TaggingTest): Markup {
  return html`${section("Scores on the test part", tagScores(test))}
${test.spans !== null && section("Each type of span", spanTable(test.spans))}
${section("Each tag", tagTable(test.perTag))}
${test.confused.length > 0 && section("Most confused", confusedTable(test.confused))}`;
}

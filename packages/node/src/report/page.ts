import { barChart } from "./charts/bars.ts";
import { calibrationPlot } from "./charts/calibration.ts";
import { curveChart } from "./charts/curves.ts";
import { confusionChart } from "./charts/matrix.ts";
import { mapChart } from "./charts/scatter.ts";
import type { ReportData } from "./data.ts";
import { percent, percents, whole } from "./format.ts";
import { calibrationSentence, scoreSentence, startsFromNothing, transferSentence } from "./headline.ts";
import { html, Markup } from "./markup.ts";
import {
  classTable,
  confusedPairs,
  errorList,
  factTable,
  findingList,
  scoresTable,
  section,
  selectionTable,
  timingTable,
} from "./sections.ts";
import { STYLE } from "./style.ts";

/** Nothing may be fetched and nothing may run, whatever the data hold. */
export const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * The report of a run as one HTML page that needs nothing beside itself: no network, no scripts, plots as inline SVG,
 * light and dark, readable on a phone. Every text of the data is escaped. Throws where a picture is no data: URI.
 */
export function renderReport(run: ReportData): string {
  const style = new Markup(`<style>${STYLE}</style>`);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${run.title}: ${percent(run.test.accuracy)}</title>
${style}
</head>
<body><main>
${header(run)}
${evidence(run)}
${confusions(run)}
${run.errors.length > 0 && section("Surest errors", html`<p class="fine">Wrong test rows, those the model was most sure of first. A wrong label looks like this too.</p>`, errorList(run.errors))}
${training(run)}
${record(run)}
</main></body>
</html>
`;
  return page.text;
}

function header(run: ReportData): Markup {
  const { counts, transfer } = run;
  const judged = startsFromNothing(run.chosen) ? null : transfer;
  const look = judged && { helps: "helps", hurts: "hurts", "no evidence": "doubt" }[judged.verdict];
  const parts = [
    `${whole(run.classes.length)} classes`,
    `${whole(counts.train)} training rows`,
    counts.val > 0 && `${whole(counts.val)} validation`,
    `${whole(counts.test)} test`,
  ].filter((part) => part !== false);
  return html`<header><h1><bdi>${run.title}</bdi></h1>
<p class="fine">${run.task.replace("-", " ")} · ${parts.join(" · ")}</p>
<p class="headline"><strong>${scoreSentence(run)}</strong></p>
<p class="headline">${judged && html`<span class="verdict ${look}">transfer ${judged.verdict === "no evidence" ? "unproven" : judged.verdict}</span> `}${transferSentence(run)}</p>
</header>`;
}

function evidence(run: ReportData): Markup {
  const { test, baselines, crossValidation } = run;
  const bars = [
    { name: "this model", value: test.accuracy, interval: test.interval, isOurs: true },
    ...baselines.map(({ name, accuracy, interval }) => ({ name, value: accuracy, interval, isOurs: false })),
  ];
  return html`<div class="grid-2">
${section(
  "Against the baselines",
  barChart(bars),
  baselines.length > 0 && factTable(baselines.map(({ name, about }) => [name, about])),
  html`<p class="fine">Accuracy on the same ${whole(test.n)} test rows, with 95% intervals. Whether two models differ is decided by the paired test above, not by intervals that overlap.</p>`,
)}
${section(
  "Scores on the test part",
  scoresTable(test),
  crossValidation &&
    html`<p>Over all ${whole(crossValidation.rows)} rows, ${crossValidation.repeats} times ${crossValidation.folds} folds: accuracy ${percent(crossValidation.accuracy.mean)} (95% interval ${percents(crossValidation.accuracy.interval)}), log loss ${crossValidation.logLoss.mean.toFixed(3)}.</p>`,
  test.groups !== null &&
    html`<p class="fine">Rows hang together in ${whole(test.groups)} groups; the intervals draw whole groups.</p>`,
)}
</div>`;
}

function confusions(run: ReportData): Markup {
  const { test, classes } = run;
  const pairs = confusedPairs(test, classes);
  const matrix = section(
    "Confusion matrix",
    confusionChart(test.confusion, classes),
    html`<p class="fine">Down: the label. Across: the prediction. Shades are shares of the row.</p>`,
    pairs && html`<h3>Most confused</h3>${pairs}`,
  );
  const calibration = section(
    "Calibration",
    calibrationPlot(test.reliability),
    html`<p class="fine">${calibrationSentence(test)}</p>`,
  );
  const map =
    run.map &&
    section(
      "Map of the test features",
      mapChart(run.map, classes),
      html`<p class="fine">${run.map.method}. Colour: the label. Cross: predicted wrongly. What is near is alike; how far apart groups lie means little.</p>`,
    );
  const each = section("Each class", classTable(test));
  const isWide = classes.length > 8;
  return isWide
    ? html`${matrix}<div class="grid-2">${calibration}${map}</div>${each}`
    : html`<div class="grid-2">${matrix}${calibration}${map}${each}</div>`;
}

function training(run: ReportData): Markup | false {
  const drawn = run.curves.map((curves) => ({ title: curves.title, chart: curveChart(curves) }));
  const boxes = drawn.filter(({ chart }) => chart !== null).map(({ title, chart }) => section(title, chart));
  if (run.selection !== null) boxes.unshift(section("What was tried", selectionTable(run.selection)));
  return boxes.length > 0 && html`<div class="grid-2">${boxes}</div>`;
}

function record(run: ReportData): Markup {
  const chosen = Object.entries(run.chosen).filter(([, value]) => value !== null);
  return html`<div class="grid-2">
${section("The data", findingList(run), run.notes.length > 0 && html`<ul class="findings">${run.notes.map((note) => html`<li>${note}</li>`)}</ul>`)}
${section("What was chosen", factTable(chosen))}
${Object.keys(run.timing).length > 0 && section("Time", timingTable(run.timing))}
${section("To do it again", html`<pre>${run.command}</pre>`, factTable(Object.entries(run.versions)))}
</div>`;
}

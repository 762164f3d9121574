import type { Scores } from "@graft-ml/core";
import type { ReportData, ReportError, Selection } from "./data.ts";
import { figures, percent, percents, timed, whole } from "./format.ts";
import { type Content, html, type Markup, pictureUri } from "./markup.ts";

/** A titled box of the page. */
export function section(title: string, ...content: readonly Content[]): Markup {
  return html`<section><h2>${title}</h2>${content}</section>`;
}

/** A table; columns named in `numbers` (by position) are aligned right. */
export function table(
  head: readonly string[],
  rows: readonly { readonly cells: readonly Content[]; readonly isChosen?: boolean }[],
  numbers: readonly number[],
): Markup {
  const align = (i: number) => numbers.includes(i) && html` class="n"`;
  return html`<div class="scroll"><table>${
    head.length > 0 &&
    html`<thead><tr>${head.map((name, i) => html`<th${align(i)}>${name}</th>`)}</tr></thead>`
  }<tbody>
${rows.map(
  ({ cells, isChosen }) =>
    html`<tr${isChosen && html` class="chosen"`}>${cells.map((cell, i) => html`<td${align(i)}>${cell}</td>`)}</tr>\n`,
)}</tbody></table></div>`;
}

/** Every score of the test part with its interval and what is good. */
export function scoresTable(test: Scores): Markup {
  const { intervals } = test;
  const shares = (name: "accuracy" | "macroF1") => percents([intervals[name].low, intervals[name].high]);
  const plain = (name: "ece" | "logLoss" | "brier") =>
    `${intervals[name].low.toFixed(3)}–${intervals[name].high.toFixed(3)}`;
  const rows: Content[][] = [
    ["accuracy", percent(test.accuracy), shares("accuracy"), "rows that are right"],
    ["macro-F1", percent(test.macroF1), shares("macroF1"), "mean F1 of the classes, each counting alike"],
  ];
  if (test.spanF1 !== null) rows.push(["span F1", percent(test.spanF1), "", "entities exactly right"]);
  if (test.top5 !== null) rows.push(["top 5", percent(test.top5), "", "label among the five likeliest"]);
  rows.push(
    ["log loss", test.logLoss.toFixed(3), plain("logLoss"), "nats; lower is better"],
    ["Brier score", test.brier.toFixed(3), plain("brier"), "0 to 2; lower is better"],
    [
      "calibration error",
      test.ece.toFixed(3),
      plain("ece"),
      `15 bins of equal width; ${test.eceByChance.mean.toFixed(3)} by chance alone`,
    ],
  );
  return table(
    ["score", "value", "95% interval"],
    rows.map(([name, value, interval, what]) => ({
      cells: [html`${name} <small>${what}</small>`, value, interval],
    })),
    [1, 2],
  );
}

/** Precision, recall and F1 of each class. */
export function classTable(test: Scores): Markup {
  const rows = test.perClass.map(({ name, precision, recall, recallInterval, f1, support }) => ({
    cells: [
      html`<bdi>${name}</bdi>`,
      percent(precision),
      percent(recall),
      recallInterval && percents(recallInterval),
      percent(f1),
      whole(support),
    ],
  }));
  const drawn = table(["class", "precision", "recall", "95% interval", "F1", "rows"], rows, [1, 2, 3, 4, 5]);
  return rows.length > 20
    ? html`<details open><summary>${rows.length} classes</summary>${drawn}</details>`
    : drawn;
}

/** The pairs of classes taken for one another most often; null where there was no error. */
export function confusedPairs(test: Scores, classes: readonly string[]): Markup | null {
  const pairs = test.confusion
    .flatMap((row, i) => row.map((count, j) => ({ count, i, j, total: test.perClass[i]!.support })))
    .filter(({ count, i, j }) => count > 0 && i !== j)
    .sort((a, b) => b.count - a.count || a.i - b.i || a.j - b.j)
    .slice(0, 10);
  if (pairs.length === 0) return null;
  return table(
    ["label", "taken for", "rows", "of the label"],
    pairs.map(({ count, i, j, total }) => ({
      cells: [
        html`<bdi>${classes[i]}</bdi>`,
        html`<bdi>${classes[j]}</bdi>`,
        whole(count),
        percent(count / total),
      ],
    })),
    [2, 3],
  );
}

/** What was tried, best first as given, with the choice in bold. */
export function selectionTable({ measure, candidates }: Selection): Markup {
  const hasNotes = candidates.some(({ note }) => note !== "");
  return html`${table(
    ["candidate", "score", "95% interval", ...(hasNotes ? [""] : [])],
    candidates.map(({ name, score, interval, isChosen, note }) => ({
      isChosen,
      cells: [
        html`${name}${isChosen && " ✓"}`,
        figures(score),
        interval && `${figures(interval[0])}–${figures(interval[1])}`,
        ...(hasNotes ? [html`<span class="fine">${note}</span>`] : []),
      ],
    })),
    [1, 2],
  )}<p class="fine">${measure}. The test part took no part in the choice.</p>`;
}

/** The wrong rows the model was surest of, with pictures or texts. */
export function errorList(errors: readonly ReportError[]): Markup {
  const isText = errors.every(({ image }) => image === null);
  return html`<ul class="errors${isText && " texts"}">${errors.map(
    ({ where, label, predicted, confidence, labelProbability, image, text }) => html`
<li>${image !== null && html`<img alt="${where}" src="${pictureUri(image, where)}">`}${
      text !== null && html`<q><bdi>${text}</bdi></q>`
    }<div class="told"><bdi>${predicted}</bdi> ${percent(confidence)}</div><div>is <bdi>${label}</bdi> ${percent(labelProbability)}</div><div class="fine">${where}</div></li>`,
  )}</ul>`;
}

/** Problems and notes about the data; says so where there are none. */
export function findingList({ findings }: ReportData): Markup {
  if (findings.length === 0) return html`<p>Nothing was found that speaks against the scores.</p>`;
  return html`<ul class="findings">${findings.map(
    ({ severity, text, examples }) => html`
<li class="${severity}">${severity === "problem" && html`<strong>Problem: </strong>`}${text}${
      examples.length > 0 &&
      html`<details><summary>${examples.length} examples</summary>${examples.map((e) => html`<div class="fine">${e}</div>`)}</details>`
    }</li>`,
  )}</ul>`;
}

/** Names and values, one a line. */
export function factTable(facts: readonly (readonly [string, Content])[]): Markup {
  return table(
    [],
    facts.map(([name, value]) => ({ cells: [html`<span class="fine">${name}</span>`, value] })),
    [],
  );
}

/** Seconds and rates. */
export function timingTable(timing: ReportData["timing"]): Markup {
  return factTable(Object.entries(timing).map(([name, value]) => timed(name, value)));
}

import { spansOf } from "@graft-ml/core";
import { barChart } from "../report/charts/bars.ts";
import { curveChart } from "../report/charts/curves.ts";
import { percent, percents, points, pointsRange, whole } from "../report/format.ts";
import { type Content, html, Markup } from "../report/markup.ts";
import { factTable, section, timingTable } from "../report/sections.ts";
import { STYLE } from "../report/style.ts";
import type { TaggingMetrics, TaggingTest, TaggingTransfer } from "./metrics.ts";
import type { TaggedSentence } from "./open-tagger-run.ts";
import type { Sentence } from "./sentences.ts";

/** All that the report of a tagger shows, as plain data: RUN/report.json. */
export interface TaggingReport {
  readonly version: 1;
  readonly task: "token-classification";
  readonly title: string;
  readonly metrics: TaggingMetrics;
  /** Sentences of each part. */
  readonly counts: { readonly train: number; readonly held: number; readonly test: number };
  readonly config: {
    readonly scheme: string | null;
    readonly arch: string;
    readonly head: string;
    readonly reason: string;
    readonly chosen: Readonly<Record<string, string | number>>;
  };
  /** Score on held-out sentences after each epoch. */
  readonly curve: readonly number[];
  readonly worst: readonly WorstSentence[];
  readonly notes: readonly string[];
  readonly skipped: readonly string[];
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** A sentence with many errors, token by token. */
export interface WorstSentence {
  readonly where: string;
  readonly tokens: readonly string[];
  readonly gold: readonly string[];
  readonly predicted: readonly string[];
  readonly probabilities: readonly number[];
}

const WORST = 20;
/** Tokens of a sentence that are shown. */
const SHOWN = 80;

/** The sentences with the most errors, the surest of them first among equals. */
export function worstSentences(
  rows: readonly Sentence[],
  tagged: readonly TaggedSentence[],
): WorstSentence[] {
  return rows
    .map(({ where, tokens }, i) => {
      const { tags, probabilities } = tagged[i]!;
      let errors = 0;
      let sure = 0;
      for (const [t, tag] of tags.entries())
        if (tag !== tokens.tags![t]) {
          errors++;
          sure += probabilities[t]!;
        }
      return { where, tokens, tags, probabilities, errors, sure };
    })
    .filter(({ errors }) => errors > 0)
    .sort((a, b) => b.errors - a.errors || b.sure - a.sure)
    .slice(0, WORST)
    .map(({ where, tokens, tags, probabilities }) => ({
      where,
      tokens: tokens.texts.slice(0, SHOWN),
      gold: tokens.tags!.slice(0, SHOWN),
      predicted: tags.slice(0, SHOWN),
      probabilities: Array.from(probabilities.slice(0, SHOWN), (p) => Number(p.toFixed(3))),
    }));
}

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** Tokens: right spans, missed, wrong and invented ones each have a look. */
export const TOKEN_STYLE = `
.sentence{line-height:2.3}.sentence span,.sentence s{display:inline-block;padding:0 .25em;margin:0 .06em;border-radius:4px;line-height:1.35;vertical-align:top}
.sentence i{display:block;font-style:normal;font-size:.68rem;color:var(--soft);line-height:1.1}
.sentence .hit{background:color-mix(in srgb,var(--good) 20%,transparent)}.sentence .miss{background:color-mix(in srgb,var(--wrong) 26%,transparent)}
.sentence .miss i{color:var(--bad)}.sentence s{text-decoration:none;color:var(--soft)}td bdi{white-space:nowrap}
`;

/** The report of a tagger as one HTML page that needs nothing beside itself; every text of the data is escaped. */
export function renderTaggingReport(report: TaggingReport): string {
  const { metrics, counts, config } = report;
  const { test, baselines, transfer, chosen } = metrics;
  const headline = test.spans === null ? test.accuracy : test.spans.f1;
  const interval = test.spans === null ? test.accuracyInterval : test.spans.interval;
  const rivals = Object.entries(baselines)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => ({ name, value: value!, interval: null, isOurs: false }));
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${report.title}: ${percent(headline)}</title>
${new Markup(`<style>${STYLE}${TOKEN_STYLE}</style>`)}
</head>
<body><main>
<header><h1><bdi>${report.title}</bdi></h1>
<p class="fine">token classification · ${whole(metrics.classes.length)} tags${config.scheme !== null && ` in ${config.scheme}`} · ${whole(counts.train)} training sentences · ${whole(counts.held)} held out · ${whole(counts.test)} test</p>
<p class="headline"><strong>${
    test.spans === null
      ? `${whole(Math.round(test.accuracy * test.tokens))} of ${whole(test.tokens)} test tokens are right: ${percent(test.accuracy)}`
      : `F1 of ${whole(test.spans.gold)} spans: ${percent(test.spans.f1)}`
  } (95% interval ${percents(interval)}, sentences drawn anew).</strong></p>
${transfer !== null && html`<p class="headline"><span class="verdict ${{ helps: "helps", hurts: "hurts", "no evidence": "doubt" }[transfer.verdict]}">transfer ${transfer.verdict === "no evidence" ? "unproven" : transfer.verdict}</span> ${points(transfer.gain)} over ${rivalOf(transfer)} (95% interval ${pointsRange(transfer.interval)}).</p>`}
</header>
<div class="grid-2">
${section("Scores on the test part", tagScores(metrics.test))}
${
  rivals.length > 0 &&
  section(
    "Against the baselines",
    barChart([
      { name: "this model", value: test.accuracy, interval: test.accuracyInterval, isOurs: true },
      ...rivals,
    ]),
    html`<p class="fine">Accuracy by token. majority: always the commonest tag; raw: the commonest tag of each word${transfer !== null && `; scratch: ${rivalOf(transfer)}`}.</p>`,
  )
}
</div>
<div class="grid-2">
${test.spans !== null && section("Each type of span", spanTable(test.spans))}
${section("Each tag", tagTable(test.perTag))}
${test.confused.length > 0 && section("Most confused", confusedTable(test.confused))}
</div>
${report.worst.length > 0 && section("Worst sentences", html`<p class="fine">Test sentences with the most errors. Green: a tag that is right. Red: what it should be → what was given. A wrong label looks like this too.</p>`, report.worst.map(sentenceBox))}
<div class="grid-2">
${report.curve.length > 1 && section("Held-out score by epoch", curveChart({ title: "", x: "epochs", y: test.spans === null ? "accuracy" : "F1", isLogarithmic: false, series: [{ name: "held-out sentences", points: report.curve.map((score, epoch) => [epoch + 1, score] as const) }] }))}
${section("What was chosen", factTable([...Object.entries(chosen).filter(([, value]) => value !== null), ...Object.entries(config.chosen)] as [string, Content][]), html`<p class="fine">${config.reason}.</p>`)}
${section("The data", report.notes.length + report.skipped.length === 0 ? html`<p>Nothing was found that speaks against the scores.</p>` : html`<ul class="findings">${report.notes.map((note) => html`<li>${note}</li>`)}${report.skipped.map((one) => html`<li class="problem">left out: ${one}</li>`)}</ul>`)}
${section("Time", timingTable({ ...metrics.timing }))}
${section("To do it again", html`<pre>${report.command}</pre>`, factTable(Object.entries(report.versions)))}
</div>
</main></body>
</html>
`;
  return page.text;
}

/** What a transfer is compared with, in words. */
export function rivalOf({ against }: Pick<TaggingTransfer, "against">): string {
  return against === "linear" ? "a linear tagger without transfer" : "the same network from nothing";
}

/** Scores of tagged sentences with their intervals. */
export function tagScores(test: TaggingTest): Markup {
  const rows: [string, Content][] = [
    [
      "accuracy by token",
      html`${percent(test.accuracy)} <span class="fine">${percents(test.accuracyInterval)}</span>`,
    ],
  ];
  if (test.spans !== null) {
    const { precision, recall, f1, interval, strict } = test.spans;
    rows.unshift(
      ["F1 of spans, conlleval", html`${percent(f1)} <span class="fine">${percents(interval)}</span>`],
      ["precision, recall", `${percent(precision)}, ${percent(recall)}`],
      ["F1 of spans, strict", percent(strict.f1)],
    );
  }
  if (test.unseen !== null)
    rows.push([
      `on ${whole(test.unseen.tokens)} unseen tokens`,
      html`${percent(test.unseen.accuracy)} <span class="fine">${percents(test.unseen.interval)}</span>`,
    ]);
  rows.push(
    ["sentences without an error", percent(test.sentenceAccuracy)],
    ["macro-F1 of tags", percent(test.macroF1)],
    ["calibration error", test.ece.toFixed(3)],
  );
  return html`${factTable(rows)}${test.spans !== null && html`<p class="fine">Invalid sequences are read as conlleval reads them: what continues nothing begins a span. Strictly, such spans are none.</p>`}`;
}

function table(head: readonly string[], rows: readonly (readonly Content[])[]): Markup {
  return html`<div class="scroll"><table><thead><tr>${head.map((name, i) => html`<th${i > 0 && html` class="n"`}>${name}</th>`)}</tr></thead><tbody>${rows.map((cells) => html`<tr>${cells.map((cell, i) => html`<td${i > 0 && html` class="n"`}>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** A row for each type of span. */
export function spanTable(spans: NonNullable<TaggingMetrics["test"]["spans"]>): Markup {
  return table(
    ["type", "precision", "recall", "F1", "spans"],
    spans.perType.map(({ type, precision, recall, f1, gold }) => [
      html`<bdi>${type}</bdi>`,
      percent(precision),
      percent(recall),
      percent(f1),
      whole(gold),
    ]),
  );
}

/** A row for each tag. */
export function tagTable(tags: TaggingMetrics["test"]["perTag"]): Markup {
  return table(
    ["tag", "precision", "recall", "F1", "tokens"],
    tags.map(({ name, precision, recall, f1, support }) => [
      html`<bdi>${name}</bdi>`,
      percent(precision),
      percent(recall),
      percent(f1),
      whole(support),
    ]),
  );
}

/** Which tags were given for which. */
export function confusedTable(confused: TaggingMetrics["test"]["confused"]): Markup {
  return table(
    ["should be → was given", "tokens"],
    confused
      .slice(0, 15)
      .map(({ gold, predicted, tokens }) => [
        html`<bdi>${gold}</bdi> → <bdi>${predicted}</bdi>`,
        whole(tokens),
      ]),
  );
}

/** A sentence with what was asked and given at each token. */
export function sentenceBox({ where, tokens, gold, predicted }: WorstSentence): Markup {
  const hasSpans = spansOf(gold).length + spansOf(predicted).length > 0;
  return html`<p class="sentence">${tokens.map((token, t) => {
    const [asked, given] = [gold[t]!, predicted[t]!];
    if (asked !== given) return html`<span class="miss"><bdi>${token}</bdi><i>${asked} → ${given}</i></span>`;
    if (hasSpans && asked === "O") return html`<s><bdi>${token}</bdi></s> `;
    return html`<span class="hit"><bdi>${token}</bdi><i>${asked}</i></span>`;
  })} <span class="fine">${where}</span></p>`;
}

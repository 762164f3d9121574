import { curveChart } from "../report/charts/curves.ts";
import { html, Markup } from "../report/markup.ts";
import { factTable, section, timingTable } from "../report/sections.ts";
import { STYLE } from "../report/style.ts";
import type { RunConfig } from "../runs/config.ts";
import type { PretrainMetrics } from "./write-pretraining.ts";

/** What the page of a pretraining without labels shows, as plain data: RUN/report.json. */
export interface PretrainingPage {
  readonly version: 1;
  readonly kind: "pretraining";
  readonly title: string;
  /** The objective, and the baseline, in words. */
  readonly about: string;
  readonly baseline: string;
  readonly command: string;
  /** Loss of held-out rows: of the start, then after each epoch. */
  readonly heldOut: readonly number[];
  readonly config: RunConfig;
  readonly metrics: PretrainMetrics;
  readonly notes: readonly string[];
}

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The report of a pretraining without labels, as one HTML page that needs nothing beside itself. */
export function renderPretraining(page: PretrainingPage): string {
  const { title, about, config, metrics, notes, heldOut } = page;
  const chart = curveChart({
    title: "Loss",
    x: "epochs",
    y: metrics.measure,
    isLogarithmic: false,
    series: [
      { name: "training", points: metrics.losses.map((loss, i) => [i + 1, loss] as const) },
      ...(heldOut.length === 0
        ? []
        : [{ name: "held out", points: heldOut.map((loss, i) => [i, loss] as const) }]),
    ],
  });
  const style = new Markup(`<style>${STYLE}</style>`);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title}: ${metrics.objective}</title>
${style}
</head>
<body><main>
<header><h1><bdi>${title}</bdi></h1>
<p class="fine">pretraining without labels · ${metrics.rows.train} training rows · ${metrics.rows.heldOut} held out</p>
<p class="headline"><strong>${config.backbone.name} learnt ${about}.</strong></p>
<p class="headline">${sentence(page)}</p></header>
<div class="grid-2">
${chart !== null && section("Loss", chart)}
${section("What was chosen", factTable(Object.entries(config.chosen)))}
${section("The data", html`<ul class="findings">${notes.map((note) => html`<li>${note}</li>`)}</ul>`)}
${section("Time", timingTable({ ...metrics.timing }))}
${section("To do it again", html`<pre>${page.command}</pre>`)}
</div>
</main></body>
</html>
`.text;
}

function sentence({ metrics, baseline }: PretrainingPage): string {
  if (metrics.heldOut === null) return "No rows were held out, so this does not show how well it learnt.";
  const { start, end, baseline: least } = metrics.heldOut;
  const verdict = end < least ? "less than" : "no less than";
  return `Held-out rows cost ${end.toPrecision(4)} (${metrics.measure}); ${start.toPrecision(4)} before training, and ${verdict} ${least.toPrecision(4)}, the cost of ${baseline}.`;
}

import { type ReliabilityBin, wilsonInterval } from "@graft-ml/core";
import { percent, whole } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { linear } from "./axes.ts";

const WIDTH = 440;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 430, 10, 300];
const [COUNT_TOP, COUNT_BOTTOM] = [322, 372];

/** How often the model is right against how sure it was, with Wilson intervals, and how many rows each bin has. */
export function calibrationPlot(bins: readonly ReliabilityBin[]): Markup {
  const x = linear(0, 1, LEFT, RIGHT);
  const y = linear(0, 1, BOTTOM, TOP);
  const most = Math.max(...bins.map(({ count }) => count));
  const bar = linear(0, most, 0, COUNT_BOTTOM - COUNT_TOP);
  return html`<svg viewBox="0 0 ${WIDTH} 408" role="img" aria-label="Calibration plot: share right against confidence">
${[0, 0.25, 0.5, 0.75, 1].map(
  (t) => html`<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${y(t)}" y2="${y(t)}"/>
<text class="tick" x="${LEFT - 5}" y="${y(t) + 4}" text-anchor="end">${percent(t, 0)}</text>
<text class="tick" x="${x(t)}" y="${COUNT_BOTTOM + 14}" text-anchor="${t === 1 ? "end" : "middle"}">${percent(t, 0)}</text>`,
)}
<line class="ideal" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}"/>
${bins.map(({ from, to, count, confidence, accuracy }) => {
  const [low, high] = wilsonInterval(Math.round(accuracy * count), count);
  const told = `${whole(count)} rows from ${percent(from, 0)} to ${percent(to, 0)} sure, ${percent(confidence)} on average: ${percent(accuracy)} right`;
  return html`<g><title>${told}</title>
<line class="whisker" x1="${x(confidence)}" x2="${x(confidence)}" y1="${y(low)}" y2="${y(high)}"/>
<circle class="ours" cx="${x(confidence)}" cy="${y(accuracy)}" r="4.5"/>
<rect class="bar" x="${x(from) + 1}" width="${Math.max(1, x(to) - x(from) - 2)}" y="${COUNT_BOTTOM - bar(count)}" height="${bar(count)}"/></g>`;
})}
<text class="tick" x="${LEFT - 5}" y="${COUNT_TOP + 8}" text-anchor="end">${whole(most)}</text>
<text class="tick" x="${LEFT - 5}" y="${COUNT_BOTTOM}" text-anchor="end">0</text>
<text class="label" x="${(LEFT + RIGHT) / 2}" y="404" text-anchor="middle">confidence (above: share right; below: rows)</text>
</svg>`;
}

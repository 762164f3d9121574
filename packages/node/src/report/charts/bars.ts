import { percent, percents, shortened } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { linear } from "./axes.ts";

/** A bar of a share, its interval as a whisker. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly interval: readonly [number, number] | null;
  readonly isOurs: boolean;
}

const WIDTH = 440;
const ROW = 44;

/** Horizontal bars from 0 to 100 %, each with its name and figure above it. */
export function barChart(bars: readonly Bar[]): Markup {
  const x = linear(0, 1, 2, WIDTH - 2);
  const height = bars.length * ROW + 18;
  const label = `Accuracy: ${bars.map(({ name, value }) => `${name} ${percent(value)}`).join(", ")}`;
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">
${[0, 0.25, 0.5, 0.75, 1].map(
  (t) => html`<line class="grid" x1="${x(t)}" x2="${x(t)}" y1="0" y2="${height - 16}"/>
<text class="tick" x="${x(t)}" y="${height - 3}" text-anchor="${t === 0 ? "start" : t === 1 ? "end" : "middle"}">${percent(t, 0)}</text>`,
)}
${bars.map(({ name, value, interval, isOurs }, i) => {
  const y = i * ROW;
  return html`<text class="${isOurs ? "strong" : "label"}" x="2" y="${y + 15}">${shortened(name, 34)}</text>
<text class="${isOurs ? "strong" : "label"}" x="${WIDTH - 2}" y="${y + 15}" text-anchor="end">${percent(value)}</text>
<rect class="${isOurs ? "ours" : "bar"}" x="2" y="${y + 21}" width="${Math.max(0, x(value) - 2)}" height="14" rx="2"><title>${name}: ${percent(value)}${interval && ` (${percents(interval)})`}</title></rect>
${
  interval &&
  html`<path class="whisker" d="M${x(interval[0])} ${y + 28}H${x(interval[1])}M${x(interval[0])} ${y + 24}v8M${x(interval[1])} ${y + 24}v8"/>`
}`;
})}
</svg>`;
}

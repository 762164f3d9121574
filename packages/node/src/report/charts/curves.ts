import type { Curves } from "../data.ts";
import { figures } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { linear, logarithmic, ticks } from "./axes.ts";
import { classColours } from "./colours.ts";

const WIDTH = 440;
const HEIGHT = 300;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 428, 10, 256];

/** Lines with their intervals as bands, and a legend below. */
export function curveChart({ x: xName, y: yName, isLogarithmic, series }: Curves): Markup | null {
  const points = series.flatMap((line) => line.points).filter((point) => point.every(Number.isFinite));
  const lowX = Math.min(...points.map(([x]) => x));
  const highX = Math.max(...points.map(([x]) => x));
  const ys = points.flatMap(([, ...values]) => values);
  if (points.length === 0) return null;
  const [lowY, highY] = padded(Math.min(...ys), Math.max(...ys));
  const isLog = isLogarithmic && lowX > 0 && highX > lowX;
  const x = (isLog ? logarithmic : linear)(lowX, highX, LEFT + 6, RIGHT - 6);
  const y = linear(lowY, highY, BOTTOM, TOP);
  const colours = classColours(series.length);
  // There is no half of an epoch.
  const isCounted = points.every(([at]) => Number.isInteger(at));
  const marks = isLog
    ? [...new Set(points.map(([at]) => at))].sort((a, b) => a - b)
    : ticks(lowX, highX, 6).filter((at) => !isCounted || Number.isInteger(at));
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${yName} by ${xName}">
${ticks(lowY, highY).map(
  (t) => html`<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${y(t)}" y2="${y(t)}"/>
<text class="tick" x="${LEFT - 5}" y="${y(t) + 4}" text-anchor="end">${figures(t)}</text>`,
)}
${spaced(marks, x).map(
  (t) =>
    html`<text class="tick" x="${x(t)}" y="${BOTTOM + 17}" text-anchor="${x(t) > RIGHT - 20 ? "end" : "middle"}">${figures(t)}</text>`,
)}
${series.map(({ name, points: line }, s) => {
  const finite = line.filter((point) => point.every(Number.isFinite));
  const banded = finite.filter((point) => point.length === 4);
  const edge = [
    ...banded.map((point) => `${x(point[0])} ${y(point[2]!)}`),
    ...banded.map((point) => `${x(point[0])} ${y(point[3]!)}`).reverse(),
  ];
  return html`${banded.length > 1 && html`<path d="M${edge.join("L")}Z" fill="${colours[s]}" fill-opacity="0.16"/>`}
<path class="line" d="M${finite.map((point) => `${x(point[0])} ${y(point[1])}`).join("L")}" stroke="${colours[s]}"><title>${name}</title></path>
${finite.length <= 40 && finite.map((point) => html`<circle cx="${x(point[0])}" cy="${y(point[1])}" r="3" fill="${colours[s]}"><title>${name}, ${xName} ${figures(point[0])}: ${figures(point[1])}</title></circle>`)}`;
})}
<text class="label" x="${(LEFT + RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${xName}</text>
</svg>
<p class="legend">${series.map(({ name }, s) => html`<span><i style="background:${colours[s]}"></i>${name}</span> `)}<span class="fine">${yName}</span></p>`;
}

function padded(low: number, high: number): [number, number] {
  const room = (high - low) * 0.06 || Math.abs(low) * 0.1 || 1;
  return [low - room, high + room];
}

/** Marks whose numbers do not overlap. */
function spaced(marks: readonly number[], x: (value: number) => number): number[] {
  const kept: number[] = [];
  for (const mark of marks) if (kept.length === 0 || x(mark) - x(kept.at(-1)!) > 34) kept.push(mark);
  return kept;
}

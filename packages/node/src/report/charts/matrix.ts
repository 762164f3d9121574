import { percent, shortened, whole } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { round } from "./axes.ts";

/** Classes beyond which the matrix shows only those with the most errors. */
const MOST = 60;

/** The confusion matrix as a heat map: rows are labels, columns predictions, shades the share of the row. */
export function confusionChart(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
): Markup {
  const shown = mostConfused(confusion, MOST);
  const n = shown.length;
  const cell = n <= 6 ? 56 : n <= 12 ? 40 : n <= 24 ? 26 : 16;
  const letters = n <= 12 ? 16 : 20;
  const font = Math.min(13, cell - 4);
  const names = shown.map((c) => shortened(classes[c]!, letters));
  const longest = Math.max(...names.map(widthOf));
  const gutter = Math.ceil(longest * font * 0.56) + 12;
  const tilt = Math.ceil(gutter * 0.75) + 8;
  const width = gutter + n * cell + Math.ceil(gutter * 0.6);
  const height = tilt + n * cell + 6;
  return html`<div class="scroll"><svg class="fixed" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" style="font-size:${font}px" role="img" aria-label="Confusion matrix">
${shown.map((row, i) => {
  const total = confusion[row]!.reduce((sum, count) => sum + count, 0);
  const y = tilt + i * cell;
  return html`<text class="name" x="${gutter - 6}" y="${round(y + cell / 2 + font * 0.36)}" text-anchor="end"><title>${classes[row]}</title>${names[i]}</text>
<text class="name" transform="translate(${round(gutter + (i + 0.5) * cell + font * 0.3)} ${tilt - 6}) rotate(-50)"><title>${classes[row]}</title>${names[i]}</text>
<rect class="empty" x="${gutter}" y="${y}" width="${n * cell - 1}" height="${cell - 1}"/>
${shown.map((column, j) => {
  const count = confusion[row]![column]!;
  if (count === 0) return null;
  const share = count / total;
  const x = gutter + j * cell;
  const told = `${classes[row]} predicted as ${classes[column]}: ${whole(count)} of ${whole(total)} (${percent(share)})`;
  return html`<rect class="${row === column ? "right" : "wrong"}" x="${x}" y="${y}" width="${cell - 1}" height="${cell - 1}" fill-opacity="${round(10 * (0.12 + 0.88 * Math.sqrt(share))) / 10}"><title>${told}</title></rect>${
    cell >= 26 &&
    html`<text class="count${share > 0.3 ? " dark" : ""}" x="${round(x + cell / 2 - 0.5)}" y="${round(y + cell / 2 + font * 0.36)}" text-anchor="middle" pointer-events="none">${count}</text>`
  }`;
})}`;
})}
</svg></div>${n < classes.length && html`<p class="fine">The ${n} of ${classes.length} classes with the most errors.</p>`}`;
}

/** Up to `most` classes in their own order; beyond that, those that give or receive the most errors. */
function mostConfused(confusion: readonly (readonly number[])[], most: number): number[] {
  const all = confusion.map((_, c) => c);
  if (all.length <= most) return all;
  const errors = all.map((c) =>
    all.reduce((sum, k) => sum + (k === c ? 0 : confusion[c]![k]! + confusion[k]![c]!), 0),
  );
  return all
    .sort((a, b) => errors[b]! - errors[a]! || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** Rough width of a name in letters: ideographs and kana take two. */
function widthOf(name: string): number {
  return [...name].reduce(
    (sum, c) =>
      sum +
      (/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/.test(c) ? 1.8 : 1),
    0,
  );
}

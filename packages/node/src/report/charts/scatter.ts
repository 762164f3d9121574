import type { ReportMap } from "../data.ts";
import { html, type Markup } from "../markup.ts";
import { linear } from "./axes.ts";
import { classColours } from "./colours.ts";

/** The map of test rows: a dot where the model is right, a cross where it is wrong, coloured by the label. */
export function mapChart(map: ReportMap, classes: readonly string[]): Markup {
  const colours = classColours(classes.length);
  const place = linear(0, 1, 10, 430);
  const radius = map.rows.length > 300 ? 3 : 4;
  const present = [...new Set(map.labels)].sort((a, b) => a - b);
  const mark = (_: number, i: number) => {
    const label = map.labels[i]!;
    const predicted = map.predicted[i]!;
    const [x, y] = [place(map.x[i]!), place(1 - map.y[i]!)];
    return label === predicted
      ? html`<circle cx="${x}" cy="${y}" r="${radius}" fill="${colours[label]}"><title>${classes[label]}</title></circle>`
      : html`<path class="cross" d="M${x - 4} ${y - 4}l8 8m0 -8l-8 8" stroke="${colours[label]}"><title>${classes[label]}, predicted as ${classes[predicted]}</title></path>`;
  };
  const legend = html`<p class="legend">${present.map((c) => html`<span><i style="background:${colours[c]}"></i><bdi>${classes[c]}</bdi></span> `)}</p>`;
  return html`<svg class="map" viewBox="0 0 440 440" role="img" aria-label="Map of test features">
${map.rows.map(mark)}
</svg>${present.length <= 12 ? legend : html`<details><summary>${present.length} colours</summary>${legend}</details>`}`;
}

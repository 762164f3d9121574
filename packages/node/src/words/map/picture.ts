import { html, Markup } from "../../report/markup.ts";
import { type Box, type Label, type Marked, placeLabels, type Segment } from "./labels.ts";
import type { Projection } from "./word-map.ts";

/** How large a picture is drawn. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** A map on a page of its own. */
export const LARGE: PictureSize = { width: 1040, height: 720 };

/** What pictures look like, light and dark: in a page as in a file of their own. */
export const PICTURE_STYLE = `
.words{--paper:#fff;--word:#24292f;--faint:#6e7781;--dot:#afb8c1;--r0:#0a6cbd;--r1:#bc4c00;--r2:#1a7f4b;--r3:#8839a8;--r4:#8a6500;--r5:#b3261e}
@media(prefers-color-scheme:dark){.words{--paper:#161b22;--word:#e6edf3;--faint:#99a5b1;--dot:#4f5a66;--r0:#62b0f2;--r1:#ff9d66;--r2:#5bd089;--r3:#d59af0;--r4:#e3b341;--r5:#ff8a80}}
.words text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",sans-serif;paint-order:stroke;stroke:var(--paper);stroke-width:3.5px;stroke-linejoin:round}
.words .paper{fill:var(--paper)}
.words .word{fill:var(--word);font-weight:600}
.words .company{fill:var(--faint)}
.words .dot{fill:var(--dot)}
.words .named{fill:var(--word)}
.words .lead{stroke:var(--faint);stroke-width:.8;fill:none}
.words .arrow{fill:none;stroke-width:1.8;stroke-linecap:round;opacity:.8}
${[0, 1, 2, 3, 4, 5].map((r) => `.words .t${r},.words .d${r}{fill:var(--r${r})}.words .s${r}{stroke:var(--r${r})}`).join("\n")}
`;

const COLOURS = 6;
const MARGIN = 34;
const [NAMED_SIZE, COMPANY_SIZE] = [15, 12];

/**
 * A projection as SVG inside a page that has `PICTURE_STYLE`. `id` tells its arrow heads from those of other
 * pictures.
 */
export function mapPicture(projection: Projection, { width, height }: PictureSize, id: string): Markup {
  return new Markup(drawing(projection, { width, height }, id, "").text);
}

/** The same as a file that needs nothing beside itself. */
export function mapFile(projection: Projection, size: PictureSize = LARGE): string {
  return `${drawing(projection, size, "map", PICTURE_STYLE).text}\n`;
}

function drawing(projection: Projection, size: PictureSize, id: string, style: string): Markup {
  const { width, height } = size;
  const { words, isNamed, relations } = projection;
  const points = fitted(projection, size);
  const places = new Map(words.map((word, i) => [word, i]));
  const relationOf = new Map(
    relations.flatMap(({ pairs }, r) => pairs.flat().map((word) => [word, r % COLOURS] as const)),
  );
  const arrows = relations.flatMap(({ pairs }, r) =>
    pairs.flatMap(([a, b]) => {
      const line = arrow(points[places.get(a)!]!, points[places.get(b)!]!);
      return line === null ? [] : [{ line, colour: r % COLOURS }];
    }),
  );
  // The named ones find their places first, those of pairs before all others.
  const order = [...words.keys()].sort((i, j) => rank(i) - rank(j) || i - j);
  const labels = new Array<Label | null>(words.length).fill(null);
  const frame: Box = [4, 4, width - 4, height - 4];
  const found = placeLabels(
    order.map(
      (i): Marked => ({
        text: words[i]!,
        x: points[i]!.x,
        y: points[i]!.y,
        size: isNamed[i] ? NAMED_SIZE : COMPANY_SIZE,
        isNamed: isNamed[i]!,
      }),
    ),
    { frame, segments: arrows.map(({ line }) => line) },
  );
  for (const [k, i] of order.entries()) labels[i] = found[k]!;
  const used = [...new Set(arrows.map(({ colour }) => colour))];
  const named = (i: number) => (relationOf.has(words[i]!) ? `d${relationOf.get(words[i]!)}` : "named");
  return html`<svg class="words" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${describe(projection)}">
${style !== "" && new Markup(`<style>${style}</style><rect class="paper" width="100%" height="100%"/>`)}
<defs>${used.map(
    (r) =>
      html`<marker id="${id}-head-${r}" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="6.5" markerHeight="6.5" orient="auto-start-reverse"><path class="d${r}" d="M0 1L9 5L0 9z"/></marker>`,
  )}</defs>
${order.map((i) => (isNamed[i] ? null : html`<circle class="dot" cx="${round(points[i]!.x)}" cy="${round(points[i]!.y)}" r="2.2"><title>${words[i]!}</title></circle>`))}
${arrows.map(
  ({ line: [x1, y1, x2, y2], colour }) =>
    html`<path class="arrow s${colour}" d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}" marker-end="url(#${id}-head-${colour})"/>`,
)}
${order.map((i) => (isNamed[i] ? html`<circle class="${named(i)}" cx="${round(points[i]!.x)}" cy="${round(points[i]!.y)}" r="3.4"><title>${words[i]!}</title></circle>` : null))}
${labels.map((label, i) => label?.isFar && html`<path class="lead" d="${lead(points[i]!, label)}"/>`)}
${order
  .toReversed()
  .map(
    (i) =>
      labels[i] &&
      html`<text class="${isNamed[i] ? (relationOf.has(words[i]!) ? `word t${relationOf.get(words[i]!)}` : "word") : "company"}" x="${round(labels[i]!.x)}" y="${round(labels[i]!.y)}" font-size="${isNamed[i] ? NAMED_SIZE : COMPANY_SIZE}">${words[i]!}</text>`,
  )}
</svg>`;

  function rank(i: number): number {
    return isNamed[i] ? (relationOf.has(words[i]!) ? 0 : 1) : 2;
  }
}

/** Both axes at one scale, in the middle; up is up. */
function fitted({ x, y }: Projection, { width, height }: PictureSize): { x: number; y: number }[] {
  const [left, right] = [Math.min(...x), Math.max(...x)];
  const [bottom, top] = [Math.min(...y), Math.max(...y)];
  const wide = width - 2 * MARGIN - 60; // labels stand to the right of their points
  const scale = Math.min(wide / (right - left || 1), (height - 2 * MARGIN) / (top - bottom || 1));
  return x.map((value, i) => ({
    x: width / 2 - 14 + scale * (value - (left + right) / 2),
    y: height / 2 - scale * (y[i]! - (bottom + top) / 2),
  }));
}

/** From beside one point to beside the other; null where they lie on each other. */
function arrow(a: { x: number; y: number }, b: { x: number; y: number }): Segment | null {
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  if (length < 14) return null;
  const [dx, dy] = [(b.x - a.x) / length, (b.y - a.y) / length];
  return [a.x + 5 * dx, a.y + 5 * dy, b.x - 5.5 * dx, b.y - 5.5 * dy];
}

/** From the point to the nearest edge of its label. */
function lead({ x, y }: { x: number; y: number }, { box: [left, top, right, bottom] }: Label): string {
  const to = [Math.min(right, Math.max(left, x)), Math.min(bottom, Math.max(top, y))] as const;
  return `M${round(x)} ${round(y)}L${round(to[0])} ${round(to[1])}`;
}

function describe({ name, words, relations }: Projection): string {
  const pairs = relations.flatMap((one) => one.pairs.map(([a, b]) => `${a} to ${b}`));
  const what = name === "pca" ? "by principal components" : "by UMAP";
  return `${words.length} words ${what}${pairs.length === 0 ? "" : `; arrows from ${pairs.slice(0, 12).join(", ")}`}`;
}

const round = (value: number) => Math.round(value * 10) / 10;

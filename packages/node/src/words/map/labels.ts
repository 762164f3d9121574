/** A point with a name to be written beside it. */
export interface Marked {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  /** Has a label however far off, in bold type, with a line to it; others go without where there is no room. */
  readonly isNamed: boolean;
}

/** Where a label is written: from (x, y) of its left end on the base line. */
export interface Label {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly box: Box;
  /** Whether it stands so far off that a line leads to it. */
  readonly isFar: boolean;
}

/** A rectangle: left, top, right, bottom. */
export type Box = readonly [number, number, number, number];

/** A line of the picture that labels keep clear of: x1, y1, x2, y2. */
export type Segment = readonly [number, number, number, number];

/** Distances from the point that are tried, and the directions at each; near and to the right first. */
const RADII = [7, 10, 16, 24, 34, 46, 60, 78, 100, 130];
const NEAR = 2;
const DIRECTIONS = 16;
const GAP = 4;

/**
 * A place for every point's label, in the order given, such that no two overlap and all stand inside the
 * frame; null where there is none. Of the places that are free, the one is taken that covers fewest points
 * and lines and is nearest.
 */
export function placeLabels(
  points: readonly Marked[],
  { frame, segments }: { readonly frame: Box; readonly segments: readonly Segment[] },
): (Label | null)[] {
  const placed: Box[] = [];
  return points.map((point) => {
    const radii = point.isNamed ? RADII : RADII.slice(0, NEAR);
    let best: (Label & { readonly cost: number }) | null = null;
    for (const [r, radius] of radii.entries()) {
      if (best !== null && best.cost < 0.12 * radius) break;
      for (let k = 0; k < DIRECTIONS; k++) {
        const label = labelAt(point, radius, (2 * Math.PI * k) / DIRECTIONS, r >= NEAR + 1);
        if (!inside(label.box, frame) || placed.some((box) => overlap(box, label.box))) continue;
        const cost =
          0.12 * radius +
          0.4 * (1 - Math.cos((2 * Math.PI * k) / DIRECTIONS)) +
          (point.isNamed ? 3 : 12) * segments.filter((segment) => crosses(segment, label.box)).length +
          points.reduce((sum, other) => sum + (covers(label.box, other) ? (other.isNamed ? 6 : 1.5) : 0), 0);
        if (best === null || cost < best.cost) best = { ...label, cost };
      }
    }
    if (best === null || (!point.isNamed && best.cost > 10)) return null;
    placed.push(best.box);
    const { cost: _, ...label } = best;
    return label;
  });
}

/** How much wider letters are in bold type; signs of a square stay as they are. */
const BOLD = 1.13;

/** How wide a text is, in pixels, in DejaVu Sans, the widest of the fonts that systems show pages in. */
export function widthOf(text: string, size: number, isBold: boolean): number {
  let width = 0;
  for (const sign of text)
    width += /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(sign)
      ? 1.02
      : (isBold ? BOLD : 1) * letterWidth(sign);
  return width * size;
}

function letterWidth(sign: string): number {
  return /[fijlrtI.,:;'|]/.test(sign) ? 0.4 : /[mwMW]/.test(sign) ? 0.96 : /\p{Lu}/u.test(sign) ? 0.74 : 0.62;
}

function labelAt(
  { text, x, y, size, isNamed }: Marked,
  radius: number,
  angle: number,
  isFar: boolean,
): Label {
  const [dx, dy] = [Math.cos(angle), -Math.sin(angle)];
  const width = widthOf(text, size, isNamed);
  const height = 1.15 * size;
  // The side of the box that faces the point lies on the circle.
  const left = x + radius * dx + ((dx - 1) / 2) * width;
  const top = y + radius * dy + ((dy - 1) / 2) * height;
  return {
    text,
    x: left,
    y: top + 0.9 * size,
    box: [left - GAP, top - GAP / 4, left + width + GAP, top + height + GAP / 4],
    isFar,
  };
}

function overlap(a: Box, b: Box): boolean {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

function inside(box: Box, frame: Box): boolean {
  return box[0] >= frame[0] && box[1] >= frame[1] && box[2] <= frame[2] && box[3] <= frame[3];
}

function covers([left, top, right, bottom]: Box, { x, y }: Marked): boolean {
  return x > left - 3 && x < right + 3 && y > top - 3 && y < bottom + 3;
}

/** Whether a segment touches a box (Liang and Barsky 1984): what is left of it after each side has cut. */
function crosses([x1, y1, x2, y2]: Segment, [left, top, right, bottom]: Box): boolean {
  let [from, to] = [0, 1];
  const [dx, dy] = [x2 - x1, y2 - y1];
  for (const [p, q] of [
    [-dx, x1 - left],
    [dx, right - x1],
    [-dy, y1 - top],
    [dy, bottom - y1],
  ] as const) {
    if (p === 0) {
      if (q < 0) return false;
    } else if (p < 0) from = Math.max(from, q / p);
    else to = Math.min(to, q / p);
  }
  return from <= to;
}

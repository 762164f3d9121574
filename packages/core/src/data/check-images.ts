import type { Row } from "./dataset.ts";
import { counted, type DataFinding, MOST_EXAMPLES } from "./finding.ts";

/** What is known of an image that could be read. */
export interface ImageFacts {
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
  /** What is seen: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha. */
  readonly channels: number;
  /** Standard deviation of its grey values, 0 to 127.5. */
  readonly deviation: number;
}

const MOST_ASPECT = 3;
const SMALL_SIDE = 32;
const BLANK = 2;
const modes = ["", "grey", "grey with alpha", "colour", "colour with alpha"];

/** What is odd about images: broken, blank, of another shape, size or mode than the rest. */
export function imageFindings(
  rows: readonly Row[],
  images: readonly (ImageFacts | null)[],
  broken: ReadonlyMap<number, string>,
): DataFinding[] {
  const findings: DataFinding[] = [];
  const known = [...images.keys()].filter((i) => images[i] !== null);
  const add = (
    kind: string,
    severity: DataFinding["severity"],
    found: readonly number[],
    message: string,
    remedy: string | null,
    detail: (i: number) => string,
  ) => {
    if (found.length === 0) return;
    const examples = found
      .slice(0, MOST_EXAMPLES)
      .map((i) => ({ rows: [rows[i]!.where], detail: detail(i) }));
    findings.push({
      kind,
      severity,
      count: found.length,
      message: `${counted(found.length, "image")} ${message}`,
      remedy,
      examples,
    });
  };
  add(
    "broken-image",
    "problem",
    [...broken.keys()],
    "cannot be read",
    "fetch them again, or leave them out with --on-error skip",
    (i) => broken.get(i)!,
  );
  const extent = (i: number) => `${images[i]!.width} × ${images[i]!.height}`;
  add(
    "blank-image",
    "warning",
    known.filter((i) => images[i]!.deviation < BLANK),
    "of one colour, with nothing to see",
    "take them out",
    extent,
  );
  add(
    "odd-aspect",
    "note",
    known.filter((i) => aspect(images[i]!) > MOST_ASPECT),
    `more than ${MOST_ASPECT} times as long as wide`,
    "a centre crop sees little of them, and a resize distorts them",
    extent,
  );
  const shortSides = known.map((i) => shortSide(images[i]!)).sort((a, b) => a - b);
  const middle = shortSides[shortSides.length >> 1] ?? 0;
  add(
    "small-image",
    "note",
    middle < 2 * SMALL_SIDE ? [] : known.filter((i) => shortSide(images[i]!) < SMALL_SIDE),
    `smaller than ${SMALL_SIDE} pixels, of ${middle} in the middle`,
    "look whether they are previews or icons",
    extent,
  );
  findings.push(...modeFindings(rows, images, known));
  return findings;
}

/** Images of another mode than most: a class of grey photos among colour ones is known by its greyness. */
function modeFindings(
  rows: readonly Row[],
  images: readonly (ImageFacts | null)[],
  known: readonly number[],
): DataFinding[] {
  const byMode = new Map<number, number[]>();
  for (const i of known) {
    const { channels } = images[i]!;
    const list = byMode.get(channels);
    if (list === undefined) byMode.set(channels, [i]);
    else list.push(i);
  }
  const [, ...others] = [...byMode].sort((a, b) => b[1].length - a[1].length);
  const odd = others.flatMap(([, list]) => list);
  if (odd.length === 0) return [];
  const list = [...byMode].map(
    ([channels, found]) => `${found.length} ${modes[channels] ?? `${channels} channels`}`,
  );
  return [
    {
      kind: "mixed-modes",
      severity: "note",
      count: odd.length,
      message: `images of several modes: ${list.join(", ")}`,
      remedy: "none needed where the classes have them alike: all become what the network takes",
      examples: odd.slice(0, MOST_EXAMPLES).map((i) => ({
        rows: [rows[i]!.where],
        detail: modes[images[i]!.channels] ?? `${images[i]!.channels} channels`,
      })),
    },
  ];
}

const shortSide = ({ width, height }: ImageFacts) => Math.min(width, height);
const aspect = ({ width, height }: ImageFacts) => Math.max(width, height) / Math.min(width, height);

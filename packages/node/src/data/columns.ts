import { type DataSettings, fileError, type Report, type Role } from "./format.ts";

/** Names that say what a column is for, most telling first; compared in lower case with "_" for spaces and dashes. */
const known: Readonly<Record<Role, readonly string[]>> = {
  label: [
    "label",
    "labels",
    "class",
    "category",
    "target",
    "intent",
    "sentiment",
    "label_name",
    "class_name",
    "label_text",
    "emotion",
    "topic",
    "polarity",
    "标签",
    "类别",
    "分类",
    "情感",
    "意图",
  ],
  text: [
    "text",
    "sentence",
    "review",
    "content",
    "message",
    "comment",
    "question",
    "utterance",
    "query",
    "document",
    "body",
    "tweet",
    "sms",
    "headline",
    "title",
    "文本",
    "内容",
    "评论",
    "评价",
    "句子",
    "问题",
  ],
  image: [
    "image",
    "image_path",
    "img",
    "img_path",
    "path",
    "filepath",
    "file_path",
    "filename",
    "file_name",
    "file",
    "photo",
    "picture",
    "图片",
    "图像",
    "路径",
  ],
  split: ["split"],
  group: ["group"],
  weight: ["weight"],
};
const identifiers = new Set(["id", "index", "idx", "row", "row_id", "uid", "uuid", "guid", "#", ""]);
const imageEnding = /\.(jpe?g|jfif|png|webp|gif|tiff?|avif|bmp|heic)$/i;

/** Position of the column for each role; null where the table has none. */
export type Assignment = Readonly<Record<Role, number | null>>;

export function isKnownName(name: string): boolean {
  const plain = normal(name);
  return known.label.includes(plain) || known.text.includes(plain) || known.image.includes(plain);
}

/**
 * Finds the columns: those the settings name, then those with a telling name, then what the cells look like
 * where only one column is left for the part. Throws an InputError that lists the columns where it stays
 * open.
 */
export function assignColumns(
  name: string,
  columns: readonly string[],
  sample: readonly (readonly (string | null)[])[],
  settings: Pick<DataSettings, Role | "labels">,
  report: Pick<Report, "note" | "found">,
): Assignment {
  checkNames(name, columns);
  const chosen: Record<Role, number | null> = {
    text: null,
    image: null,
    label: null,
    split: null,
    group: null,
    weight: null,
  };
  for (const role of Object.keys(chosen) as Role[]) {
    if (settings[role] !== null) chosen[role] = given(name, columns, role, settings[role]);
  }
  if (chosen.text !== null && chosen.image !== null) {
    throw fileError(name, "--text and --image are both given; a data set has texts or images, leave one out");
  }
  for (const role of ["split", "group", "weight", "label"] as const) {
    chosen[role] ??= byName(columns, role, chosen);
  }
  if (chosen.text === null && chosen.image === null) chooseInput(name, columns, sample, chosen);
  if (chosen.text === null && chosen.image === null) guessInput(columns, sample, chosen, report, name);
  if (chosen.label === null) guessLabel(columns, chosen, settings.labels, report, name);
  if (chosen.text === null && chosen.image === null) {
    throw fileError(
      name,
      `cannot tell which column holds the texts or the image paths; it has ${list(columns)}: pass --text or --image`,
    );
  }
  if (chosen.label === null && settings.labels === "required") {
    throw fileError(name, `cannot tell which column holds the labels; it has ${list(columns)}: pass --label`);
  }
  report.found({
    columns: Object.fromEntries(
      Object.entries(chosen).map(([role, position]) => [role, position === null ? null : columns[position]!]),
    ) as Record<Role, string | null>,
  });
  return chosen;
}

function checkNames(name: string, columns: readonly string[]): void {
  const seen = new Map<string, number>();
  for (const [position, column] of columns.entries()) {
    if (column === "") continue;
    const before = seen.get(column);
    if (before !== undefined) {
      throw fileError(
        name,
        `columns ${before + 1} and ${position + 1} are both named "${column}"; rename one`,
      );
    }
    seen.set(column, position);
  }
}

/** The column a setting names: by its name, or by its number from 1. */
function given(name: string, columns: readonly string[], role: Role, wish: string): number {
  const exact = columns.indexOf(wish);
  if (exact >= 0) return exact;
  const number = /^\d+$/.test(wish) ? Number(wish) : 0;
  if (number >= 1 && number <= columns.length) return number - 1;
  throw fileError(name, `there is no column "${wish}" for --${role}; it has ${list(columns)}`);
}

function byName(columns: readonly string[], role: Role, chosen: Assignment): number | null {
  const taken = new Set(Object.values(chosen));
  for (const candidate of known[role]) {
    const position = columns.findIndex((column, c) => normal(column) === candidate && !taken.has(c));
    if (position >= 0) return position;
  }
  return null;
}

function chooseInput(
  name: string,
  columns: readonly string[],
  sample: readonly (readonly (string | null)[])[],
  chosen: Record<Role, number | null>,
): void {
  const text = byName(columns, "text", chosen);
  const image = byName(columns, "image", chosen);
  const hasPaths = image !== null && holdsPaths(sample, image);
  if (text !== null && hasPaths) {
    throw fileError(
      name,
      `has both texts ("${columns[text]}") and images ("${columns[image!]}"); say which to learn from with --text or --image`,
    );
  }
  if (text !== null) chosen.text = text;
  else if (hasPaths) chosen.image = image;
}

/** The one column left that is no number and no identifier; with two, the more varied one holds the texts. */
function guessInput(
  columns: readonly string[],
  sample: readonly (readonly (string | null)[])[],
  chosen: Record<Role, number | null>,
  report: Pick<Report, "note">,
  name: string,
): void {
  const taken = new Set(Object.values(chosen));
  const varied = (c: number) => new Set(sample.map((cells) => cells[c])).size;
  let left = [...columns.keys()].filter(
    (c) =>
      !taken.has(c) && !identifiers.has(normal(columns[c]!)) && !isEmpty(sample, c) && !isNumeric(sample, c),
  );
  const [a, b] = left;
  if (chosen.label === null && left.length === 2 && sample.length >= 2 && varied(a!) !== varied(b!)) {
    left = [varied(a!) > varied(b!) ? a! : b!];
  }
  if (left.length !== 1) return;
  const position = left[0]!;
  const role = holdsPaths(sample, position) ? "image" : "text";
  chosen[role] = position;
  report.note(
    `${name}: column ${quote(columns, position)} taken as the ${role === "image" ? "image paths" : "texts"}`,
  );
}

/** The one column left beside the input. */
function guessLabel(
  columns: readonly string[],
  chosen: Record<Role, number | null>,
  labels: DataSettings["labels"],
  report: Pick<Report, "note">,
  name: string,
): void {
  if (labels === "optional") return;
  const taken = new Set(Object.values(chosen));
  const left = [...columns.keys()].filter((c) => !taken.has(c) && !identifiers.has(normal(columns[c]!)));
  if (left.length !== 1) return;
  chosen.label = left[0]!;
  report.note(`${name}: column ${quote(columns, left[0]!)} taken as the labels`);
}

function holdsPaths(sample: readonly (readonly (string | null)[])[], c: number): boolean {
  const filled = sample
    .map((cells) => cells[c])
    .filter((cell) => cell !== null && cell !== undefined && cell !== "");
  return filled.length > 0 && filled.filter((cell) => imageEnding.test(cell!)).length > filled.length / 2;
}

function isEmpty(sample: readonly (readonly (string | null)[])[], c: number): boolean {
  return sample.every((cells) => (cells[c] ?? "").trim() === "");
}

function isNumeric(sample: readonly (readonly (string | null)[])[], c: number): boolean {
  const filled = sample.map((cells) => cells[c] ?? "").filter((cell) => cell.trim() !== "");
  return filled.length > 0 && filled.every((cell) => Number.isFinite(Number(cell)));
}

function normal(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, "_");
}

function quote(columns: readonly string[], position: number): string {
  return columns[position] === `column ${position + 1}` ? `${position + 1}` : `"${columns[position]}"`;
}

function list(columns: readonly string[]): string {
  const shown = columns.slice(0, 12).map((column) => `"${column}"`);
  return `${columns.length === 1 ? "the column" : "the columns"} ${shown.join(", ")}${columns.length > 12 ? ` and ${columns.length - 12} more` : ""}`;
}

import type { Row } from "./dataset.ts";

/**
 * One kind of thing that is wrong with a data set, or worth knowing. A problem makes training fail or its
 * scores wrong; a warning may; a note need not be acted on.
 */
export interface DataFinding {
  readonly kind: string;
  readonly severity: "problem" | "warning" | "note";
  /** How many rows, classes or groups it is about, as `message` says. */
  readonly count: number;
  readonly message: string;
  /** What to do about it; null where nothing need be done. */
  readonly remedy: string | null;
  readonly examples: readonly FindingExample[];
}

/** An instance of a finding: where it is, and what is seen there. */
export interface FindingExample {
  readonly rows: readonly string[];
  readonly detail: string;
}

/** Examples that are kept of a finding. */
export const MOST_EXAMPLES = 50;

/** What a person sees of a row: its text, cut off, or where its image is. */
export function glimpse({ input, where }: Row): string {
  if (input.kind === "raw") return where;
  if (input.kind === "image") return input.path.endsWith(where) ? where : input.path;
  const text = input.text.replace(/\s+/g, " ").trim();
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** A count with its noun: "1 row", "3 rows". */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

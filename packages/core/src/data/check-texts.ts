import type { Row } from "./dataset.ts";
import { counted, type DataFinding, glimpse, MOST_EXAMPLES } from "./finding.ts";
import { normalisedText } from "./identity.ts";
import { comparableText } from "./near-texts.ts";

const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;
/** UTF-8 that was read as windows-1252, or characters that were lost on the way. */
const damage = /\uFFFD|Ã[\u0080-\u00BF]|â€[\u0080-\u2122]|ï¿½/;
/** Tokens that most encoders of texts take; four letters or one Chinese character a token. */
const TOKENS = 512;

/** What is odd about texts: empty, without a word, damaged, longer than networks read. */
export function textFindings(rows: readonly Row[]): DataFinding[] {
  const empty: Row[] = [];
  const short: Row[] = [];
  const damaged: Row[] = [];
  const long: Row[] = [];
  for (const row of rows) {
    if (row.input.kind !== "text") continue;
    const { text } = row.input;
    if (normalisedText(text) === "") empty.push(row);
    else if (isShort(text)) short.push(row);
    if (damage.test(text)) damaged.push(row);
    if (text.length > TOKENS && tokens(text) > TOKENS) long.push(row);
  }
  const findings: DataFinding[] = [];
  const add = (
    kind: string,
    severity: DataFinding["severity"],
    found: readonly Row[],
    message: string,
    remedy: string,
  ) => {
    if (found.length === 0) return;
    findings.push({
      kind,
      severity,
      count: found.length,
      message: `${counted(found.length, "text")} ${message}`,
      remedy,
      examples: found.slice(0, MOST_EXAMPLES).map((row) => ({ rows: [row.where], detail: glimpse(row) })),
    });
  };
  add("empty-text", "warning", empty, "without a character", "take them out: there is nothing to learn from");
  add("short-text", "note", short, "of one or two letters, or none", "take out those that say nothing");
  add(
    "damaged-text",
    "warning",
    damaged,
    "with characters that an encoding garbled (�, Ã©, â€™)",
    "get the file in its own encoding and name it with --encoding",
  );
  add(
    "long-text",
    "note",
    long,
    `of more than about ${TOKENS} tokens`,
    "most networks read the beginning only; cut them where the beginning does not tell",
  );
  return findings;
}

function isShort(text: string): boolean {
  if (text.length > 100) return false;
  const letters = comparableText(text);
  return letters.length < (letters.match(wide) === null ? 3 : 2);
}

function tokens(text: string): number {
  const characters = text.match(wide)?.length ?? 0;
  return characters + (text.length - characters) / 4;
}

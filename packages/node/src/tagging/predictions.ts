import { InputError, type Row, type Span, spansOf } from "@graft-ml/core";
import { cellsOf } from "../data/conll.ts";
import { tagChoice } from "../data/conllu.ts";
import { positionOf, tokenColumns } from "../data/token-columns.ts";
import type { TaggedSentence } from "./open-tagger-run.ts";
import type { Sentence } from "./sentences.ts";

/** A span found in a text, by its characters. */
export interface FoundSpan {
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly text: string;
  /** The least sure of its tokens. */
  readonly probability: number;
}

/** The spans of a tagged sentence in its text. */
export function foundSpans(
  { input, tokens }: Sentence,
  { tags, probabilities }: TaggedSentence,
): FoundSpan[] {
  const text = (input as Extract<Row["input"], { kind: "text" }>).text;
  return spansOf(tags).map(({ type, start, end }: Span) => {
    const from = tokens.starts[start]!;
    const to = tokens.starts[end - 1]! + tokens.texts[end - 1]!.length;
    const sure = probabilities.slice(start, end).reduce((least, p) => Math.min(least, p), 1);
    return { start: from, end: to, label: type, text: text.slice(from, to), probability: rounded(sure) };
  });
}

/** A tagged sentence as one JSON object: its text, tokens with offsets and tags, and the spans they write. */
export function predictionLine(row: Sentence, tagged: TaggedSentence): string {
  const { input, tokens, where } = row;
  return JSON.stringify({
    input: where,
    text: (input as Extract<Row["input"], { kind: "text" }>).text,
    tokens: tokens.texts.map((text, t) => ({
      text,
      start: tokens.starts[t]!,
      end: tokens.starts[t]! + text.length,
      tag: tagged.tags[t]!,
      probability: rounded(tagged.probabilities[t]!),
    })),
    spans: foundSpans(row, tagged),
  });
}

/** What predictions are written as: the CoNLL lines they were read from with the tags put in, or JSON. */
export type TaggedForm = "conll" | "conllu" | "jsonl";

/**
 * The form of predictions: as the output's ending says, else the one that was read. Throws an InputError for
 * another ending, and for CoNLL-U out of something else.
 */
export function taggedForm(output: string | null, read: string | undefined): TaggedForm {
  const ending = /\.([a-z0-9]+)$/i.exec(output ?? "")?.[1]?.toLowerCase();
  if (ending === "jsonl" || ending === "json") return "jsonl";
  const own: TaggedForm = read === "conllu" ? "conllu" : read === "conll" ? "conll" : "jsonl";
  if (output === null) return own;
  if (ending === "conllu" && own !== "conllu")
    throw new InputError(`${output}: CoNLL-U is written where CoNLL-U was read; choose .conll or .jsonl`);
  if (ending === "conllu" || own === "conllu")
    return ending === "conll" || ending === "txt" ? "conll" : "conllu";
  if (ending !== undefined && ["csv", "parquet"].includes(ending))
    throw new InputError(
      `${output}: tags are written as .conll, .conllu or .jsonl; choose one of these endings`,
    );
  return "conll";
}

/** Predictions of sentences as a file. `column` is what `--column` said. */
export function taggedText(
  rows: readonly Sentence[],
  tagged: readonly TaggedSentence[],
  form: TaggedForm,
  column: string | null,
): string {
  if (form === "jsonl") return rows.map((row, i) => `${predictionLine(row, tagged[i]!)}\n`).join("");
  return rows.map((row, i) => `${sentenceLines(row, tagged[i]!, form, column).join("\n")}\n\n`).join("");
}

function sentenceLines(
  row: Sentence,
  { tags }: TaggedSentence,
  form: TaggedForm,
  column: string | null,
): string[] {
  const { lines, places, texts } = row.tokens;
  if (lines === undefined || places === undefined || places.length !== texts.length)
    return texts.map((token, t) => `${token}\t${tags[t]!}`);
  const written = [...lines];
  const columns = tokenColumns(column);
  const spans = form === "conllu" ? entityMarks(tags) : [];
  for (const [t, place] of places.entries()) {
    const line = lines[place]!;
    if (form === "conllu") {
      const cells = line.split("\t");
      const choice = tagChoice(columns, row.where);
      if (choice.kind === "field") cells[choice.at] = tags[t]!;
      else cells[9] = withEntity(cells[9]!, spans[t]!);
      written[place] = cells.join("\t");
      continue;
    }
    const cells = cellsOf(line);
    const tokenAt = positionOf(typeof columns.token === "number" ? columns.token : 1, cells.length);
    const tagAt = positionOf(typeof columns.tag === "number" ? columns.tag : -1, cells.length);
    if (tagAt === null || tagAt === tokenAt) cells.push(tags[t]!);
    else cells[tagAt] = tags[t]!;
    written[place] = cells.join(line.includes("\t") ? "\t" : " ");
  }
  return written;
}

/** What `Entity=` says at each token of the spans that tags write. */
function entityMarks(tags: readonly string[]): string[] {
  const marks = tags.map(() => "");
  for (const [i, { type, start, end }] of spansOf(tags).entries()) {
    if (end - start === 1) marks[start] += `(e${i + 1}-${type})`;
    else {
      marks[start] += `(e${i + 1}-${type}`;
      marks[end - 1] += `e${i + 1})`;
    }
  }
  return marks;
}

function withEntity(misc: string, mark: string): string {
  const others = misc.split("|").filter((part) => part !== "_" && !part.startsWith("Entity="));
  const all = mark === "" ? others : [...others, `Entity=${mark}`].sort();
  return all.length === 0 ? "_" : all.join("|");
}

function rounded(p: number): number {
  return Number(p.toFixed(4));
}

import { type Row, type Scheme, type Segment, type Span, segments, tagsOf } from "@graft-ml/core";
import { type DataSettings, type Format, fileError, textOptions } from "./format.ts";
import { type Fields, objectOf } from "./json-object.ts";
import { readLines } from "./lines.ts";

/** Fields of tags beside `tokens`, in the order they are looked for. */
const TAG_FIELDS = ["tags", "ner_tags", "pos_tags", "chunk_tags", "upos", "pos", "labels"] as const;
const SPAN_FIELDS = ["spans", "entities", "label", "labels"] as const;
/** What spans marked by characters are written as. */
const SCHEME: Scheme = "BIO";

export const tokensJsonl: Format = {
  about:
    "a JSON object a line: tokens with tags, or a text with character spans (Prodigy, doccano, Label Studio)",
  extensions: ["jsonl", "ndjson"],
  options: textOptions,
  async *read(source, settings, report) {
    let count = 0;
    let cut = 0;
    let passed = 0;
    for await (const { first, texts, problems } of readLines(
      source.path,
      source.name,
      settings.encoding,
      report,
    )) {
      for (const [i, text] of texts.entries()) {
        if (!problems.has(i) && text.trim() === "") continue;
        const where = `${source.name} line ${first + i}`;
        count++;
        const value = problems.get(i) ?? objectOf(text);
        if (typeof value === "string") {
          report.reject(where, value);
          continue;
        }
        // Prodigy keeps what the annotator refused or passed over.
        if (value.answer === "reject" || value.answer === "ignore") {
          passed++;
          continue;
        }
        const made = tokensOf(value);
        if (typeof made === "string") {
          report.reject(where, made);
          continue;
        }
        cut += made.cut;
        const { text: whole, segments: found, tags } = made;
        const row: Row = {
          where,
          input: { kind: "text", text: whole },
          label: null,
          split: source.split,
          group: null,
          weight: 1,
          tokens: {
            texts: found.map((one) => one.text),
            tags,
            starts: Int32Array.from(found, ({ start }) => start),
            ...(settings.labels === "optional" ? { lines: [text], places: new Int32Array(0) } : {}),
          },
        };
        yield row;
      }
    }
    if (count === 0) throw fileError(source.name, "is empty; there are no rows to read");
    if (passed > 0)
      report.note(`${source.name}: ${passed} rows answered with reject or ignore were left out`);
    if (cut > 0)
      report.note(`${source.name}: ${cut} words were cut in two where a span begins or ends inside of them`);
  },
};

/**
 * Whether a line of JSON holds tokens with tags (tokens alone where these are to be given), or a text with
 * character spans.
 */
export function holdsTokens(line: string, labels: DataSettings["labels"]): boolean {
  const value = objectOf(line);
  if (typeof value === "string") return false;
  if (isTexts(value.tokens)) return labels === "optional" || tagField(value) !== null;
  return textOf(value) !== null && spansField(value) !== null;
}

interface Made {
  readonly text: string;
  readonly segments: readonly Segment[];
  readonly tags: readonly string[] | null;
  readonly cut: number;
}

function tokensOf(value: Fields): Made | string {
  if (isTexts(value.tokens)) return givenTokens(value, value.tokens);
  const text = textOf(value);
  if (text === null)
    return 'has neither "tokens" nor "text"; a line holds tokens with tags, or a text with spans';
  const given = Array.isArray(value.tokens) ? prodigyTokens(value.tokens, text) : null;
  if (typeof given === "string") return given;
  const marked = spansField(value);
  if (marked === null) return { text, segments: given ?? segments(text), tags: null, cut: 0 };
  const spans: Span[] = [];
  for (const one of marked) {
    const span = characterSpan(one);
    if (span === null)
      return `has a span ${JSON.stringify(one).slice(0, 60)}; a span has start, end and label, or is [start, end, label]`;
    if (
      !(Number.isInteger(span.start) && span.start >= 0 && span.end > span.start && span.end <= text.length)
    )
      return `has a span ${span.start}–${span.end} that does not lie in its text of ${text.length} characters`;
    spans.push(span);
  }
  spans.sort((a, b) => a.start - b.start);
  for (let i = 1; i < spans.length; i++)
    if (spans[i]!.start < spans[i - 1]!.end)
      return `has overlapping spans ${shown(spans[i - 1]!)} and ${shown(spans[i]!)}; tags hold one span a token`;
  const before = given ?? segments(text);
  const pieces = before.flatMap((one) => cutAt(one, spans));
  const tokenSpans: Span[] = [];
  for (const { type, start, end } of spans) {
    const from = pieces.findIndex((piece) => piece.start >= start && piece.start < end);
    if (from < 0) return `has a span ${shown({ type, start, end })} without any token in it`;
    let to = from;
    while (to < pieces.length && pieces[to]!.start < end) to++;
    tokenSpans.push({ type, start: from, end: to });
  }
  return {
    text,
    segments: pieces,
    tags: tagsOf(tokenSpans, pieces.length, SCHEME),
    cut: pieces.length - before.length,
  };
}

function givenTokens(value: Fields, texts: readonly string[]): Made | string {
  if (texts.length === 0) return '"tokens" is empty; leave the line out';
  const empty = texts.findIndex((text) => text.trim() === "");
  if (empty >= 0) return `token ${empty + 1} is empty; leave it out together with its tag`;
  const field = tagField(value);
  const tags = field === null ? null : (value[field] as readonly (string | number)[]).map(String);
  if (tags !== null && tags.length !== texts.length)
    return `has ${texts.length} tokens and ${tags.length} ${field}; give one a token`;
  const found: Segment[] = [];
  const text = typeof value.text === "string" ? value.text : texts.join(" ");
  let at = 0;
  for (const token of texts) {
    const start = text.indexOf(token, at);
    if (start < 0)
      return `token ${JSON.stringify(token)} is not in its text after character ${at}; correct one of the two`;
    found.push({ text: token, start });
    at = start + token.length;
  }
  return { text, segments: found, tags, cut: 0 };
}

/** Tokens as Prodigy writes them: text, start and end. */
function prodigyTokens(tokens: readonly unknown[], text: string): Segment[] | string {
  const found: Segment[] = [];
  for (const [i, token] of tokens.entries()) {
    const { text: own, start } = (token ?? {}) as { text?: unknown; start?: unknown };
    if (typeof own !== "string" || typeof start !== "number" || text.slice(start, start + own.length) !== own)
      return `token ${i + 1} is not what stands in the text at its start; correct the line`;
    if (own.trim() !== "") found.push({ text: own, start });
  }
  return found;
}

/** A token, or its pieces where a span begins or ends inside of it. */
function cutAt({ text, start }: Segment, spans: readonly Span[]): Segment[] {
  const end = start + text.length;
  const cuts = spans.flatMap((span) => [span.start, span.end]).filter((at) => at > start && at < end);
  if (cuts.length === 0) return [{ text, start }];
  const ends = [...new Set([start, ...cuts, end])].sort((a, b) => a - b);
  return ends
    .slice(0, -1)
    .map((from, i) => ({ text: text.slice(from - start, ends[i + 1]! - start), start: from }));
}

function characterSpan(value: unknown): Span | null {
  const [start, end, label] = Array.isArray(value)
    ? value
    : typeof value === "object" && value !== null
      ? spanFields(value as Fields)
      : [];
  if (typeof start !== "number" || typeof end !== "number" || typeof label !== "string" || label === "")
    return null;
  return { type: label, start, end };
}

function spanFields(value: Fields): unknown[] {
  const inner = typeof value.value === "object" && value.value !== null ? (value.value as Fields) : value;
  const { start, end } = inner;
  const label = inner.label ?? inner.labels ?? inner.type;
  return [start ?? inner.start_offset, end ?? inner.end_offset, Array.isArray(label) ? label[0] : label];
}

function textOf(value: Fields): string | null {
  const data = value.data as Fields | null | undefined;
  const text = value.text ?? (typeof data === "object" ? data?.text : undefined);
  return typeof text === "string" ? text : null;
}

/** The marked spans of a line, under the names that annotation tools have for them. */
function spansField(value: Fields): readonly unknown[] | null {
  if (Array.isArray(value.annotations)) {
    const [first] = value.annotations as readonly Fields[];
    return Array.isArray(first?.result) ? (first.result as unknown[]) : first === undefined ? [] : null;
  }
  for (const name of SPAN_FIELDS) {
    const found = value[name];
    if (Array.isArray(found) && found.every((one) => typeof one === "object" && one !== null)) return found;
  }
  return null;
}

function tagField(value: Fields): (typeof TAG_FIELDS)[number] | null {
  return (
    TAG_FIELDS.find(
      (name) =>
        Array.isArray(value[name]) &&
        (value[name] as unknown[]).every((tag) => typeof tag === "string" || Number.isInteger(tag)),
    ) ?? null
  );
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

const shown = ({ type, start, end }: Span) => `${start}–${end} (${type})`;

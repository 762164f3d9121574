import {
  LONGEST,
  type Row,
  type Segment,
  segments,
  sentencesOf,
  type TaggedTokens,
  type Unit,
} from "@graft-ml/core";

/** What tagged tokens are: characters where they are about one long on average, else words. */
export function unitOf(rows: readonly Row[]): Unit {
  const texts = rows.flatMap(({ tokens }) => tokens?.texts ?? []);
  const letters = texts.reduce((sum, text) => sum + [...text].length, 0);
  return texts.length > 0 && letters / texts.length < 1.1 ? "characters" : "words";
}

/** A text as one sentence, cut to `longest` tokens; a row that has tokens stays as it is. */
export function asSentence(row: Row, unit: Unit, longest: number): Row {
  if (row.tokens !== undefined || row.input.kind !== "text") return row;
  return { ...row, tokens: tokensOf(segments(row.input.text, unit).slice(0, longest)) };
}

/** The sentences of a text that has no label, each a row. */
export function sentencesIn(row: Row, unit: Unit): Row[] {
  if (row.tokens !== undefined || row.input.kind !== "text") return [row];
  return sentencesOf(row.input.text).flatMap(({ text }, i) => {
    const found = segments(text, unit);
    const where = i === 0 ? row.where : `${row.where}, sentence ${i + 1}`;
    const input = { kind: "text", text } as const;
    return found.length === 0 ? [] : [{ ...row, where, input, tokens: tokensOf(found) }];
  });
}

/** A sentence in pieces that are short enough to be trained on. */
export function inPieces(row: Row): Row[] {
  const { tokens } = row;
  const count = Math.ceil((tokens?.texts.length ?? 0) / LONGEST);
  if (tokens === undefined || count < 2) return [row];
  return Array.from({ length: count }, (_, k) => {
    const [from, to] = [k, k + 1].map((one) => Math.round((one * tokens.texts.length) / count));
    return {
      ...row,
      tokens: {
        texts: tokens.texts.slice(from, to),
        tags: tokens.tags?.slice(from, to) ?? null,
        starts: tokens.starts.slice(from, to),
      },
    };
  });
}

function tokensOf(found: readonly Segment[]): TaggedTokens {
  return {
    texts: found.map(({ text }) => text),
    tags: null,
    starts: Int32Array.from(found, ({ start }) => start),
  };
}

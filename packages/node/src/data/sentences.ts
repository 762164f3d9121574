import type { Row, TaggedTokens } from "@graft-ml/core";
import { type DataSettings, fileError, type Report, type Source } from "./format.ts";
import { readLines } from "./lines.ts";

/** Lines between two blank ones. */
export interface Sentence {
  /** Number of the first line, from 1. */
  readonly first: number;
  readonly lines: readonly string[];
  /** What is wrong with a line, by position. */
  readonly problems: ReadonlyMap<number, string>;
}

/** The sentences of a file: lines with blank ones between. Throws an InputError where there is none. */
export async function* readSentences(
  source: Source,
  settings: Pick<DataSettings, "encoding">,
  report: Report,
): AsyncGenerator<Sentence, void> {
  let first = 0;
  let lines: string[] = [];
  let problems = new Map<number, string>();
  let count = 0;
  const take = (): Sentence => {
    const sentence = { first, lines, problems };
    lines = [];
    problems = new Map();
    count++;
    return sentence;
  };
  for await (const block of readLines(source.path, source.name, settings.encoding, report)) {
    for (let i = 0; i < block.texts.length; i++) {
      const text = block.texts[i]!.endsWith("\r") ? block.texts[i]!.slice(0, -1) : block.texts[i]!;
      const problem = block.problems.get(i);
      if (problem === undefined && text.trim() === "") {
        if (lines.length > 0) yield take();
        continue;
      }
      if (lines.length === 0) first = block.first + i;
      if (problem !== undefined) problems.set(lines.length, problem);
      lines.push(text);
    }
  }
  if (lines.length > 0) yield take();
  if (count === 0) throw fileError(source.name, "is empty; there are no sentences to read");
}

/** A row of tokens; the text is theirs with `gaps` between (a blank where left out), unless it is given. */
export function tokenRow(
  source: Source,
  where: string,
  tokens: Omit<TaggedTokens, "starts">,
  more: { readonly gaps?: readonly string[]; readonly group?: string | null } = {},
): Row {
  const { texts } = tokens;
  const starts = new Int32Array(texts.length);
  let text = "";
  for (const [i, token] of texts.entries()) {
    starts[i] = text.length;
    text += token;
    if (i + 1 < texts.length) text += more.gaps?.[i] ?? " ";
  }
  return {
    where,
    input: { kind: "text", text },
    label: null,
    split: source.split,
    group: more.group ?? null,
    weight: 1,
    tokens: { ...tokens, starts },
  };
}

import type { Span } from "@graft-ml/core";

/**
 * The spans of `Entity=` in the last field of each token of a sentence
 * (https://universaldependencies.org/misc.html): an opening "(id-type-…", a closing "id)", or both at once.
 * Nested ones are thinned to the outermost or the innermost, since tags hold one span a token; what goes on
 * into another sentence ends with this one. `header` is the document's
 * `global.Entity`, which says at what place the type stands; the second where there is none.
 */
export function entitySpans(
  misc: readonly string[],
  header: string | null,
  depth: "outer" | "inner",
): Span[] | { readonly problem: string; readonly token: number } {
  const typeAt =
    header === null
      ? 1
      : Math.max(
          0,
          header.split("-").findIndex((part) => /^(e?type)$/i.test(part)),
        );
  const spans: Span[] = [];
  const open = new Map<string, { readonly type: string; readonly start: number }[]>();
  for (const [token, field] of misc.entries()) {
    const value = /(?:^|\|)Entity=([^|]*)/.exec(field)?.[1];
    if (value === undefined) continue;
    let last = ""; // the id a bare ")" closes
    for (const [, opening, closing] of value.matchAll(/\(([^()]+)|([^()]*)\)/g)) {
      if (opening !== undefined) {
        const parts = opening.split("-");
        const type = parts[typeAt];
        if (type === undefined)
          return { token, problem: `Entity=${value}: "${opening}" has no type in place ${typeAt + 1}` };
        const id = idOf(parts[0]!);
        const begun = open.get(id) ?? [];
        begun.push({ type, start: token });
        open.set(id, begun);
        last = id;
        continue;
      }
      const id = closing === "" ? last : idOf(closing!);
      const begun = open.get(id)?.pop();
      if (begun === undefined) continue; // it began in a sentence before
      spans.push({ ...begun, end: token + 1 });
    }
  }
  for (const begun of open.values()) for (const one of begun) spans.push({ ...one, end: misc.length });
  return flat(spans, depth);
}

/** An id without its count of parts: 12 of "12[1/2]". */
function idOf(text: string): string {
  return text.replace(/\[.*$/, "");
}

/** Spans of which no two share a token: the outermost, or the innermost. */
function flat(spans: readonly Span[], depth: "outer" | "inner"): Span[] {
  const length = ({ start, end }: Span) => end - start;
  const sign = depth === "outer" ? -1 : 1;
  const ordered = [...spans].sort((a, b) => sign * (length(a) - length(b)) || a.start - b.start);
  const kept: Span[] = [];
  for (const span of ordered)
    if (kept.every(({ start, end }) => span.end <= start || span.start >= end)) kept.push(span);
  return kept.sort((a, b) => a.start - b.start);
}

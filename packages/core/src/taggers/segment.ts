/** A token of a text: from `start` on, in UTF-16 units. */
export interface Segment {
  readonly text: string;
  readonly start: number;
}

/** How a text is cut: into words as the Unicode rules have them, or into single characters. */
export type Unit = "words" | "characters";

/**
 * The tokens of a text without the blanks between them: words by the platform's `Intl.Segmenter` (Unicode
 * Standard Annex 29) with what is written in Han characters cut one by one, or single characters.
 */
export function segments(text: string, unit: Unit = "words"): Segment[] {
  const found: Segment[] = [];
  for (const { segment, index } of (unit === "words" ? byWords : byCharacters).segment(text)) {
    if (segment.trim() === "") continue;
    if (unit === "characters" || !/\p{Script=Han}/u.test(segment)) {
      found.push({ text: segment, start: index });
      continue;
    }
    for (const one of byCharacters.segment(segment))
      if (one.segment.trim() !== "") found.push({ text: one.segment, start: index + one.index });
  }
  return found;
}

/** The sentences of a text, each from `start` on, without the blanks around them. */
export function sentencesOf(text: string): Segment[] {
  const found: Segment[] = [];
  for (const { segment, index } of bySentences.segment(text)) {
    const trimmed = segment.trim();
    if (trimmed !== "") found.push({ text: trimmed, start: index + segment.indexOf(trimmed) });
  }
  return found;
}

const byWords = new Intl.Segmenter("en", { granularity: "word" });
const byCharacters = new Intl.Segmenter("en", { granularity: "grapheme" });
const bySentences = new Intl.Segmenter("en", { granularity: "sentence" });

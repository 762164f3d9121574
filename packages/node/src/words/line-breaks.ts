/** Signs of the longest line that is taken to be broken to a width, and of the narrowest width. */
const WIDEST = 100;
const NARROWEST = 40;
/** Lines that are looked at together: files often hold parts of several widths, and parts of none. */
const AROUND = 128;
/**
 * Share of breaks without room from which on lines are taken to be broken to a width: half to all of them are
 * in novels that were, a fifth at most in sentences, questions and reviews of a line each.
 */
const SHARE = 0.4;
/**
 * Breaks that tell something, and blank lines that a text has whose lines are broken: without any, lines are
 * a list.
 */
const LEAST = 8;
const BLANK = 2;

/**
 * For each line whether the text goes on in the next one: whether the break after it is there for the width
 * alone, since the next line's first word would have had no room. Told anew for every 128 lines, by the
 * longest of them; lines whose breaks mostly have room, such as a text a line, go on nowhere, nor do lines
 * without a blank one among them.
 */
export function goesOn(lines: readonly string[]): Uint8Array {
  const found = new Uint8Array(lines.length);
  const lengths = lines.map((line) => line.trimEnd().length);
  if (lengths.filter((length) => length === 0).length < BLANK) return found;
  const isNarrow = (i: number) => lengths[i]! > 0 && lengths[i]! <= WIDEST;
  for (let from = 0; from < lines.length; from += AROUND) {
    const to = Math.min(lines.length, from + AROUND);
    let width = 0;
    for (let i = from; i < to; i++) if (isNarrow(i)) width = Math.max(width, lengths[i]!);
    if (width < NARROWEST) continue;
    const without: number[] = [];
    let breaks = 0;
    for (let i = from; i < to && i + 1 < lines.length; i++) {
      if (!isNarrow(i) || !isNarrow(i + 1)) continue;
      breaks++;
      if (lengths[i]! + 1 + firstWord(lines[i + 1]!) > width) without.push(i);
    }
    if (breaks >= LEAST && without.length >= SHARE * breaks) for (const i of without) found[i] = 1;
  }
  return found;
}

const UNSPACED = /^\p{Script=Han}|^\p{Script=Hiragana}|^\p{Script=Katakana}|^\p{Script=Thai}/u;

/** Signs of a line's first word; one where words have no blanks between and a line may break anywhere. */
function firstWord(line: string): number {
  const [word] = /\S{1,20}/.exec(line) ?? [""];
  return UNSPACED.test(word) ? 1 : word.length;
}

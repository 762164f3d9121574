/** A run of letters, marks and digits, with apostrophes inside it: one word; or one sign that people write on purpose. */
const WORD = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|[!?$%€£]|\p{Extended_Pictographic}/gu;

/** Scripts written without spaces: their characters are taken one by one. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

const RUNS = new RegExp(`${UNSPACED.source}+|(?:(?!${UNSPACED.source})[\\s\\S])+`, "gu");

/** Longest runs of characters that become n-grams: what is longer is no word, and costs would grow without use. */
const LONGEST_WORD = 40;

/** Which n-grams are counted; each pair is [shortest, longest], 0 for none. */
export interface TermSettings {
  /** Words in sequence. */
  readonly words: readonly [number, number];
  /** Characters within a word, its ends marked. */
  readonly characters: readonly [number, number];
  /** Characters in sequence, of scripts without spaces. */
  readonly unspaced: readonly [number, number];
}

/**
 * The terms of a text with repetitions, each with the kind of n-gram before it: "w:" words, "c:" characters within a
 * word, "z:" characters of scripts without spaces. Text is normalised (NFKC) and lower-cased. Time is linear in the text.
 */
export function* termsOf(text: string, settings: TermSettings): Iterable<string> {
  const words: string[] = [];
  for (const [match] of text.normalize("NFKC").toLowerCase().replaceAll("’", "'").matchAll(WORD))
    for (const [run] of match.matchAll(RUNS)) {
      if (!UNSPACED.test(run)) {
        words.push(run);
        continue;
      }
      yield* wordGrams(words.splice(0), settings);
      yield* grams("z:", [...run], settings.unspaced, "");
    }
  yield* wordGrams(words, settings);
}

function* wordGrams(words: readonly string[], settings: TermSettings): Iterable<string> {
  yield* grams("w:", words, settings.words, " ");
  for (const word of words)
    if (word.length <= LONGEST_WORD) yield* grams("c:", [..." ", ...word, " "], settings.characters, "");
}

function* grams(
  kind: string,
  units: readonly string[],
  [shortest, longest]: readonly [number, number],
  between: string,
): Iterable<string> {
  if (longest === 0) return;
  for (let n = shortest; n <= longest; n++)
    for (let i = 0; i + n <= units.length; i++) yield kind + units.slice(i, i + n).join(between);
}

/**
 * Splits a text, normalised (NFKC) and lower-cased, into words and into runs of characters of scripts written
 * without spaces. A word is letters, marks and digits with apostrophes inside, or one sign that people write
 * on purpose. Time is linear in the text.
 */
export function scanText(
  text: string,
  onWord: (word: string) => void,
  onUnspaced: (run: string) => void,
): void {
  const lower = normalised(text);
  let start = -1;
  let isUnspaced = false;
  const end = (at: number) => {
    if (start >= 0) (isUnspaced ? onUnspaced : onWord)(lower.slice(start, at));
    start = -1;
  };
  const begin = (at: number, unspaced: boolean) => {
    if (start >= 0 && isUnspaced === unspaced) return;
    end(at);
    start = at;
    isUnspaced = unspaced;
  };
  for (let at = 0; at < lower.length; ) {
    const code = lower.codePointAt(at)!;
    const next = at + (code > 0xffff ? 2 : 1);
    const kind = kindOf(code);
    if (kind === LETTER) begin(at, false);
    else if (kind === UNSPACED) begin(at, true);
    else if (kind === APOSTROPHE) {
      const isInside = start >= 0 && !isUnspaced && next < lower.length;
      if (!isInside || !isWordPart(lower.codePointAt(next)!)) end(at);
    } else if (kind === MARK) {
      if (start < 0) begin(at, false);
    } else {
      end(at);
      if (kind === SIGN) onWord(lower.slice(at, next));
    }
    at = next;
  }
  end(lower.length);
}

const [OTHER, LETTER, UNSPACED, MARK, SIGN, APOSTROPHE] = [1, 2, 3, 4, 5, 6] as const;

/**
 * Scripts written without spaces: their characters are taken one by one. The extensions of a script hold what
 * it shares with others, as the long-vowel mark ー of Hiragana and Katakana.
 */
const SCRIPTS = ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"];
const IS_UNSPACED = new RegExp(`[${SCRIPTS.map((name) => `\\p{Script_Extensions=${name}}`).join("")}]`, "u");

/** Kinds found so far by code point, 0 where none was looked up: regular expressions a character would be slow. */
const kinds = new Uint8Array(0x30000);

function kindOf(code: number): number {
  return (code < kinds.length && kinds[code]) || lookUp(code);
}

function lookUp(code: number): number {
  const character = String.fromCodePoint(code);
  const isText = /[\p{L}\p{M}\p{N}]/u.test(character);
  const kind =
    isText && IS_UNSPACED.test(character)
      ? UNSPACED
      : isText
        ? /\p{M}/u.test(character)
          ? MARK
          : LETTER
        : character === "'"
          ? APOSTROPHE
          : /[!?$%€£]|\p{Extended_Pictographic}/u.test(character)
            ? SIGN
            : OTHER;
  if (code < kinds.length) kinds[code] = kind;
  return kind;
}

const isWordPart = (code: number) => kindOf(code) === LETTER || kindOf(code) === MARK;

function normalised(text: string): string {
  return /^[\0-\x7f]*$/.test(text)
    ? text.toLowerCase()
    : text.normalize("NFKC").toLowerCase().replaceAll("’", "'");
}

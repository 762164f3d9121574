/**
 * The outline of a word: X for capitals, x for other letters, d for digits, anything else as it is, runs cut
 * to two: "Xxdd" of "Apt42", "XX" of "NATO".
 */
export function wordShape(word: string): string {
  let shape = "";
  let last = "";
  let run = 0;
  for (const char of word) {
    const one = /\p{Lu}/u.test(char) ? "X" : /\p{L}/u.test(char) ? "x" : /\p{N}/u.test(char) ? "d" : char;
    run = one === last ? run + 1 : 1;
    last = one;
    if (run <= 2) shape += one;
    if (shape.length >= 12) break;
  }
  return shape;
}

/** A word with its numbers made alike: every digit is 0. */
export function withoutDigits(word: string): string {
  return word.replace(/\p{N}/gu, "0");
}

/** FNV-1a over UTF-16 units, 32 bits (Fowler, Noll and Vo), from `seed` on. */
export function hashOf(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return finished(hash);
}

/** One hash of several numbers. */
export function mixed(a: number, b: number, c = 0): number {
  let hash = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b ^ (a >>> 15), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ c, 0x27d4eb2f);
  return finished(hash);
}

function finished(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x21f0aaad);
  h ^= h >>> 15;
  return h >>> 0;
}

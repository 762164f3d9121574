/** What says which sequences a word has. */
export interface SubwordShape {
  /** Shortest and longest sequence, in characters. */
  readonly shortest: number;
  readonly longest: number;
  readonly buckets: number;
}

const encoder = new TextEncoder();

/**
 * The buckets of a word's sequences, in the order fastText has them, repeated where two share one. Hashes are
 * FNV-1a over UTF-8 with bytes taken as signed, as in fastText's dictionary.cc, so that its models are read
 * as it wrote them.
 */
export function subwordBuckets(word: string, { shortest, longest, buckets }: SubwordShape): number[] {
  const bytes = encoder.encode(`<${word}>`);
  const found: number[] = [];
  for (let from = 0; from < bytes.length; from++) {
    if (isContinuation(bytes[from]!)) continue;
    let hash = 0x811c9dc5;
    let to = from;
    for (let length = 1; to < bytes.length && length <= longest; length++) {
      do {
        hash = Math.imul(hash ^ ((bytes[to]! << 24) >> 24), 0x01000193);
        to++;
      } while (to < bytes.length && isContinuation(bytes[to]!));
      const isBoundary = length === 1 && (from === 0 || to === bytes.length);
      if (length >= shortest && !isBoundary) found.push((hash >>> 0) % buckets);
    }
  }
  return found;
}

/** Bytes 10xxxxxx continue a character of UTF-8. */
const isContinuation = (byte: number) => (byte & 0xc0) === 0x80;

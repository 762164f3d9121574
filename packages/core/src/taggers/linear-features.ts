import { hashOf, mixed, withoutDigits, wordShape } from "./word-shape.ts";

/** Hashes of one word, kept so that a word that comes again costs nothing. */
interface WordHashes {
  readonly word: number;
  readonly lower: number;
  readonly shape: number;
  readonly suffix2: number;
  readonly suffix3: number;
  /** Hashes of what the word alone says: form, affixes, outline. */
  readonly own: readonly number[];
}

/**
 * What a linear tagger sees of a token: the word, its affixes and outline, and its neighbours up to two away,
 * alone and in pairs (after Ratnaparkhi 1996, https://aclanthology.org/W96-0213, and Honnibal 2013), each
 * hashed to one of `rows` rows (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206).
 */
export interface LinearFeatures {
  readonly rows: number;
  /** Features of a token. */
  readonly count: number;
  /** Rows [length, count] of the tokens of a sentence. */
  of(tokens: readonly string[]): Int32Array;
}

/** Affixes up to this many characters. */
const AFFIX = 5;

/** The features of words over a table of `rows` rows. */
export function linearFeatures(rows: number): LinearFeatures {
  const known = new Map<string, WordHashes>();
  const edge = hashesOf("\u0002");
  const hashes = (token: string): WordHashes => {
    let found = known.get(token);
    if (found === undefined) {
      if (known.size > 500_000) known.clear();
      known.set(token, (found = hashesOf(token)));
    }
    return found;
  };
  const count = edge.own.length + PLACES;
  return {
    rows,
    count,
    of(tokens) {
      const found = new Int32Array(tokens.length * count);
      const words = tokens.map(hashes);
      const at = (i: number) => words[i] ?? edge;
      for (let i = 0; i < tokens.length; i++) {
        let to = i * count;
        const [a, b, now, c, d] = [at(i - 2), at(i - 1), at(i), at(i + 1), at(i + 2)];
        for (const hash of now.own) found[to++] = hash % rows;
        let place = 0;
        const put = (first: number, second = 0) => {
          found[to++] = mixed(first, second, 0x51ed270b + place++) % rows;
        };
        put(b.lower);
        put(c.lower);
        put(a.lower);
        put(d.lower);
        put(b.lower, now.lower);
        put(now.lower, c.lower);
        put(b.lower, c.lower);
        put(b.suffix3);
        put(c.suffix3);
        put(b.suffix2, now.suffix3);
        put(now.suffix3, c.suffix2);
        put(b.suffix3, c.suffix3);
        put(b.shape, now.shape);
        put(now.shape, c.shape);
        put(a.lower, b.lower);
        put(c.lower, d.lower);
        put(now.shape, i === 0 ? 1 : 2);
        put(b.shape, mixed(now.shape, c.shape));
      }
      return found;
    },
  };
}

const PLACES = 18;

function hashesOf(word: string): WordHashes {
  const plain = withoutDigits(word);
  const lower = plain.toLowerCase();
  const shape = wordShape(word);
  const own = [hashOf(word, 1), hashOf(lower, 2), hashOf(shape, 3)];
  const characters = [...lower];
  for (let n = 1; n <= AFFIX; n++) {
    own.push(hashOf(characters.slice(0, n).join(""), 10 + n), hashOf(characters.slice(-n).join(""), 20 + n));
  }
  own.push(mixed(hashOf(characters.slice(-3).join(""), 30), hashOf(shape, 3)));
  return {
    word: own[0]!,
    lower: own[1]!,
    shape: own[2]!,
    suffix2: hashOf(characters.slice(-2).join(""), 22),
    suffix3: hashOf(characters.slice(-3).join(""), 23),
    own,
  };
}

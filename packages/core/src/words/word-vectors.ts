import { InputError } from "../errors.ts";
import { composeVector, type Subwords } from "./subwords.ts";

/** Words and a vector for each, as a trainer leaves them or a file holds them. */
export interface WordVectors {
  /** The words [V], each once; the commonest first where the file or the trainer knows. */
  readonly words: readonly string[];
  /** D, the numbers of a vector. */
  readonly dimension: number;
  /** The vectors, row after row [V, D]. */
  readonly vectors: Float32Array;
  /** How often each word was seen [V]; null where nobody counted. */
  readonly counts: Float64Array | null;
  /** Vectors of character sequences, of which words never seen are made; null where there are none. */
  readonly subwords: Subwords | null;
  /** The row of a word; −1 where there is none. */
  indexOf(word: string): number;
  /** The vector of a word [D], a view; of an unknown word the mean of its known parts, or null where it has none. */
  vectorOf(word: string): Float32Array | null;
}

/** What `wordVectors` is made of. */
export interface WordVectorsParts {
  readonly words: readonly string[];
  readonly dimension: number;
  readonly vectors: Float32Array;
  readonly counts?: Float64Array | null;
  readonly subwords?: Subwords | null;
  /** Row of each word, where somebody made that already. */
  readonly index?: ReadonlyMap<string, number>;
}

/**
 * Word vectors over the arrays given, which are not copied. Throws an InputError where their extents do not
 * agree or a word occurs twice.
 */
export function wordVectors(parts: WordVectorsParts): WordVectors {
  const { words, dimension, vectors, counts = null, subwords = null } = parts;
  if (!(Number.isInteger(dimension) && dimension > 0))
    throw new InputError(`word vectors have ${dimension} numbers a word; a whole number from 1 was expected`);
  if (vectors.length !== words.length * dimension)
    throw new InputError(
      `${words.length} words of ${dimension} numbers need ${words.length * dimension}, got ${vectors.length}`,
    );
  if (counts !== null && counts.length !== words.length)
    throw new InputError(`${words.length} words came with ${counts.length} counts; give one for each`);
  if (subwords !== null && subwords.table.length !== subwords.buckets * dimension)
    throw new InputError(
      `${subwords.buckets} buckets of ${dimension} numbers need ${subwords.buckets * dimension}, got ${subwords.table.length}`,
    );
  const index = parts.index ?? indexed(words);
  const indexOf = (word: string) => index.get(word) ?? -1;
  return {
    words,
    dimension,
    vectors,
    counts,
    subwords,
    indexOf,
    vectorOf(word) {
      const i = indexOf(word);
      if (i >= 0) return vectors.subarray(i * dimension, (i + 1) * dimension);
      return subwords === null ? null : composeVector(word, subwords, dimension);
    },
  };
}

function indexed(words: readonly string[]): Map<string, number> {
  const index = new Map<string, number>();
  for (const [i, word] of words.entries()) index.set(word, i);
  if (index.size === words.length) return index;
  const twice = words.find((word, i) => index.get(word) !== i)!;
  throw new InputError(`the word ${JSON.stringify(twice)} has two vectors; keep one of them`);
}

/** The rows of some words alone, in the order given [rows.length, D]; sub-words are kept. */
export function takeWords(all: WordVectors, rows: ArrayLike<number>): WordVectors {
  const { dimension, vectors, counts, subwords } = all;
  const taken = new Float32Array(rows.length * dimension);
  for (let i = 0; i < rows.length; i++)
    taken.set(vectors.subarray(rows[i]! * dimension, (rows[i]! + 1) * dimension), i * dimension);
  return wordVectors({
    words: Array.from(rows, (i) => all.words[i]!),
    dimension,
    vectors: taken,
    counts: counts === null ? null : Float64Array.from(rows, (i) => counts[i]!),
    subwords,
  });
}

import {
  GIVEN_EMBEDDINGS,
  InputError,
  type Model,
  NoWordKnown,
  parametersOf,
  type Tensor,
  type WordVectors,
  withParameters,
  wordTokenizer,
} from "@graft-ml/core";
import type { TokenizerFiles } from "../backbones/index.ts";
import { SPECIAL_TOKENS, wordTokenizerFiles } from "../texts/index.ts";
import { coverageOf, coverageSentence } from "../words/index.ts";
import { MOST_WORDS, openVectors } from "./vectors.ts";

/** What becomes of given vectors while the network above them is trained. */
export const VECTOR_TRAININGS = ["tuned", "frozen", "frozen-then-tuned"] as const;
/** One of them: they learn, stay as they are, or learn in the second half. */
export type VectorTraining = (typeof VECTOR_TRAININGS)[number];

/** Word vectors that a network of texts begins with. */
export interface VectorsChoice {
  /** `vectors:FILE` or `builtin:NAME`. */
  readonly spec: string;
  readonly training?: VectorTraining;
}

/** The tokens of a network and the vectors they begin with. */
export interface WordTable {
  /** V, D, and how many of the last tokens never learn: settings of the architecture. */
  readonly settings: { readonly vocabulary: number; readonly width: number; readonly given: number };
  readonly tokenizer: TokenizerFiles;
  readonly name: string;
  readonly notes: readonly string[];
  /** The model with the vectors in its tables; tokens without one stay as they were drawn. */
  fill(drawn: Model): Model;
  /** Parameters of a model that hold vectors and are to learn in the second half alone. */
  lateIn(model: Model): string[];
}

/** Words without a vector that come less often than this in the training texts are one unknown token. */
const LEAST = 2;
/** Root of the mean square of an embedding's numbers as `initialise` draws them. */
const DRAWN = 0.02;

/**
 * Tokens from word vectors and training texts: words of the texts that have a vector (made of sub-words, too)
 * or come twice, and the commonest others of the vectors, so that words no training text has are known when
 * they come. All vectors are scaled alike, to the size that embeddings are drawn at. Throws an InputError
 * where the vectors' words are not those that texts can be split into, NoWordKnown where no text holds one of
 * them.
 */
export async function openWordTable(
  { spec, training = "tuned" }: VectorsChoice,
  texts: readonly string[],
  maxLength: number,
): Promise<WordTable> {
  const { vectors, kind, name, notes } = await openVectors(spec);
  if (kind === "words" && isSegmented(vectors))
    throw new InputError(
      `${name}: its words of scripts without spaces have several signs, which tokenizer.json cannot split texts into; train vectors with --tokens characters`,
    );
  const has = (word: string) => vectors.vectorOf(word) !== null;
  const own = commonest(texts).filter(([word, count]) => count >= LEAST || has(word));
  if (!own.some(([word]) => has(word)))
    throw new NoWordKnown(
      `${name}: none of the ${texts.length} training texts holds a word that has a vector; check the text column, or take vectors of its language`,
    );
  const seen = own.map(([word]) => word);
  const isFrozen = training === "frozen";
  const learnt = isFrozen ? seen.filter((word) => !has(word)) : seen;
  // Vectors taken out of a language model have rows of its special tokens, whose names are taken here.
  const known = new Set<string>([...SPECIAL_TOKENS, ...seen]);
  const given = [
    ...(isFrozen ? seen.filter(has) : []),
    ...vectors.words.slice(0, MOST_WORDS).filter((word) => !known.has(word)),
  ];
  const { dimension } = vectors;
  const scale = DRAWN / rootMeanSquare(vectors);
  const rowsInto = (data: Float32Array, words: readonly string[], from: number) => {
    for (const [i, word] of words.entries())
      for (const [d, value] of vectors.vectorOf(word)?.entries() ?? [])
        data[(from + i) * dimension + d] = scale * value;
  };
  const learntRows = SPECIAL_TOKENS.length + learnt.length;
  return {
    settings: { vocabulary: learntRows + given.length, width: dimension, given: given.length },
    tokenizer: wordTokenizerFiles([...learnt, ...given], maxLength),
    name,
    notes: [...notes, coverageSentence(coverageOf(vectors, texts, "characters"), "the training texts'")],
    fill(drawn) {
      const table = tableOf(drawn, learntRows);
      const own = (table.data as Float32Array).slice();
      rowsInto(own, learnt, SPECIAL_TOKENS.length);
      const rest = new Float32Array(given.length * dimension);
      rowsInto(rest, given, 0);
      return withParameters(
        drawn,
        new Map<string, Tensor>([
          [table.name, { dtype: "float32", shape: [learntRows, dimension], data: own }],
          ...(given.length === 0
            ? []
            : [
                [
                  GIVEN_EMBEDDINGS,
                  { dtype: "float32", shape: [given.length, dimension], data: rest },
                ] as const,
              ]),
        ]),
      );
    },
    lateIn: (model) => (training === "frozen-then-tuned" ? [tableOf(model, learntRows).name] : []),
  };
}

/** Words with how often they come, the commonest first, equally common ones in the order of their characters. */
function commonest(texts: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  const tokenize = wordTokenizer("characters");
  for (const text of texts) tokenize(text, (word) => counts.set(word, (counts.get(word) ?? 0) + 1));
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}

/** Whether most of its words in scripts without spaces have more than one sign. */
function isSegmented({ words }: WordVectors): boolean {
  const unspaced = words.filter((word) =>
    /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Thai}]+$/u.test(word),
  );
  const several = unspaced.filter((word) => [...word].length > 1).length;
  return several > unspaced.length / 2 && unspaced.length > words.length / 10;
}

function rootMeanSquare({ vectors }: WordVectors): number {
  const square = vectors.reduce((sum, value) => sum + value * value, 0) / vectors.length;
  return Math.sqrt(square) || 1;
}

/** The table of the tokens that learn. */
function tableOf(model: Model, rows: number): { readonly name: string; readonly data: Tensor["data"] } {
  const found = parametersOf(model).find(
    ({ role, tensor }) => role === "embedding" && tensor.shape[0] === rows,
  );
  if (found === undefined)
    throw new InputError("the architecture has no table of tokens to put vectors into");
  return { name: found.name, data: found.tensor.data };
}

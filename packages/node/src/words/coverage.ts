import { type TokenKind, type WordVectors, wordTokenizer } from "@graft-ml/core";

/** How much of texts has a vector. */
export interface Coverage {
  /** Words of the texts, repeated ones counted again, and those of them without a vector. */
  readonly tokens: number;
  readonly unknownTokens: number;
  /** Different words, and those of them without a vector. */
  readonly words: number;
  readonly unknownWords: number;
  /** Different words without a vector that the vectors of character sequences make up. */
  readonly recovered: number;
  /** The commonest words without a vector, and how often each comes. */
  readonly commonest: readonly { readonly word: string; readonly count: number }[];
}

/** Share of words without a vector from which on vectors of another text are proposed. */
const HIGH = 0.1;
const SHOWN = 20;

/** Counts which words of texts have a vector. */
export function coverageOf(vectors: WordVectors, texts: Iterable<string>, kind: TokenKind): Coverage {
  const counts = new Map<string, number>();
  const tokenize = wordTokenizer(kind);
  for (const text of texts) tokenize(text, (token) => counts.set(token, (counts.get(token) ?? 0) + 1));
  const unknown = [...counts].filter(([word]) => vectors.indexOf(word) < 0);
  const sum = (all: Iterable<readonly [string, number]>) => {
    let total = 0;
    for (const [, count] of all) total += count;
    return total;
  };
  return {
    tokens: sum(counts),
    unknownTokens: sum(unknown),
    words: counts.size,
    unknownWords: unknown.length,
    recovered: unknown.filter(([word]) => vectors.vectorOf(word) !== null).length,
    commonest: unknown
      .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
      .slice(0, SHOWN)
      .map(([word, count]) => ({ word, count })),
  };
}

/** The same in a sentence; where much has no vector, with what may help. */
export function coverageSentence(coverage: Coverage, texts: string): string {
  const { tokens, unknownTokens, unknownWords, recovered, commonest } = coverage;
  const share = tokens === 0 ? 0 : unknownTokens / tokens;
  const names = commonest.slice(0, 5).map(({ word }) => word);
  const shown = names.length === 0 ? "" : `, the commonest ${names.join(", ")}`;
  const made = recovered === 0 ? "" : `; sub-words make up ${recovered} of them`;
  const remedy = share > HIGH ? "; vectors of this domain may help: graft embed --from" : "";
  return `${(100 * share).toFixed(1)} % of ${texts} words have no vector (${unknownWords} different ones${shown}${made})${remedy}`;
}

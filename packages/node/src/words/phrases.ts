import { rename } from "node:fs/promises";
import { PairCounter, PHRASE_MARK, PhraseJoiner, phraseScore, WordCounter } from "@graft-ml/core";
import { numberWriter, readNumbers } from "./numbers.ts";

/** How words are joined to phrases. */
export interface PhraseOptions {
  /** Taken off a pair's count, so that seldom ones are none. */
  readonly least: number;
  /** Scores above which two words are one. */
  readonly threshold: number;
}

/** What ends a text, and what stands for a word that was forgotten: its neighbours are no pair. */
const [END, FORGOTTEN] = [-1, -2];

/**
 * One pass: counts the pairs of a corpus that lies as numbers of `counter`'s words in a file, and writes it
 * anew with phrases joined, in the numbers of the counter that is returned. The last word of a pair stands
 * directly behind the first, in the same text.
 */
export async function joinPhrases(
  path: string,
  counter: WordCounter,
  { least, threshold }: PhraseOptions,
): Promise<WordCounter> {
  const words = counter.words();
  const pairs = new PairCounter();
  let last = END;
  const tokenOf = (number: number) => (number >= 0 && words[number] === undefined ? FORGOTTEN : number);
  for await (const block of readNumbers(path))
    for (const number of block) {
      const token = tokenOf(number);
      if (last >= 0 && token >= 0) pairs.add(last, token);
      last = token;
    }
  const N = counter.distinct + pairs.size;
  const isPhrase = (first: number, second: number) => {
    const [a, b] = [counter.countOf(first), counter.countOf(second)];
    return phraseScore(pairs.count(first, second), a, b, least, N) > threshold;
  };
  const joined = new WordCounter();
  const part = `${path}.joined`;
  const out = await numberWriter(part);
  const joiner = new PhraseJoiner(isPhrase, (first, second) => {
    if (first === END) out.put(END);
    else if (first !== FORGOTTEN)
      out.put(joined.add(second === null ? words[first]! : words[first]! + PHRASE_MARK + words[second]!));
  });
  for await (const block of readNumbers(path)) {
    for (const number of block) joiner.take(tokenOf(number));
    await out.flush();
  }
  await out.close();
  await rename(part, path);
  return joined;
}

import type { Split } from "@graft-ml/core";

const words: Readonly<Record<string, Split>> = {
  train: "train",
  training: "train",
  val: "val",
  valid: "val",
  validation: "val",
  dev: "val",
  test: "test",
  testing: "test",
};

/**
 * The part a word stands for (train, training, val, valid, validation, dev, test, testing), in any case; null
 * for others.
 */
export function splitOf(word: string): Split | null {
  const plain = word.trim().toLowerCase();
  return Object.hasOwn(words, plain) ? words[plain]! : null;
}

/**
 * The part a file's name says and the name without it: "stsa.binary.dev" is val of "stsa.binary". Numbers of shards
 * ("train-00000-of-00004.parquet") are no part of the name. Null where the name says none, or two.
 */
export function splitOfName(fileName: string): { split: Split; rest: string } | null {
  const plain = fileName.replace(/\.gz$/i, "").replace(/-?\d+-of-\d+/, "");
  const pieces = plain.split(/([._-])/);
  const found = pieces.flatMap((piece, i) => (splitOf(piece) === null ? [] : [i]));
  if (found.length !== 1) return null;
  const split = splitOf(pieces[found[0]!]!)!;
  return { split, rest: pieces.filter((piece, i) => i !== found[0] && !/^[._-]?$/.test(piece)).join(".") };
}

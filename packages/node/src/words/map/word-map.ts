import {
  InputError,
  type Matrix,
  matrix,
  principalComponents,
  trustworthiness,
  umap,
  type WordVectors,
} from "@graft-ml/core";
import { type Relation, wellKnownRelations } from "./relations.ts";

/** What is drawn. */
export interface WordMapOptions {
  /** Words that are named on the map whatever lies around them. */
  readonly words?: readonly string[];
  /** Pairs with arrows between; the well-known ones whose words are there where left out and no word is given. */
  readonly relations?: readonly Relation[] | null;
  /** Commonest other words around them; 150 where left out, none where words are given. */
  readonly count?: number | null;
  readonly seed?: number;
}

/** Words on a plane. Plain data. */
export interface Projection {
  readonly name: "pca" | "umap";
  readonly words: readonly string[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Whether a word was asked for or is one of a pair; the others are there for company. */
  readonly isNamed: readonly boolean[];
  readonly relations: readonly Relation[];
  /** Share of the variance along both axes; of principal components alone. */
  readonly explained: number | null;
  /**
   * How far neighbours on the plane are neighbours among the vectors, and of how many nearest; null for a few
   * words.
   */
  readonly trust: { readonly share: number; readonly neighbours: number } | null;
}

/** Maps of the same vectors. */
export interface WordMap {
  readonly pca: Projection;
  readonly umap: Projection;
  /** Each relation alone by principal components, where there are several. */
  readonly each: readonly Projection[];
  /** Words asked for that have no vector. */
  readonly missing: readonly string[];
}

const COMPANY = 150;
const MOST_WORDS = 2000;
const NEIGHBOURS = 10;

/**
 * Words laid out on a plane, vectors divided by their length: by principal components, which keep the large
 * directions so that like pairs give like arrows, and by UMAP, which keeps neighbours. Principal components
 * are of the named words alone, if there are three. Throws an InputError where fewer than three words are
 * left to draw.
 */
export function wordMap(vectors: WordVectors, options: WordMapOptions = {}): WordMap {
  const { words = [], seed = 0 } = options;
  const has = (word: string) => vectors.vectorOf(word) !== null;
  const asked = options.relations ?? (words.length > 0 ? [] : wellKnownRelations(vectors));
  const relations = asked
    .map(({ name, pairs }) => ({ name, pairs: pairs.filter((pair) => pair.every(has)) }))
    .filter(({ pairs }) => pairs.length > 0);
  const wanted = [...new Set([...words, ...asked.flatMap(({ pairs }) => pairs.flat())])];
  const named = wanted.filter(has);
  const company = commonest(vectors, new Set(named), options.count ?? (words.length > 0 ? 0 : COMPANY));
  const all = [...named, ...company];
  const missing = wanted.filter((word) => !has(word));
  if (all.length < 3)
    throw new InputError(
      `a map needs three words with vectors, got ${all.length}${missing.length === 0 ? "" : ` (none for ${missing.slice(0, 10).join(", ")})`}; name more, or a --count of the commonest, of four letters or more, around them`,
    );
  if (all.length > MOST_WORDS)
    throw new InputError(
      `a map has room for ${MOST_WORDS} words, got ${all.length}; name fewer, or a lower --count`,
    );
  const project = (name: Projection["name"], drawn: readonly string[], shown: readonly Relation[]) =>
    projection(vectors, { name, words: drawn, named: named.length, relations: shown, seed });
  return {
    pca: project("pca", named.length >= 3 ? named : all, relations),
    umap: project("umap", all, relations),
    each: relations
      .filter(({ pairs }) => relations.length > 1 && new Set(pairs.flat()).size >= 4)
      .map((relation) => project("pca", [...new Set(relation.pairs.flat())], [relation])),
    missing,
  };
}

function projection(
  vectors: WordVectors,
  {
    name,
    words,
    named,
    relations,
    seed,
  }: Pick<Projection, "name" | "words" | "relations"> & { readonly named: number; readonly seed: number },
): Projection {
  const rows = directions(vectors, words);
  const { scores, explained } = principalComponents(rows, 2);
  const plane = name === "pca" ? scores : lying(umap(rows, { seed }));
  const neighbours = Math.min(NEIGHBOURS, Math.ceil(words.length / 2) - 1);
  return {
    name,
    words,
    x: words.map((_, i) => plane[2 * i]!),
    y: words.map((_, i) => plane[2 * i + 1]!),
    isNamed: words.map((_, i) => i < named),
    relations,
    explained: name === "pca" ? explained[0]! + explained[1]! : null,
    trust: words.length < 20 ? null : { share: trustworthiness(rows, plane, neighbours), neighbours },
  };
}

/** UMAP knows no directions: turned so that the picture is wider than high. */
function lying(plane: Float64Array): Float64Array {
  return principalComponents(matrix(plane.length / 2, 2, Float32Array.from(plane)), 2).scores;
}

/** Vectors of length 1 [words, D]. */
function directions(vectors: WordVectors, words: readonly string[]): Matrix {
  const { dimension } = vectors;
  const data = new Float32Array(words.length * dimension);
  for (const [i, word] of words.entries()) {
    const vector = vectors.vectorOf(word)!;
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) || 1;
    for (let d = 0; d < dimension; d++) data[i * dimension + d] = vector[d]! / length;
  }
  return matrix(words.length, dimension, data);
}

/** The first words of four letters or more, shorter ones say little by themselves; of Chinese every sign. */
function commonest(vectors: WordVectors, except: ReadonlySet<string>, count: number): string[] {
  const found: string[] = [];
  for (const word of vectors.words) {
    if (found.length >= count) break;
    const isTelling = /^\p{L}{4,}$/u.test(word) || /^\p{Script=Han}+$/u.test(word);
    if (isTelling && !except.has(word)) found.push(word);
  }
  return found;
}

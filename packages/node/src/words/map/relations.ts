import { InputError, type WordVectors } from "@graft-ml/core";

/** Pairs of words that stand to each other alike: king to queen as man to woman. */
export interface Relation {
  readonly name: string;
  readonly pairs: readonly (readonly [string, string])[];
}

/**
 * Relations every textbook shows, for maps nobody named any for; pairs whose words are common in English come
 * first.
 */
const WELL_KNOWN: readonly Relation[] = [
  known(
    "man → woman",
    "king:queen man:woman boy:girl father:mother brother:sister son:daughter husband:wife uncle:aunt prince:princess he:she",
  ),
  known(
    "country → capital",
    "france:paris italy:rome england:london russia:moscow germany:berlin spain:madrid japan:tokyo egypt:cairo china:beijing greece:athens",
  ),
  known(
    "more of it",
    "small:smaller large:larger old:older young:younger strong:stronger dark:darker quick:quicker high:higher cold:colder bright:brighter",
  ),
  known(
    "now → then",
    "go:went see:saw take:took give:gave know:knew come:came think:thought write:wrote run:ran sing:sang",
  ),
  known("男 → 女", "男:女 父:母 兄:姐 弟:妹 爸:妈 爷:奶 夫:妻 他:她"),
];

/** Pairs of a relation that a picture has room for. */
const MOST_PAIRS = 8;

/** The well-known relations whose words have vectors, three pairs of each at least. */
export function wellKnownRelations(vectors: WordVectors): Relation[] {
  return WELL_KNOWN.flatMap(({ name, pairs }) => {
    const there = pairs.filter((pair) => pair.every((word) => vectors.indexOf(word) >= 0));
    return there.length < 3 ? [] : [{ name, pairs: there.slice(0, MOST_PAIRS) }];
  });
}

/**
 * Relations as they are written on the command line: king:queen,man:woman, further ones after a semicolon.
 * Throws an InputError for what is no pair.
 */
export function readRelations(text: string): Relation[] {
  return text.split(";").map((group) => {
    const pairs = group.split(",").map((part): readonly [string, string] => {
      const [, a, b] = /^\s*([^:→]+?)\s*(?::|→)\s*([^:→]+?)\s*$/.exec(part) ?? [];
      if (a === undefined || b === undefined)
        throw new InputError(
          `relations: ${JSON.stringify(part)} is no pair of words; write king:queen,man:woman, and a semicolon before another relation`,
        );
      return [a, b];
    });
    return { name: `${pairs[0]![0]} → ${pairs[0]![1]}`, pairs };
  });
}

function known(name: string, pairs: string): Relation {
  return { name, pairs: pairs.split(" ").map((pair) => pair.split(":") as [string, string]) };
}

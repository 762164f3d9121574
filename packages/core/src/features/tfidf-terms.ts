import { scanText } from "../scan-text.ts";
import { Trie } from "./tfidf-trie.ts";

/** Longest runs of characters that become n-grams: what is longer is no word, and costs would grow without use. */
const LONGEST_WORD = 40;
/** Words outside the vocabulary that are remembered, so that a long stream of texts stays within bounds. */
const MOST_STRANGERS = 50_000;

/** Which n-grams are counted; each pair is [shortest, longest], 0 for none. */
export interface TermSettings {
  /** Words in sequence. */
  readonly words: readonly [number, number];
  /** Characters within a word, its ends marked. */
  readonly characters: readonly [number, number];
  /** Characters in sequence, of scripts without spaces. */
  readonly unspaced: readonly [number, number];
}

/** The kinds of n-grams, in the order of the trie's roots. A term's name begins with the letter of its kind. */
const KINDS = ["w:", "c:", "z:"] as const;
const [WORDS, CHARACTERS, UNSPACED] = [0, 1, 2] as const;
const SPACE = 32;

/** Numbers texts' terms: the same term, the same number. */
export interface Terms {
  /** Numbers are below this. */
  readonly size: number;
  /** Numbers of a text's terms, with repetition. The array is used again by the next call. */
  of(text: string): Int32Array;
  /** "w:" words, "c:" characters within a word or "z:" characters of scripts without spaces, then the term. */
  nameOf(number: number): string;
}

/** The terms of a text with repetitions, by name. */
export function termsOf(text: string, settings: TermSettings): string[] {
  const terms = growingTerms(settings);
  return Array.from(terms.of(text), terms.nameOf);
}

/** Numbers whatever terms come: for learning a vocabulary. */
export function growingTerms(settings: TermSettings): Terms {
  const trie = new Trie(KINDS.length);
  const words = new Map<string, Word>();
  const names: string[] = [];
  const wordOf = (text: string) => {
    let word = words.get(text);
    if (word === undefined) {
      const grams = characterGrams(text, settings, (parent, unit) => trie.grow(parent, unit));
      words.set(text, (word = { unit: names.length, grams }));
      names.push(text);
    }
    return word;
  };
  return {
    get size() {
      return trie.size;
    },
    of: reader(
      settings,
      wordOf,
      (parent, unit) => trie.grow(parent, unit),
      (node) => node,
    ),
    nameOf(number) {
      const kind = trie.rootOf(number);
      const path = trie.path(number);
      return `${KINDS[kind]}${kind === WORDS ? path.map((unit) => names[unit]).join(" ") : String.fromCodePoint(...path)}`;
    },
  };
}

/** Numbers the given terms 0, 1 … and leaves out all others. Throws a RangeError at a name of no kind. */
export function fixedTerms(names: readonly string[], settings: TermSettings): Terms {
  const trie = new Trie(KINDS.length);
  const units = new Map<string, number>();
  const unitOf = (text: string) => {
    if (!units.has(text)) units.set(text, units.size);
    return units.get(text)!;
  };
  const nodes = names.map((name) => {
    const kind = KINDS.findIndex((prefix) => name.startsWith(prefix));
    if (kind < 0) throw new RangeError(`"${name}" is no term`);
    const rest = name.slice(2);
    const path =
      kind === WORDS
        ? rest.split(" ").map(unitOf)
        : Array.from(rest, (character) => character.codePointAt(0)!);
    return path.reduce((node, unit) => trie.grow(node, unit), kind);
  });
  const numbers = new Int32Array(trie.size).fill(-1);
  for (const [number, node] of nodes.entries()) numbers[node] = number;
  const child = (parent: number, unit: number) => (parent < 0 || unit < 0 ? -1 : trie.child(parent, unit));
  const make = (text: string): Word => ({
    unit: units.get(text) ?? -1,
    grams: characterGrams(text, settings, child)
      .map((node) => numbers[node]!)
      .filter((number) => number >= 0),
  });
  const known = new Map<string, Word>();
  const strangers = new Map<string, Word>();
  const wordOf = (text: string) => {
    let word = known.get(text) ?? strangers.get(text);
    if (word !== undefined) return word;
    word = make(text);
    if (word.unit < 0 && strangers.size >= MOST_STRANGERS) strangers.clear();
    (word.unit < 0 ? strangers : known).set(text, word);
    return word;
  };
  return {
    size: names.length,
    of: reader(settings, wordOf, child, (node) => (node < 0 ? -1 : numbers[node]!)),
    nameOf: (number) => names[number]!,
  };
}

/** A word's number among words and the terms of its characters: a word is looked at once, however often it comes. */
interface Word {
  readonly unit: number;
  readonly grams: Int32Array;
}

type Step = (parent: number, unit: number) => number;

/**
 * What gives the numbers of a text's terms. `child` answers −1 where there is no such node, `numberOf` where
 * the node is no term.
 */
function reader(
  settings: TermSettings,
  wordOf: (text: string) => Word,
  child: Step,
  numberOf: (node: number) => number,
): (text: string) => Int32Array {
  let found = new Int32Array(1024);
  let count = 0;
  const reserve = (more: number) => {
    if (count + more <= found.length) return;
    const larger = new Int32Array(2 * (count + more));
    larger.set(found);
    found = larger;
  };
  const emit = (node: number) => {
    const number = numberOf(node);
    if (number < 0) return;
    reserve(1);
    found[count++] = number;
  };
  const sequence: Word[] = [];
  const flush = () => {
    const units = sequence.map(({ unit }) => unit);
    grams(WORDS, units, settings.words, child, emit);
    for (const { grams: terms } of sequence) {
      reserve(terms.length);
      for (let i = 0; i < terms.length; i++) found[count++] = terms[i]!;
    }
    sequence.length = 0;
  };
  const onWord = (text: string) => {
    sequence.push(wordOf(text));
  };
  const onUnspaced = (run: string) => {
    flush();
    grams(UNSPACED, codesOf(run), settings.unspaced, child, emit);
  };
  return (text) => {
    count = 0;
    scanText(text, onWord, onUnspaced);
    flush();
    return found.subarray(0, count);
  };
}

function characterGrams(text: string, { characters }: TermSettings, child: Step): Int32Array {
  if (text.length > LONGEST_WORD) return new Int32Array(0);
  const nodes: number[] = [];
  grams(CHARACTERS, [SPACE, ...codesOf(text), SPACE], characters, child, (node) => {
    if (node >= 0) nodes.push(node);
  });
  return Int32Array.from(nodes);
}

const codesOf = (text: string) => Array.from(text, (character) => character.codePointAt(0)!);

/**
 * Emits the nodes of all sequences of the given lengths, the shortest first, each grown from the one a unit
 * shorter.
 */
function grams(
  root: number,
  units: readonly number[],
  [shortest, longest]: readonly [number, number],
  child: Step,
  emit: (node: number) => void,
): void {
  if (longest === 0) return;
  const nodes = new Int32Array(units.length).fill(root);
  for (let n = 1; n <= longest; n++)
    for (let i = 0; i + n <= units.length; i++) {
      const node = child(nodes[i]!, units[i + n - 1]!);
      nodes[i] = node;
      if (n >= shortest) emit(node);
    }
}

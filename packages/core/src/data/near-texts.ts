import { disjointSets, normalisedText } from "./identity.ts";
import type { NearPair } from "./near.ts";

/** Jaccard index from which two texts are taken for near duplicates. */
export const NEAR_TEXT = 0.8;

/** Characters a shingle: a word or so of letters, a phrase of Chinese, Japanese or Korean. */
const LETTERS = 4;
const CHARACTERS = 2;
/**
 * Shingles of all texts that are held at once; beyond, every second, fourth … shingle (by its hash) stands
 * for them.
 */
const MOST_SHINGLES = 4e7;
/** Most buckets that shingles are counted and entered in. */
const MOST_BUCKETS = 2 ** 22;
/** Texts with one shingle that are compared with a further one, the latest first. */
const LONGEST_CHAIN = 200;

/**
 * Texts that are nearly the same: equal letters and digits, or shingles (runs of 4 letters, of Chinese, Japanese and
 * Korean 2) with a Jaccard index of at least `similarity`. Case, punctuation, white space and compatibility forms do
 * not count. Pairs chain groups together: where two texts are in one group already no further pair is listed.
 *
 * A join by prefixes, exact but for texts of which over 200 share their rarest shingles: two sets whose
 * Jaccard index is at least t share one of the first ⌊(1 − t)·size⌋ + 1 shingles in order of rarity. Bayardo,
 * Ma and Srikant (2007), "Scaling up all pairs similarity search", https://doi.org/10.1145/1242572.1242591,
 * with the lengths of prefixes of Xiao, Wang, Lin and Yu (2008), "Efficient similarity joins for near
 * duplicate detection", https://doi.org/10.1145/1367497.1367516.
 */
export function nearTexts(texts: readonly string[], similarity: number = NEAR_TEXT): NearPair[] {
  const pairs: NearPair[] = [];
  const { parent, join } = disjointSets(texts.length);
  const pair = (i: number, j: number, how: number) => {
    if (parent(i) === parent(j)) return;
    join(i, j);
    pairs.push({ a: Math.min(i, j), b: Math.max(i, j), similarity: how });
  };
  const first = new Map<string, number>();
  const rows: number[] = [];
  const distinct: string[] = [];
  for (const [i, text] of texts.entries()) {
    const letters = comparableText(text);
    if (letters === "") continue;
    const other = first.get(letters);
    if (other !== undefined) {
      pair(other, i, 1);
      continue;
    }
    first.set(letters, i);
    rows.push(i);
    distinct.push(letters);
  }
  const known = (x: number, y: number) => parent(rows[x]!) === parent(rows[y]!);
  const total = distinct.reduce((sum, text) => sum + text.length, 0);
  const buckets = 2 ** Math.min(Math.log2(MOST_BUCKETS), Math.ceil(Math.log2(2 * total + 2)));
  let sampling = 1;
  while (total / sampling > MOST_SHINGLES) sampling *= 2;
  const sets = byRarity(distinct, buckets, sampling);
  similarSets(sets, buckets, similarity, known, (x, y, how) => pair(rows[x]!, rows[y]!, how));
  return pairs.sort((x, y) => x.a - y.a || x.b - y.b);
}

/** The letters and digits of a text in one piece, which is what near duplicates have in common. */
export function comparableText(text: string): string {
  return normalisedText(text).replace(/[^\p{L}\p{N}\p{M}]+/gu, "");
}

/** The shingles of each text as ascending numbers, 2³² · (texts with it) + hash: the rarest come first. */
function byRarity(texts: readonly string[], buckets: number, sampling: number): Float64Array[] {
  const count = new Uint32Array(buckets);
  const hashed = texts.map((text) => {
    const hashes = shingles(text, sampling);
    for (const hash of hashes) count[hash & (buckets - 1)]!++;
    return hashes;
  });
  return hashed.map((hashes) => {
    const set = new Float64Array(hashes.length);
    for (let i = 0; i < set.length; i++) set[i] = count[hashes[i]! & (buckets - 1)]! * 2 ** 32 + hashes[i]!;
    return set.sort();
  });
}

const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

/** Hashes of the distinct shingles of a text, of those that are sampled. */
function shingles(text: string, sampling: number): Uint32Array {
  const width = 2 * (text.match(wide)?.length ?? 0) > text.length ? CHARACTERS : LETTERS;
  const padded = text.length < width ? text.padEnd(width) : text;
  const hashes = new Uint32Array(padded.length - width + 1);
  for (let i = 0; i < hashes.length; i++) {
    let hash = 0x811c9dc5;
    for (let j = 0; j < width; j++) hash = Math.imul(hash ^ padded.charCodeAt(i + j), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hashes[i] = hash ^ (hash >>> 16);
  }
  hashes.sort();
  let kept = 0;
  for (let i = 0; i < hashes.length; i++) {
    const hash = hashes[i]!;
    if (i > 0 && hashes[i - 1] === hash) continue;
    if (sampling === 1 || (hash >>> 8) % sampling === 0) hashes[kept++] = hash;
  }
  return hashes.slice(0, kept);
}

/** Hands over pairs of sets with a Jaccard index of at least t, but none that `known` says to be of no news. */
function similarSets(
  sets: readonly Float64Array[],
  buckets: number,
  t: number,
  known: (x: number, y: number) => boolean,
  found: (x: number, y: number, similarity: number) => void,
): void {
  const sizes = Int32Array.from(sets, (set) => set.length);
  const bySize = [...sets.keys()].filter((x) => sizes[x]! > 0);
  bySize.sort((x, y) => sizes[x]! - sizes[y]! || x - y);
  // Chains of entries a bucket, the latest first: smaller sets have been entered before.
  const head = new Int32Array(buckets).fill(-1);
  const next: number[] = [];
  const entered: number[] = [];
  const shingleOf: number[] = [];
  const metBy = new Int32Array(sets.length).fill(-1);
  const met = new Int32Array(sets.length);
  for (const x of bySize) {
    const set = sets[x]!;
    const size = sizes[x]!;
    const least = t * size - 1e-9;
    const matches = matchesWanted(size);
    const searched = Math.min(size, size - Math.ceil(least) + matches);
    const kept = Math.min(size, size - Math.ceil(((2 * t) / (1 + t)) * size - 1e-9) + matches);
    for (let i = 0; i < searched; i++) {
      const shingle = set[i]!;
      if (shingle < 2 ** 33) continue; // no other text has it
      const bucket = (shingle % 2 ** 32) & (buckets - 1);
      let steps = 0;
      for (let at = head[bucket]!; at >= 0 && steps < LONGEST_CHAIN; at = next[at]!, steps++) {
        const y = entered[at]!;
        if (sizes[y]! < least) break; // and so are those entered before it
        if (shingleOf[at] !== shingle) continue;
        if (metBy[y] !== x) {
          metBy[y] = x;
          met[y] = 0;
        }
        met[y]!++;
        if (met[y] !== matchesWanted(sizes[y]!) || known(x, y)) continue;
        const similarity = jaccard(set, sets[y]!, t);
        if (similarity !== null) found(x, y, similarity);
      }
      if (i < kept) {
        next.push(head[bucket]!);
        entered.push(x);
        shingleOf.push(shingle);
        head[bucket] = next.length - 1;
      }
    }
  }
}

/**
 * Shingles that must be met in the prefixes before two sets are compared: long texts share one or two by
 * chance. Prefixes longer by as many, less one, still miss nothing (Wang, Li and Feng 2012, "Can we beat the
 * prefix filtering?", https://doi.org/10.1145/2213836.2213847).
 */
function matchesWanted(size: number): number {
  return 1 + Math.min(20, Math.floor(size / 40));
}

/** The Jaccard index of two ascending sets, null where it is below t. */
function jaccard(a: Float64Array, b: Float64Array, t: number): number | null {
  const wanted = (t / (1 + t)) * (a.length + b.length) - 1e-9;
  let common = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (common + Math.min(a.length - i, b.length - j) < wanted) return null;
    const order = a[i]! - b[j]!;
    if (order === 0) common++;
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return common < wanted ? null : common / (a.length + b.length - common);
}

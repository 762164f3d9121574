import { disjointSets } from "./identity.ts";

/** Two rows that hold nearly the same thing, the earlier one first. */
export interface NearPair {
  readonly a: number;
  readonly b: number;
  /** From 0 to 1, where 1 is the same: Jaccard index of texts, correlation of images. */
  readonly similarity: number;
}

/** Rows that chain together by near pairs. */
export interface NearGroup {
  /** Row numbers, ascending. */
  readonly rows: readonly number[];
  /** The least similarity of the pairs that hold the group together. */
  readonly similarity: number;
}

/** The groups that pairs chain together, by their first rows. */
export function nearGroups(count: number, pairs: readonly NearPair[]): NearGroup[] {
  const { parent, join } = disjointSets(count);
  for (const { a, b } of pairs) join(a, b);
  const groups = new Map<number, { rows: Set<number>; similarity: number }>();
  for (const { a, b, similarity } of pairs) {
    const root = parent(a);
    const group = groups.get(root) ?? { rows: new Set(), similarity: 1 };
    group.rows.add(a).add(b);
    group.similarity = Math.min(group.similarity, similarity);
    groups.set(root, group);
  }
  return [...groups.values()]
    .map(({ rows, similarity }) => ({ rows: [...rows].sort((a, b) => a - b), similarity }))
    .sort((a, b) => a.rows[0]! - b.rows[0]!);
}

/**
 * Keys of the rows in which the members of a near group share one: what `splitDataset` and `partsOf` take as
 * `keys`.
 */
export function nearKeys(keys: readonly string[], pairs: readonly NearPair[]): string[] {
  const first = new Map<string, number>();
  const { parent, join } = disjointSets(keys.length);
  for (const [i, key] of keys.entries()) {
    const other = first.get(key);
    if (other === undefined) first.set(key, i);
    else join(other, i);
  }
  for (const { a, b } of pairs) join(a, b);
  return keys.map((_, i) => keys[parent(i)]!);
}

import { InputError } from "../errors.ts";
import type { Row } from "./dataset.ts";
import { hashText, inputKeys, rowGroups } from "./identity.ts";

/** What a split must respect beside its sizes. */
export interface SplitOptions {
  readonly seed: number;
  /**
   * Identities of the inputs [rows] as from `inputKeys`; equal ones stay together. Computed from the rows
   * when left out.
   */
  readonly keys?: readonly string[];
}

/** Two parts of the rows, as ascending row numbers. */
export interface TwoParts {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/**
 * Splits off `fraction` of the rows: stratified by label, groups and identical inputs whole. Where every row
 * is a group of its own, each class's share of `test` is within one row of fraction · count, and a class of
 * two or more rows stands on both sides (a lone row in `train`). The same rows with the same seed give the
 * same parts whatever the order of the rows.
 */
export function splitDataset(
  rows: readonly Row[],
  { fraction, ...options }: SplitOptions & { readonly fraction: number },
): TwoParts {
  if (!(fraction > 0 && fraction < 1))
    throw new InputError(`split: fraction must be between 0 and 1, got ${fraction}`);
  const part = deal(rows, [1 - fraction, fraction], options, true);
  return { train: indicesOf(part, 0), test: indicesOf(part, 1) };
}

/**
 * The fold 0 … folds − 1 of each row, [rows]: stratified, groups whole, each class spread within one row of
 * evenly.
 */
export function foldsOf(
  rows: readonly Row[],
  { folds, ...options }: SplitOptions & { readonly folds: number },
): Int32Array {
  if (!Number.isInteger(folds) || folds < 2 || folds > rows.length)
    throw new InputError(
      `folds: needs a whole number from 2 to the ${rows.length} rows there are, got ${folds}`,
    );
  return deal(rows, new Array<number>(folds).fill(1 / folds), options, false);
}

/** Each fold held out once: `folds` pairs of parts. */
export function kFold(rows: readonly Row[], options: SplitOptions & { readonly folds: number }): TwoParts[] {
  const fold = foldsOf(rows, options);
  return Array.from({ length: options.folds }, (_, f) => ({
    train: indicesWhere(fold, (other) => other !== f),
    test: indicesOf(fold, f),
  }));
}

/** k-fold again and again under different seeds: `repeats` × `folds` pairs of parts, repeat after repeat. */
export function repeatedKFold(
  rows: readonly Row[],
  { repeats, seed, ...options }: SplitOptions & { readonly folds: number; readonly repeats: number },
): TwoParts[] {
  const keys = options.keys ?? inputKeys(rows);
  return Array.from({ length: repeats }, (_, r) =>
    kFold(rows, { ...options, keys, seed: seed + r * 7919 }),
  ).flat();
}

/**
 * `count` labelled rows of each class (all where a class has fewer), drawn from `among` (every row when left out), as
 * ascending row numbers. Of rows with the same input only one is drawn. More shots of one seed contain the fewer.
 */
export function shots(
  rows: readonly Row[],
  count: number,
  { seed, keys = inputKeys(rows) }: SplitOptions,
  among: Iterable<number> = rows.keys(),
): Int32Array {
  if (!Number.isInteger(count) || count < 1)
    throw new InputError(`shots: needs a whole number from 1, got ${count}`);
  const byClass = new Map<string, number[]>();
  const seen = new Set<string>();
  for (const i of among) {
    const label = rows[i]!.label;
    if (label === null || seen.has(keys[i]!)) continue;
    seen.add(keys[i]!);
    const members = byClass.get(label);
    if (members === undefined) byClass.set(label, [i]);
    else members.push(i);
  }
  const drawn: number[] = [];
  for (const members of byClass.values()) drawn.push(...shuffled(members, keys, seed).slice(0, count));
  return Int32Array.from(drawn).sort();
}

/** Row numbers in an order that depends on the seed and the rows' identities alone. */
function shuffled(members: readonly number[], keys: readonly string[], seed: number): number[] {
  const rank = new Map(members.map((i) => [i, hashText(keys[i]!, seed)]));
  return [...members].sort((a, b) => rank.get(a)! - rank.get(b)! || compare(keys[a]!, keys[b]!) || a - b);
}

/** The part of each row, [rows], the parts taking about `shares` (summing to 1) of every class. */
function deal(
  rows: readonly Row[],
  shares: readonly number[],
  { seed, keys = inputKeys(rows) }: SplitOptions,
  bothSides: boolean,
): Int32Array {
  const classes = [...new Set(rows.map((row) => row.label ?? ""))].sort(compare);
  const classNumber = new Map(classes.map((name, c) => [name, c]));
  const label = Int32Array.from(rows, (row) => classNumber.get(row.label ?? "")!);
  const { groups, single } = groupsInOrder(rows, keys, seed);
  const quota = quotas(countsOf(label, classes.length), shares, bothSides);

  const part = new Int32Array(rows.length).fill(-1);
  const filled = quota.map((row) => new Int32Array(row.length)); // [class][part]
  const total = new Float64Array(shares.length);
  const place = (i: number, p: number) => {
    part[i] = p;
    filled[label[i]!]![p]!++;
    total[p]!++;
  };
  // Groups of several rows first, the largest first: rows alone then even out what the groups left uneven.
  for (const members of groups) {
    const counts = new Map<number, number>();
    for (const i of members) counts.set(label[i]!, (counts.get(label[i]!) ?? 0) + 1);
    const p = bestPart(counts, filled, quota, total);
    for (const i of members) place(i, p);
  }
  for (const i of single) {
    const wanted = quota[label[i]!]!;
    const has = filled[label[i]!]!;
    let best = 0;
    for (let p = 1; p < shares.length; p++) if (wanted[p]! - has[p]! > wanted[best]! - has[best]!) best = p;
    place(i, best);
  }
  return part;
}

/** Groups of several rows, large to small, and the rows that stand alone; equals in an order of seed and content. */
function groupsInOrder(rows: readonly Row[], keys: readonly string[], seed: number) {
  const members = new Map<number, number[]>();
  const group = rowGroups(rows, keys);
  for (let i = 0; i < rows.length; i++) {
    const list = members.get(group[i]!);
    if (list === undefined) members.set(group[i]!, [i]);
    else list.push(i);
  }
  const single: number[] = [];
  const several: { list: number[]; key: string; hash: number }[] = [];
  for (const list of members.values()) {
    if (list.length === 1) {
      single.push(list[0]!);
      continue;
    }
    const key = list.map((i) => keys[i]!).reduce((a, b) => (compare(a, b) <= 0 ? a : b));
    several.push({ list, key, hash: hashText(key, seed) });
  }
  several.sort((a, b) => b.list.length - a.list.length || a.hash - b.hash || compare(a.key, b.key));
  return { groups: several.map(({ list }) => list), single: shuffled(single, keys, seed) };
}

/**
 * How many rows of each class go to each part, [class][part]: the floor or the ceiling of count · share, the odd rows
 * going where the running total is furthest behind, so that whole parts come out near their share too.
 */
function quotas(counts: Int32Array, shares: readonly number[], bothSides: boolean): number[][] {
  const behind = new Float64Array(shares.length);
  return Array.from(counts, (count) => {
    let exact = shares.map((share) => share * count);
    if (bothSides) {
      const test = count < 2 ? 0 : Math.min(Math.max(exact[1]!, 1), count - 1); // what is tested must be trained
      exact = [count - test, test];
    }
    const quota = exact.map((value) => Math.floor(value + 1e-9));
    let odd = count - quota.reduce((sum, value) => sum + value, 0);
    const fraction = exact.map((value, p) => value - quota[p]!);
    for (let p = 0; p < shares.length; p++) behind[p]! += fraction[p]!;
    const order = [...shares.keys()]
      .filter((p) => fraction[p]! > 1e-9)
      .sort((a, b) => behind[b]! - behind[a]! || fraction[b]! - fraction[a]! || a - b);
    for (const p of order) {
      if (odd === 0) break;
      quota[p]!++;
      behind[p]!--;
      odd--;
    }
    return quota;
  });
}

/** The part whose classes are left nearest to their quotas when it takes a group with these counts a class. */
function bestPart(
  counts: ReadonlyMap<number, number>,
  filled: readonly Int32Array[],
  quota: readonly (readonly number[])[],
  total: Float64Array,
): number {
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let p = 0; p < total.length; p++) {
    let cost = 0;
    for (const [c, count] of counts) {
      const size = Math.max(
        1,
        quota[c]!.reduce((sum, value) => sum + value, 0),
      );
      // The change of Σ (filled − quota)² of this class, relative to the class: rare classes matter as much
      // as common ones.
      cost += (count * (2 * (filled[c]![p]! - quota[c]![p]!) + count)) / size;
    }
    if (cost < bestCost - 1e-12) {
      best = p;
      bestCost = cost;
    }
  }
  return best;
}

function countsOf(label: Int32Array, classes: number): Int32Array {
  const counts = new Int32Array(classes);
  for (const c of label) counts[c]!++;
  return counts;
}

function indicesOf(part: Int32Array, p: number): Int32Array {
  return indicesWhere(part, (other) => other === p);
}

function indicesWhere(part: Int32Array, holds: (p: number) => boolean): Int32Array {
  const indices: number[] = [];
  for (let i = 0; i < part.length; i++) if (holds(part[i]!)) indices.push(i);
  return Int32Array.from(indices);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

import type { Random } from "@graft-ml/core";

/** Two rows, and whether they are of one class: 1 or 0. */
export interface Pair {
  readonly u: number;
  readonly v: number;
  readonly target: 0 | 1;
}

/**
 * For every class with rows `count` pairs within it and `count` of it and another class, in random order
 * (Tunstall et al. 2022, section 3.1, https://arxiv.org/abs/2209.11055). Of a class with one row that row
 * stands with itself; of one class alone there are no pairs with another.
 */
export function contrastPairs(
  rows: Int32Array,
  labels: Int32Array,
  { count, random }: { readonly count: number; readonly random: Random },
): Pair[] {
  const byClass = new Map<number, number[]>();
  for (const row of rows) {
    const members = byClass.get(labels[row]!);
    if (members) members.push(row);
    else byClass.set(labels[row]!, [row]);
  }
  const pairs: Pair[] = [];
  const pick = (members: ArrayLike<number>) => members[random.integer(members.length)]!;
  for (const label of [...byClass.keys()].sort((a, b) => a - b)) {
    const own = byClass.get(label)!;
    const others = rows.filter((row) => labels[row] !== label);
    for (let i = 0; i < count; i++) {
      const at = random.integer(own.length);
      const step = own.length > 1 ? 1 + random.integer(own.length - 1) : 0;
      pairs.push({ u: own[at]!, v: own[(at + step) % own.length]!, target: 1 });
      if (others.length > 0) pairs.push({ u: pick(own), v: pick(others), target: 0 });
    }
  }
  return Array.from(random.permutation(pairs.length), (i) => pairs[i]!);
}

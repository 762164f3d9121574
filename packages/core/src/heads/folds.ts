import type { Random } from "../random.ts";
import { type Features, takeFeatures } from "../tensor.ts";
import type { FitContext } from "./head.ts";

/** How rows are dealt to folds. */
export interface FoldOptions {
  readonly folds: number;
  readonly random: Random;
  /** Group of each row [N]: rows of one group are never torn apart. */
  readonly groups?: Int32Array;
}

/**
 * The fold of each row [N], each class spread evenly and groups whole. −1 marks rows that every fold trains
 * on, because holding them out would leave their class without a row: a class of one row, or of one group.
 */
export function stratifiedFolds(
  labels: Int32Array,
  classes: number,
  { folds, random, groups }: FoldOptions,
): Int32Array {
  const order = random.permutation(labels.length);
  const fold = new Int32Array(labels.length).fill(-1);
  const filled = Array.from({ length: classes }, () => new Int32Array(folds));
  const total = new Int32Array(folds);
  for (const members of groupsInOrder(order, groups)) {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let f = 0; f < folds; f++) {
      let cost = total[f]! * 1e-6;
      for (const i of members) cost += filled[labels[i]!]![f]!;
      if (cost < least) [best, least] = [f, cost];
    }
    for (const i of members) {
      fold[i] = best;
      filled[labels[i]!]![best]!++;
      total[best]!++;
    }
  }
  keepEveryClass(fold, labels, filled, groups);
  return fold;
}

/** Groups, those of most rows first, else in the order of their first row. */
function groupsInOrder(order: Int32Array, groups: Int32Array | undefined): number[][] {
  if (groups === undefined) return Array.from(order, (i) => [i]);
  const members = new Map<number, number[]>();
  for (const i of order) {
    const list = members.get(groups[i]!);
    if (list === undefined) members.set(groups[i]!, [i]);
    else list.push(i);
  }
  return [...members.values()].sort((a, b) => b.length - a.length);
}

function keepEveryClass(
  fold: Int32Array,
  labels: Int32Array,
  filled: readonly Int32Array[],
  groups: Int32Array | undefined,
): void {
  for (const [c, counts] of filled.entries()) {
    if (counts.filter((count) => count > 0).length > 1) continue;
    const own = new Set<number>();
    for (let i = 0; i < labels.length; i++) if (labels[i] === c) own.add(groups?.[i] ?? i);
    for (let i = 0; i < labels.length; i++) if (own.has(groups?.[i] ?? i)) fold[i] = -1;
  }
}

/** One fold's training rows, and the rows it holds out. */
export interface Fold {
  readonly features: Features;
  readonly labels: Int32Array;
  /** The context with weights and groups of these rows alone. */
  readonly context: FitContext;
  readonly heldOut: Features;
  /** Row numbers of `heldOut` in the whole [M]. */
  readonly rows: Int32Array;
}

/** The training part and the held-out part of every fold that holds anything out. */
export function* eachFold(
  features: Features,
  labels: Int32Array,
  context: FitContext,
  fold: Int32Array,
): Generator<Fold, void> {
  const folds = fold.reduce((most, f) => Math.max(most, f), -1) + 1;
  for (let f = 0; f < folds; f++) {
    const rows = numbers(fold, (other) => other === f);
    if (rows.length === 0) continue;
    const train = numbers(fold, (other) => other !== f);
    yield {
      features: takeFeatures(features, train),
      labels: Int32Array.from(train, (i) => labels[i]!),
      context: contextOf(context, train),
      heldOut: takeFeatures(features, rows),
      rows,
    };
  }
}

/**
 * About `size` of the rows, ascending: every class's share, but ten of each class where it has them. All when
 * they fit.
 */
export function stratifiedSample(
  labels: Int32Array,
  classes: number,
  size: number,
  random: Random,
): Int32Array {
  if (labels.length <= size) return Int32Array.from(labels.keys());
  const seen = new Int32Array(classes);
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]!++;
  const kept: number[] = [];
  for (const i of random.permutation(labels.length)) {
    const c = labels[i]!;
    if (seen[c]!++ < Math.max(10, (size * counts[c]!) / labels.length)) kept.push(i);
  }
  return Int32Array.from(kept).sort();
}

/** The context of some of the rows. */
export function contextOf(context: FitContext, rows: Int32Array): FitContext {
  const { weights, groups } = context;
  return {
    ...context,
    ...(weights && { weights: Float32Array.from(rows, (i) => weights[i]!) }),
    ...(groups && { groups: Int32Array.from(rows, (i) => groups[i]!) }),
  };
}

function numbers(fold: Int32Array, holds: (f: number) => boolean): Int32Array {
  const found: number[] = [];
  for (let i = 0; i < fold.length; i++) if (holds(fold[i]!)) found.push(i);
  return Int32Array.from(found);
}

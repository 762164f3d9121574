import { InputError } from "../errors.ts";
import type { Random } from "../random.ts";

/** Rows of one batch. */
export interface Batch {
  /** Row numbers [size]; those from `count` on only fill the batch. */
  readonly rows: Int32Array;
  readonly count: number;
}

/** How an epoch is cut into batches. */
export interface OrderOptions {
  readonly batchSize: number;
  /** Order of the rows; left out, they come as they are. */
  readonly random?: Random;
  /**
   * The last batch, where rows are left: filled with copies that count nothing ("pad"), filled with other
   * rows of the epoch that count ("fill", which batch statistics need), or left out where it is not the only
   * one ("drop").
   */
  readonly last?: "pad" | "fill" | "drop";
  /** Extent of a row (tokens of a text): only rows of one extent share a batch. */
  extentOf?(row: number): number;
}

/**
 * The batches of an epoch, all of one size, so that shapes stay the same: the rows in random order, each
 * once. With extents, the batches of all extents come in random order.
 */
export function batchesOf(rows: ArrayLike<number>, options: OrderOptions): Batch[] {
  const { batchSize, random, last = "pad", extentOf } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new InputError(`batchSize must be a whole number from 1, got ${batchSize}`);
  const order = random ? Array.from(random.permutation(rows.length), (i) => rows[i]!) : Array.from(rows);
  const byExtent = new Map<number, number[]>();
  for (const row of order) {
    const extent = extentOf?.(row) ?? 0;
    const members = byExtent.get(extent);
    if (members) members.push(row);
    else byExtent.set(extent, [row]);
  }
  const batches: Batch[] = [];
  for (const members of byExtent.values())
    for (let at = 0; at < members.length; at += batchSize) {
      const part = members.slice(at, at + batchSize);
      const isShort = part.length < batchSize;
      if (isShort && last === "drop" && at > 0) continue;
      const filled = Int32Array.from({ length: batchSize }, (_, i) =>
        i < part.length ? part[i]! : last === "pad" ? part[0]! : members[(i - part.length) % members.length]!,
      );
      batches.push({ rows: filled, count: last === "pad" ? part.length : batchSize });
    }
  if (!random || byExtent.size < 2) return batches;
  return Array.from(random.permutation(batches.length), (i) => batches[i]!);
}

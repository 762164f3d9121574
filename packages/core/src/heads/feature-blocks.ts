import { InputError } from "../errors.ts";
import { type Matrix, matrix } from "../tensor.ts";
import { requireFinite } from "./check.ts";

/**
 * Features [N, D] that are read block by block, as often as asked for: from disk, where memory does not hold
 * them.
 */
export interface FeatureBlocks {
  /** N. */
  readonly rows: number;
  /** D. */
  readonly columns: number;
  /** All rows in order, in blocks of at most `size`; every call begins with the first row. */
  blocks(size: number): AsyncIterable<Matrix>;
}

/** Numbers of a block: 16 MB. */
const BLOCK_NUMBERS = 2 ** 22;

/** Calls `visit` with each block and the number of its first row; the next block is read meanwhile. */
export async function eachBlock(
  source: FeatureBlocks,
  visit: (block: Matrix, from: number) => Promise<void> | void,
): Promise<void> {
  const { rows, columns } = source;
  const blocks = source.blocks(Math.max(1, Math.floor(BLOCK_NUMBERS / columns)))[Symbol.asyncIterator]();
  let from = 0;
  try {
    for (let next = blocks.next(); ; ) {
      const { done, value: block } = await next;
      if (done) break;
      if (block.columns !== columns || from + block.rows > rows)
        throw new InputError(
          `a block of ${block.rows} × ${block.columns} features from row ${from} on was read of ${rows} × ${columns}; give as many as announced`,
        );
      next = blocks.next();
      next.catch(() => {}); // thrown where it is awaited, also if `visit` throws before
      await visit(block, from);
      from += block.rows;
    }
  } finally {
    await blocks.return?.();
  }
  if (from !== rows)
    throw new InputError(`${from} rows of features were read of ${rows}; give as many as announced`);
}

/** What a first pass finds. */
export interface Survey {
  /** Euclidean length of each row [N], at least `leastLength`. */
  readonly lengths: Float32Array;
  /** The rows asked for, in memory. */
  readonly parts: readonly Matrix[];
}

/**
 * Goes over all rows once: their lengths, and the rows of each of `parts` (numbers in ascending order).
 * Throws an InputError that names the first row with a feature that is no number.
 */
export async function survey(
  source: FeatureBlocks,
  parts: readonly Int32Array[],
  leastLength: number,
): Promise<Survey> {
  const { rows, columns } = source;
  const lengths = new Float32Array(rows);
  const taken = parts.map((part) => matrix(part.length, columns));
  const places = parts.map(() => 0);
  await eachBlock(source, (block, from) => {
    requireFinite(block, from);
    for (let i = 0; i < block.rows; i++) {
      let square = 0;
      for (let j = i * columns; j < (i + 1) * columns; j++) square += block.data[j]! * block.data[j]!;
      lengths[from + i] = Math.max(leastLength, Math.sqrt(square));
    }
    for (const [p, part] of parts.entries())
      for (; part[places[p]!]! < from + block.rows; places[p]!++) {
        const i = part[places[p]!]! - from;
        taken[p]!.data.set(block.data.subarray(i * columns, (i + 1) * columns), places[p]! * columns);
      }
  });
  return { lengths, parts: taken };
}

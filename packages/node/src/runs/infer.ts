import {
  type Feeds,
  InputError,
  type Matrix,
  matrix,
  type Preprocessor,
  type Row,
  type Session,
  sizeOf,
  type Tensor,
} from "@graft-ml/core";

export interface InferOptions {
  readonly session: Session;
  readonly preprocessor: Preprocessor;
  /** Outputs wanted, each [batch, columns] float32. */
  readonly outputs: readonly string[];
  /** Rows a run; always filled up to this number, so that a row's result does not depend on how many others there are. */
  readonly batchSize: number;
  /** At a row whose input cannot be read: stop, or leave it out and list it. */
  readonly onError?: "fail" | "skip";
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Outputs by name, a row each row of `kept`; `skipped` says what was wrong with the others. */
export interface Inferred {
  readonly outputs: Readonly<Record<string, Matrix>>;
  /** Row numbers of the rows that were read, ascending. */
  readonly kept: Int32Array;
  readonly skipped: readonly string[];
}

/**
 * Runs a model over rows: the one way from raw inputs to outputs, used in training, prediction and verification alike, so
 * that all three give the same bits. Inputs of the next batch are decoded while this one runs.
 */
export async function infer(rows: readonly Row[], options: InferOptions): Promise<Inferred> {
  const { session, outputs, batchSize, onProgress, signal } = options;
  const skipped: string[] = [];
  const results = new Map<string, (Float32Array | null)[]>(
    outputs.map((name) => [name, Array<Float32Array | null>(rows.length).fill(null)]),
  );
  const batches = batchesOf(rows, options.preprocessor, batchSize);
  let done = 0;
  let next = batches.length > 0 ? prepared(batches[0]!, rows, options, skipped) : null;
  for (let b = 0; b < batches.length; b++) {
    signal?.throwIfAborted();
    const current = await next!;
    next = b + 1 < batches.length ? prepared(batches[b + 1]!, rows, options, skipped) : null;
    next?.catch(() => {}); // awaited in the next round; a failure of this round must not leave it unhandled
    if (current.kept.length > 0) {
      const answer = await session.run(current.feeds!, outputs, { transfer: true });
      for (const name of outputs) scatter(name, answer[name]!, current.kept, results.get(name)!);
    }
    done += batches[b]!.length;
    onProgress?.(done, rows.length);
  }
  const kept = Int32Array.from([...rows.keys()].filter((i) => results.get(outputs[0]!)![i] !== null));
  return {
    outputs: Object.fromEntries([...results].map(([name, all]) => [name, stacked(all, kept)])),
    kept,
    skipped,
  };
}

/** Row numbers batch by batch. Inputs that need different extents (texts of differing lengths) never share one. */
function batchesOf(rows: readonly Row[], preprocessor: Preprocessor, batchSize: number): number[][] {
  const byExtent = new Map<number, number[]>();
  for (const [i, { input }] of rows.entries()) {
    const extent = preprocessor.extentOf?.(input) ?? 0;
    const members = byExtent.get(extent);
    if (members === undefined) byExtent.set(extent, [i]);
    else members.push(i);
  }
  const batches: number[][] = [];
  for (const extent of [...byExtent.keys()].sort((a, b) => a - b)) {
    const members = byExtent.get(extent)!;
    for (let at = 0; at < members.length; at += batchSize) batches.push(members.slice(at, at + batchSize));
  }
  return batches;
}

async function prepared(
  batch: readonly number[],
  rows: readonly Row[],
  { preprocessor, batchSize, onError = "fail" }: InferOptions,
  skipped: string[],
): Promise<{ feeds: Feeds | null; kept: readonly number[] }> {
  const inputs = batch.map((i) => rows[i]!.input);
  try {
    return { feeds: filledUp(await preprocessor.prepare(inputs), batch.length, batchSize), kept: batch };
  } catch (error) {
    if (onError === "fail" || !(error instanceof InputError)) throw error;
  }
  // Something in the batch cannot be read: find out what, one by one.
  const kept: number[] = [];
  for (const i of batch) {
    try {
      await preprocessor.prepare([rows[i]!.input]);
      kept.push(i);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      skipped.push(`${rows[i]!.where}: ${error.message}`);
    }
  }
  if (kept.length === 0) return { feeds: null, kept };
  const feeds = await preprocessor.prepare(kept.map((i) => rows[i]!.input));
  return { feeds: filledUp(feeds, kept.length, batchSize), kept };
}

/** Repeats the first row of every tensor [n, …] until there are `size` rows. */
function filledUp(feeds: Feeds, n: number, size: number): Feeds {
  if (n === size) return feeds;
  return Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [
      name,
      tensor.shape[0] === n ? grown(tensor, size) : tensor,
    ]),
  );
}

function grown(tensor: Tensor, size: number): Tensor {
  const [n, ...rest] = tensor.shape as [number, ...number[]];
  const extent = sizeOf(rest);
  const source = tensor.data as Float32Array; // any typed array: only copying happens
  const data = new (source.constructor as Float32ArrayConstructor)(size * extent);
  data.set(source);
  for (let i = n; i < size; i++) data.copyWithin(i * extent, 0, extent);
  return { ...tensor, shape: [size, ...rest], data };
}

function scatter(
  name: string,
  { shape, data, dtype }: Tensor,
  kept: readonly number[],
  into: (Float32Array | null)[],
): void {
  if (shape.length !== 2 || dtype !== "float32")
    throw new InputError(
      `the model's output "${name}" is ${dtype} [${shape.join(", ")}]; a row of float32 numbers for each input was expected`,
    );
  const columns = shape[1]!;
  for (const [row, i] of kept.entries())
    into[i] = (data as Float32Array).slice(row * columns, (row + 1) * columns);
}

function stacked(all: readonly (Float32Array | null)[], kept: Int32Array): Matrix {
  const columns = kept.length === 0 ? 0 : all[kept[0]!]!.length;
  const stack = matrix(kept.length, columns);
  for (const [row, i] of kept.entries()) stack.data.set(all[i]!, row * columns);
  return stack;
}

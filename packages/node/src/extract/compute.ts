import {
  type Feeds,
  InputError,
  type Matrix,
  type Preprocessor,
  type Row,
  type Session,
  sizeOf,
  type Tensor,
} from "@graft-ml/core";

/** A row to be computed: its number in the data set. */
export interface Wanted {
  readonly index: number;
}

/** How rows go through a network; `W` is what a row is known by. */
export interface ComputeOptions<W extends Wanted> {
  readonly rows: readonly Row[];
  readonly preprocessor: Preprocessor;
  /** May still be loading: rows are read meanwhile. */
  readonly session: Session | Promise<Session>;
  /** Runs the session executes at the same time. */
  readonly lanes: number;
  readonly batchSize: number;
  /** Outputs asked of the network, each [batchSize, columns] float32. */
  readonly outputs: readonly string[];
  readonly onError: "stop" | "skip";
  /** Outputs of one batch by name, each [wanted.length, columns]. */
  onBatch(wanted: readonly W[], outputs: Readonly<Record<string, Matrix>>): Promise<void>;
  /** A row that cannot be read. */
  onSkip(wanted: W, reason: string): void;
  readonly signal?: AbortSignal | undefined;
}

/** Batches made ready while others run. */
const AHEAD = 2;

/**
 * Runs a network over rows, batch by batch: the one way from raw inputs to outputs, in extraction, training,
 * prediction and verification alike. The next two batches are decoded while others run, one more than there
 * are lanes, and no more than these are in memory. Every batch is filled up to `batchSize` rows and holds
 * inputs of one extent, so that a row's numbers do not depend on which others are computed with it.
 */
export async function compute<W extends Wanted>(
  wanted: readonly W[],
  options: ComputeOptions<W>,
): Promise<void> {
  const { outputs, signal } = options;
  const batches = batchesOf(wanted, options);
  const ready: Promise<Prepared<W>>[] = [];
  const start = () => {
    const next = batches.next();
    if (next.done) return;
    const prepared = prepare(next.value, options);
    prepared.catch(() => {}); // awaited in its turn; an earlier failure must not leave it unhandled
    ready.push(prepared);
  };
  for (let i = 0; i <= AHEAD; i++) start();
  const running: Promise<void>[] = [];
  try {
    for (let current = ready.shift(); current !== undefined; current = ready.shift()) {
      const { feeds, kept } = await current;
      const session = await options.session;
      signal?.throwIfAborted();
      // One run more than there are lanes is handed over, so that the network never waits.
      const answer = feeds === null ? null : session.run(feeds, outputs, { transfer: true });
      answer?.catch(() => {});
      start();
      // In the order of the batches, whichever is done first.
      const before = running.at(-1);
      const finished = Promise.resolve(before).then(() => finish(answer, kept, options));
      finished.catch(() => {});
      running.push(finished);
      if (running.length > options.lanes) await running.shift();
    }
    await Promise.all(running);
  } finally {
    await Promise.allSettled([...running, ...ready]);
  }
}

async function finish<W extends Wanted>(
  answer: ReturnType<Session["run"]> | null,
  kept: readonly W[],
  { onBatch, batchSize, outputs }: ComputeOptions<W>,
): Promise<void> {
  if (answer === null) return;
  const results = await answer;
  const rows = (name: string) => rowsOf(name, results[name]!, kept, batchSize);
  await onBatch(kept, Object.fromEntries(outputs.map((name) => [name, rows(name)])));
}

/** The rows of an output that were asked for, without those that filled the batch up. */
function rowsOf(
  name: string,
  { shape, dtype, data }: Tensor,
  kept: readonly Wanted[],
  batchSize: number,
): Matrix {
  if (shape.length !== 2 || shape[0] !== batchSize || dtype !== "float32")
    throw new InputError(
      `the network's ${name} are ${dtype} [${shape.join(", ")}] for ${batchSize} inputs; [${batchSize}, D] of float32 is needed, so cut it at another layer`,
    );
  const columns = shape[1]!;
  const values = (data as Float32Array).subarray(0, kept.length * columns);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new InputError(
      `the ${name} of row ${kept[Math.floor(bad / columns)]!.index + 1} hold ${values[bad]} at ${bad % columns}; the layer is not usable for this input`,
    );
  return { rows: kept.length, columns, data: values };
}

interface Prepared<W> {
  readonly feeds: Feeds | null;
  readonly kept: readonly W[];
}

async function prepare<W extends Wanted>(
  batch: readonly W[],
  options: ComputeOptions<W>,
): Promise<Prepared<W>> {
  const { rows, preprocessor, batchSize, onError, onSkip, signal } = options;
  signal?.throwIfAborted();
  const inputs = (some: readonly W[]) => some.map(({ index }) => rows[index]!.input);
  try {
    return {
      feeds: filledUp(await preprocessor.prepare(inputs(batch)), batch.length, batchSize),
      kept: batch,
    };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (onError === "stop" && batch.length === 1) throw named(rows[batch[0]!.index]!, error);
  }
  // Something in the batch cannot be read: find out what, one by one.
  const kept: W[] = [];
  for (const one of batch) {
    try {
      await preprocessor.prepare(inputs([one]));
      kept.push(one);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const reason = named(rows[one.index]!, error);
      if (onError === "stop") throw reason;
      onSkip(one, reason.message);
    }
  }
  if (kept.length === 0) return { feeds: null, kept };
  return { feeds: filledUp(await preprocessor.prepare(inputs(kept)), kept.length, batchSize), kept };
}

/** The error with the row's name before it. */
export function named({ where }: Row, error: InputError): InputError {
  return new InputError(`${where}: ${error.message}`, { cause: error });
}

function* batchesOf<W extends Wanted>(
  wanted: readonly W[],
  { rows, preprocessor, batchSize }: ComputeOptions<W>,
): Generator<W[]> {
  const waiting = new Map<number, W[]>();
  for (const one of wanted) {
    const extent = preprocessor.extentOf?.(rows[one.index]!.input) ?? 0;
    const batch = waiting.get(extent) ?? [];
    batch.push(one);
    if (batch.length < batchSize) waiting.set(extent, batch);
    else {
      waiting.delete(extent);
      yield batch;
    }
  }
  yield* waiting.values();
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

import {
  type Augmentation,
  type Feeds,
  InputError,
  type Model,
  type Preprocessor,
  type Random,
  type Row,
  type Runtime,
  sizeOf,
  type Tensor,
  writeModel,
} from "@graft-ml/core";

/** Where training gets what a network is fed, by row number. */
export interface RowInputs {
  /** Tensors [rows.length, …] by input name. The same rows and epoch give the same bytes. */
  feeds(rows: Int32Array, epoch: number | null): Promise<Feeds>;
  /** Extent of a row's inputs; only rows of one extent share a batch. */
  extentOf?(row: number): number;
  /** Bytes that are kept. */
  readonly bytes: number;
}

export interface RowInputsOptions {
  readonly rows: readonly Row[];
  readonly preprocessor: Preprocessor;
  readonly augmentation: Augmentation | null;
  readonly random: Random;
}

/** Bytes of decoded images that are kept at most. */
const MOST_DECODED = 2 ** 28;

/**
 * Rows read, decoded and augmented anew whenever they are asked for, but for images that find room in memory
 * once decoded. Epoch null gives them as they are. `isRepeated` says whether rows are asked for more than
 * once.
 */
export function decodedInputs(options: RowInputsOptions, isRepeated = true): RowInputs {
  const { rows, augmentation, random } = options;
  const preprocessor = (isRepeated && options.preprocessor.keeping?.(MOST_DECODED)) || options.preprocessor;
  return {
    bytes: 0,
    ...extents(rows, preprocessor),
    async feeds(wanted, epoch) {
      const inputs = Array.from(wanted, (i) => rows[i]!.input);
      if (epoch === null || !augmentation) return await preprocessor.prepare(inputs);
      // An image's changes are those of its seed, epoch and row, whatever batch it is in.
      const source = random.fork(`epoch ${epoch}`);
      return await preprocessor.prepare(inputs, {
        augmentation,
        random: (i) => source.fork(`row ${wanted[i]!}`),
      });
    },
  };
}

/** What the frozen part is computed with, once. */
export interface FrozenOptions extends RowInputsOptions {
  /** The part that stays as it is. */
  readonly lower: Model;
  /** Inputs of the trained part: outputs of `lower`, or what rows are prepared as. */
  readonly inputs: readonly string[];
  readonly runtime: Runtime;
  /** Augmented versions of each row, beside the plain one; only with an augmentation. */
  readonly views: number;
  readonly batchSize: number;
  /** Most bytes that are kept. */
  readonly limit?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** One row's part of a tensor. */
interface Part {
  readonly dtype: Tensor["dtype"];
  readonly shape: readonly number[];
  readonly data: Exclude<Tensor["data"], readonly string[]>;
}
type Parts = Readonly<Record<string, Part>>;

const MOST_BYTES = 2 ** 30;

/** The frozen part makes more than may be kept: it has to be computed in every epoch. */
export class FrozenTooLarge extends InputError {}

/**
 * What the frozen part makes of every row, computed once and kept: row after row in batches of one size, so
 * that the numbers do not depend on what is asked for first. An augmented row has `views` versions, of which
 * an epoch takes one at random. Throws FrozenTooLarge where more than `limit` bytes (2^30 when left out)
 * would be kept.
 */
export async function frozenInputs(options: FrozenOptions): Promise<RowInputs> {
  const { rows, preprocessor, augmentation, random, lower, runtime, batchSize, onProgress, signal } = options;
  const { limit = MOST_BYTES } = options;
  const views = augmentation ? options.views : 0;
  const kept: Parts[][] = rows.map(() => []);
  const { extentOf } = extents(rows, preprocessor);
  const fixed = new Set(lower.graph.outputs.map(({ name }) => name));
  const decoded = decodedInputs({ rows, preprocessor, augmentation, random }, views > 0);
  const session = await runtime.load(writeModel(lower));
  const total = rows.length * (views + 1);
  const jobs = Array.from({ length: views + 1 }, (_, view) =>
    groups(rows.length, batchSize, extentOf).map((members) => ({ view, members })),
  ).flat();
  let bytes = 0;
  let done = 0;
  try {
    const prepare = (job: (typeof jobs)[number] | undefined) => {
      if (!job) return null;
      const filled = Int32Array.from({ length: batchSize }, (_, i) => job.members[i] ?? job.members[0]!);
      const made = decoded.feeds(filled, job.view === 0 ? null : job.view);
      made.catch(() => {}); // told when it is awaited
      return made;
    };
    let next = prepare(jobs[0]);
    for (const [k, { view, members }] of jobs.entries()) {
      signal?.throwIfAborted();
      const raw = await next!;
      next = prepare(jobs[k + 1]);
      const needed = Object.fromEntries(session.inputNames.map((name) => [name, raw[name]!]));
      const results = await session.run(needed);
      for (const [place, row] of members.entries()) {
        const parts = Object.fromEntries(
          options.inputs.map((name) => [
            name,
            partOf(name, fixed.has(name) ? results[name] : raw[name], place),
          ]),
        );
        kept[row]![view] = parts;
        for (const { data } of Object.values(parts)) bytes += data.byteLength;
      }
      done += members.length;
      const expected = (bytes / done) * total;
      if (expected > limit)
        throw new FrozenTooLarge(
          `the frozen part's outputs of ${rows.length} rows would take ${Math.round(expected / 2 ** 20)} MB, more than the ${Math.round(limit / 2 ** 20)} MB that are kept`,
        );
      onProgress?.(done, total);
    }
  } finally {
    await session.close();
  }
  return {
    bytes,
    ...(extentOf && { extentOf }),
    async feeds(wanted, epoch) {
      const source = random.fork(`view ${epoch}`);
      const parts = Array.from(wanted, (row) => {
        const view = epoch === null || views === 0 ? 0 : 1 + source.fork(`row ${row}`).integer(views);
        return kept[row]![view]!;
      });
      return Object.fromEntries(
        options.inputs.map((name) => [name, stacked(parts.map((part) => part[name]!))]),
      );
    },
  };
}

function extents(rows: readonly Row[], preprocessor: Preprocessor): Pick<RowInputs, "extentOf"> {
  if (!preprocessor.extentOf) return {};
  return { extentOf: (row) => preprocessor.extentOf!(rows[row]!.input) };
}

function groups(count: number, size: number, extentOf: RowInputs["extentOf"]): number[][] {
  const byExtent = new Map<number, number[]>();
  for (let row = 0; row < count; row++) {
    const extent = extentOf?.(row) ?? 0;
    const members = byExtent.get(extent);
    if (members) members.push(row);
    else byExtent.set(extent, [row]);
  }
  const made: number[][] = [];
  for (const members of byExtent.values())
    for (let at = 0; at < members.length; at += size) made.push(members.slice(at, at + size));
  return made;
}

function partOf(name: string, tensor: Tensor | undefined, place: number): Part {
  if (!tensor || !ArrayBuffer.isView(tensor.data))
    throw new InputError(
      `the network's value "${name}" is not made for each row, so the frozen part cannot be kept`,
    );
  const shape = tensor.shape.slice(1);
  const size = sizeOf(shape);
  const data = (tensor.data as Float32Array).slice(place * size, (place + 1) * size);
  return { dtype: tensor.dtype, shape, data };
}

function stacked(parts: readonly Part[]): Tensor {
  const { dtype, shape, data } = parts[0]!;
  const Kind = data.constructor as Float32ArrayConstructor; // any typed array: only copying happens
  const all = new Kind(parts.length * data.length);
  for (const [i, part] of parts.entries()) all.set(part.data as Float32Array, i * data.length);
  return { dtype, shape: [parts.length, ...shape], data: all };
}

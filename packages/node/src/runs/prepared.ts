import { type Dataset, InputError, inputKeys, type Parts, partsOf, type Row } from "@graft-ml/core";
import { nearDuplicateGroups } from "../check/index.ts";
import { contentHash } from "../extract/content.ts";

/** A data set in its parts, before anything else has looked at it. */
export interface Prepared {
  readonly dataset: Dataset;
  readonly parts: Parts;
  /** Classes with training rows, in the order of the model's output. */
  readonly classes: readonly string[];
  readonly train: readonly Row[];
  readonly test: readonly Row[];
  /** Identities of the inputs of `train`, then of `test`: equal inputs have equal keys. */
  readonly trainKeys: readonly string[];
  readonly testKeys: readonly string[];
}

export interface PrepareOptions {
  readonly seed: number;
  readonly shots?: number | null;
  readonly testFraction?: number;
  readonly onError?: "fail" | "skip";
  /** Leaves near duplicates unlooked for. */
  readonly fast?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Rows beyond which near duplicates are left to `graft check`: finding them reads every image once more. */
const NEAR_ROWS = 20_000;

/**
 * Splits a data set: equal inputs (images by their bytes) and groups never stand on both sides. Where the
 * parts are made here, near duplicates stay together too; official parts are taken as published, but for
 * equal inputs.
 */
export async function prepareData(dataset: Dataset, options: PrepareOptions): Promise<Prepared> {
  const { seed, shots = null, testFraction } = options;
  const { rows } = dataset;
  if (dataset.task === "token-classification")
    throw new InputError(
      `${dataset.source} holds tagged tokens; a tagger is trained on them, by trainTagger`,
    );
  const isOfficial = rows.some(({ split }) => split === "test" || split === "val");
  const isNear = !isOfficial && options.fast !== true && rows.length <= NEAR_ROWS;
  const keys = isNear
    ? await nearDuplicateGroups(rows, nearOptions(options))
    : inputKeys(rows, await contentsOf(rows, options));
  const parts = partsOf(dataset, {
    seed,
    shots,
    keys,
    validation: "merge",
    ...(testFraction === undefined ? {} : { testFraction }),
  });
  const of = (part: Int32Array) => Array.from(part, (i) => dataset.rows[i]!);
  const keysOf = (part: Int32Array) => Array.from(part, (i) => keys[i]!);
  const train = of(parts.train);
  const trained = new Set(train.map(({ label }) => label));
  return {
    dataset,
    parts,
    classes: dataset.classes.filter((name) => trained.has(name)),
    train,
    test: of(parts.test),
    trainKeys: keysOf(parts.train),
    testKeys: keysOf(parts.test),
  };
}

function nearOptions({ onProgress, signal }: PrepareOptions) {
  const progress = onProgress && ((_: string, done: number, total: number) => onProgress(done, total));
  return { ...(progress && { onProgress: progress }), ...(signal && { signal }) };
}

const HASHES_IN_FLIGHT = 8;

/** Hashes of the contents of images, by which copies are found; null for texts and for what cannot be read. */
async function contentsOf(
  rows: readonly Row[],
  { onError = "fail", onProgress, signal }: PrepareOptions,
): Promise<(string | null)[]> {
  const contents = Array<string | null>(rows.length).fill(null);
  if (rows[0]?.input.kind === "text") return contents;
  let next = 0;
  let done = 0;
  const lane = async () => {
    while (next < rows.length) {
      signal?.throwIfAborted();
      const i = next++;
      try {
        contents[i] = await contentHash(rows[i]!.input);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        // Skipped rows are named when they are to be decoded.
        if (onError === "fail") throw new InputError(`${rows[i]!.where}: ${error.message}`, { cause: error });
      }
      onProgress?.(++done, rows.length);
    }
  };
  await Promise.all(Array.from({ length: HASHES_IN_FLIGHT }, lane));
  return contents;
}

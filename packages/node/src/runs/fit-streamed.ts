import { type Classifier, type FeatureBlocks, InputError, type Row } from "@graft-ml/core";
import type { Source } from "../sources/index.ts";
import { contextOf, type FittingOptions, headOf, labelsOf } from "./fit-head.ts";
import type { FittedHead } from "./head-choice.ts";

/** Bytes of features that are kept in memory where nothing else is asked for. */
export const FEATURE_MEMORY = 2 ** 29;

/** Whether features of so many rows stay on disk, being more than `memory` bytes. */
export function staysOnDisk(
  source: Source,
  rows: number,
  memory: number,
): source is Source & Required<Pick<Source, "stream">> {
  return source.stream !== undefined && 4 * rows * source.dimension > memory;
}

/**
 * Fits the head named in `options` on features [N, D] of `rows` that are read block by block. Throws an
 * InputError for a head that needs them in memory.
 */
export async function fitBlocks(
  features: FeatureBlocks,
  rows: readonly Row[],
  options: FittingOptions,
): Promise<Classifier> {
  const head = headOf(options.head);
  if (head.fitBlocks === undefined)
    throw new InputError(
      `head ${options.head} needs all features in memory, and those of ${sizeOf(features)}; take logistic, which reads them block by block`,
    );
  return await head.fitBlocks(features, labelsOf(rows, options.classes), {}, contextOf(rows, options));
}

/** The same as a choice: "auto" is logistic regression, which says why. */
export async function fitStreamedHead(
  features: FeatureBlocks,
  rows: readonly Row[],
  options: FittingOptions,
): Promise<FittedHead> {
  const isOpen = options.head === "auto";
  const name = isOpen ? "logistic" : options.head;
  const classifier = await fitBlocks(features, rows, { ...options, head: name });
  const reason = `features of ${sizeOf(features)}, so they stayed on disk and were read block by block${isOpen ? ", which only logistic regression can learn from" : ""}`;
  return { name, classifier, compared: [], reason };
}

function sizeOf({ rows, columns }: FeatureBlocks): string {
  return `${rows} rows take ${((4 * rows * columns) / 2 ** 20).toPrecision(3)} MB`;
}

import {
  type CheckReport,
  checkRows,
  type Dataset,
  inputKeys,
  NEAR_IMAGE,
  NEAR_TEXT,
  type NearPair,
  nearImages,
  nearKeys,
  nearTexts,
  type Row,
} from "@graft-ml/core";
import { lookAtImages } from "./images.ts";

/** Settings of `checkDataset` and `nearDuplicateGroups`. */
export interface CheckOptions {
  /** Whether near duplicates are looked for; true when left out. */
  readonly near?: boolean;
  /**
   * From what similarity two rows are near duplicates: Jaccard index of texts (0.8 when left out),
   * correlation of images at 32 × 32 pixels in grey (0.99).
   */
  readonly similarity?: number;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * What is in a data set and what is wrong with it: counts, imbalance, broken images, equal and nearly equal inputs,
 * conflicting labels, leaks between the parts. Every image is decoded; texts are looked at as they are. Nothing is
 * changed. Throws nothing for what it finds.
 */
export async function checkDataset(dataset: Dataset, options: CheckOptions = {}): Promise<CheckReport> {
  const { rows } = dataset;
  const { near = true } = options;
  if (dataset.task !== "image-classification") {
    const keys = inputKeys(rows);
    return checkRows(dataset, { keys, near: near ? nearOfTexts(rows, keys, options) : [] });
  }
  const { contents, prints, facts, broken } = await lookAtImages(rows, options);
  const keys = inputKeys(rows, contents);
  return checkRows(dataset, {
    keys,
    near: near
      ? nearOfDistinct(keys, (kept) =>
          nearImages(
            kept.map((i) => prints[i]!),
            options.similarity,
          ),
        )
      : [],
    broken,
    images: facts,
  });
}

/**
 * A key for each row [rows], equal for rows whose inputs are equal or nearly so: passed as `keys` to `partsOf`,
 * `splitDataset` or `kFold`, it keeps near duplicates on one side of a split. Images that cannot be read stand alone.
 */
export async function nearDuplicateGroups(
  rows: readonly Row[],
  options: Omit<CheckOptions, "near"> = {},
): Promise<string[]> {
  if (rows.every((row) => row.input.kind === "text")) {
    const keys = inputKeys(rows);
    return nearKeys(keys, nearOfTexts(rows, keys, options));
  }
  const { contents, prints } = await lookAtImages(rows, options);
  const keys = inputKeys(rows, contents);
  return nearKeys(
    keys,
    nearOfDistinct(keys, (kept) =>
      nearImages(
        kept.map((i) => prints[i]!),
        options.similarity ?? NEAR_IMAGE,
      ),
    ),
  );
}

function nearOfTexts(rows: readonly Row[], keys: readonly string[], options: CheckOptions): NearPair[] {
  const text = ({ input }: Row) => (input.kind === "text" ? input.text : "");
  return nearOfDistinct(keys, (kept) =>
    nearTexts(
      kept.map((i) => text(rows[i]!)),
      options.similarity ?? NEAR_TEXT,
    ),
  );
}

/** Near pairs among the first rows of each key, as pairs of row numbers. */
function nearOfDistinct(keys: readonly string[], among: (kept: readonly number[]) => NearPair[]): NearPair[] {
  const first = new Map<string, number>();
  for (const [i, key] of keys.entries()) if (!first.has(key)) first.set(key, i);
  const kept = [...first.values()];
  return among(kept).map(({ a, b, similarity }) => ({ a: kept[a]!, b: kept[b]!, similarity }));
}

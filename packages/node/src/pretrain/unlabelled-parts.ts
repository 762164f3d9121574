import { type Dataset, InputError, inputKeys, type Row, splitDataset } from "@graft-ml/core";
import { prepareData } from "../runs/prepared.ts";

/** Rows that are trained on without a look at their labels, and rows that are only scored. */
export interface UnlabelledParts {
  readonly train: readonly Row[];
  readonly heldOut: readonly Row[];
  readonly notes: readonly string[];
}

/** How the rows are parted. */
export interface UnlabelledOptions {
  readonly seed: number;
  readonly testFraction?: number;
  readonly onError?: "fail" | "skip";
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Share of the rows held out where labels tell no classes apart. */
const HELD_OUT = 0.1;

/**
 * Labelled rows are held out as `trainRun` would with the same seed, so that a network pretrained here has
 * seen none of what that tests on; rows without a label are trained on, but for copies of those held out.
 */
export async function unlabelledParts(
  dataset: Dataset,
  options: UnlabelledOptions,
): Promise<UnlabelledParts> {
  const { rows, source } = dataset;
  const { seed, testFraction = HELD_OUT } = options;
  const keys = inputKeys(rows);
  const labels = new Set(rows.flatMap(({ label }) => (label === null ? [] : [label])));
  // With one class there is nothing that `trainRun` could learn, so nothing it would test on either.
  if (labels.size > 1) {
    const labelled = { ...dataset, rows: rows.filter(({ label }) => label !== null) };
    const { train, test, parts } = await prepareData(labelled, options);
    const tested = new Set(test);
    const judged = new Set(rows.flatMap((row, i) => (tested.has(row) ? [keys[i]!] : [])));
    const others = rows.filter(
      (row, i) => row.label === null && row.split !== "test" && !judged.has(keys[i]!),
    );
    return { train: [...train, ...others], heldOut: test, notes: parts.notes };
  }
  const numbers = [...rows.keys()];
  const official = numbers.filter((i) => rows[i]!.split === "test");
  const parts =
    official.length > 0
      ? { train: numbers.filter((i) => rows[i]!.split !== "test"), test: official }
      : splitDataset(rows, { fraction: testFraction, seed, keys });
  const judged = new Set(Array.from(parts.test, (i) => keys[i]!));
  const train = Array.from(parts.train)
    .filter((i) => !judged.has(keys[i]!))
    .map((i) => rows[i]!);
  const heldOut = Array.from(parts.test, (i) => rows[i]!);
  if (train.length === 0)
    throw new InputError(`${source}: there are no rows to train on beside the ${heldOut.length} held out`);
  return { train, heldOut, notes: [`${heldOut.length} of ${rows.length} rows were held out`] };
}

/** The parts without rows that cannot be read; `keptOf` gives the numbers of those that can. */
export async function readableParts(
  { train, heldOut, notes }: UnlabelledParts,
  keptOf: (rows: readonly Row[]) => Promise<Iterable<number>>,
): Promise<UnlabelledParts> {
  const kept = async (rows: readonly Row[]) => Array.from(await keptOf(rows), (i) => rows[i]!);
  const [read, held] = [await kept(train), await kept(heldOut)];
  const lost = train.length + heldOut.length - read.length - held.length;
  const more = lost === 0 ? [] : [`${lost} rows could not be read and were left out`];
  return { train: read, heldOut: held, notes: [...notes, ...more] };
}

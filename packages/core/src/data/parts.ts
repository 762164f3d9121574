import { InputError } from "../errors.ts";
import type { Dataset } from "./dataset.ts";
import { inputKeys } from "./identity.ts";
import { shots, splitDataset } from "./split.ts";

/** How the parts are made where the data do not give them. */
export interface PartsOptions {
  readonly seed: number;
  /** Share of the rows split off as the test part where the data bring none. */
  readonly testFraction?: number;
  /** An official validation part is kept for choosing ("keep") or added to the training rows ("merge"). */
  readonly validation?: "keep" | "merge";
  /** Training rows a class that are kept; all when left out. */
  readonly shots?: number | null;
  /** Identities of the inputs [rows] as from `inputKeys`. */
  readonly keys?: readonly string[];
}

/** Ascending row numbers of the three parts, and everything done to the rows on the way, in words. */
export interface Parts {
  readonly train: Int32Array;
  readonly val: Int32Array;
  readonly test: Int32Array;
  /** "official" where the data say what is tested on, "split" where it was split off here. */
  readonly origin: "official" | "split";
  /**
   * Rows taken out of training or validation because the same input (or its group) stands in a part that
   * judges it.
   */
  readonly dropped: Int32Array;
  readonly notes: readonly string[];
}

/**
 * The parts to train, choose and test on. Official parts are honoured; a validation part without a test part
 * becomes the test part; with neither, a stratified test part is split off. No input and no group stands on
 * two sides: where the official parts overlap, the test part stays as published and the overlapping training
 * rows go. Throws an InputError where nothing is left to train on, or a class is tested that is never
 * trained.
 */
export function partsOf(dataset: Dataset, options: PartsOptions): Parts {
  const { rows } = dataset;
  const { testFraction = 0.2, validation = "keep", keys = inputKeys(rows) } = options;
  const labelled = [...rows.keys()].filter((i) => rows[i]!.label !== null);
  const notes: string[] = [];
  if (labelled.length < rows.length)
    notes.push(`${rows.length - labelled.length} unlabelled rows are in no part`);
  const of = (split: string) => labelled.filter((i) => rows[i]!.split === split);
  let train = labelled.filter((i) => rows[i]!.split === null || rows[i]!.split === "train");
  let val = of("val");
  let test = of("test");
  if (train.length === 0) {
    throw new InputError(
      `${dataset.source}: ${labelled.length === 0 ? "no row has a label" : "there are no training rows, only val and test"}; training needs labelled rows outside the test part`,
    );
  }
  let origin: Parts["origin"] = "official";
  let dropped: number[] = [];
  if (test.length === 0 && val.length > 0) {
    [test, val] = [val, []];
    notes.push(
      "there is no test part: the official validation part is the test set, and nothing is chosen on it",
    );
  }
  if (test.length === 0) {
    origin = "split";
    const subset = train;
    const parts = splitDataset(
      subset.map((i) => rows[i]!),
      { fraction: testFraction, seed: options.seed, keys: subset.map((i) => keys[i]!) },
    );
    train = Array.from(parts.train, (i) => subset[i]!);
    test = Array.from(parts.test, (i) => subset[i]!);
    notes.push(
      `no official test part: ${test.length} of ${subset.length} rows split off, stratified, seed ${options.seed}`,
    );
    notes.push(...repeated(subset, keys));
  } else {
    if (validation === "merge" && val.length > 0) {
      train = [...train, ...val].sort((a, b) => a - b);
      notes.push(`the official validation part (${val.length} rows) is trained on`);
      val = [];
    }
    const identities = (i: number) =>
      rows[i]!.group === null ? [`k${keys[i]}`] : [`k${keys[i]}`, `g${rows[i]!.group}`];
    const without = (part: number[], judges: readonly number[], names: string): number[] => {
      const taken = new Set(judges.flatMap(identities));
      const overlap = new Set(part.filter((i) => identities(i).some((identity) => taken.has(identity))));
      if (overlap.size === 0) return part;
      dropped = [...dropped, ...overlap];
      notes.push(
        `${overlap.size} ${names}: the same input or group stands there too (first: ${rows[[...overlap][0]!]!.where})`,
      );
      return part.filter((i) => !overlap.has(i));
    };
    val = without(val, test, "validation rows left out for the test part");
    train = without(train, [...test, ...val], "training rows left out for the test or validation part");
  }
  requireTrained(dataset, train, test);
  if (options.shots !== null && options.shots !== undefined) {
    const before = train.length;
    train = [...shots(rows, options.shots, { seed: options.seed, keys }, train)];
    notes.push(
      `${options.shots} shots a class: ${train.length} of ${before} training rows kept, seed ${options.seed}`,
    );
  }
  return {
    train: Int32Array.from(train),
    val: Int32Array.from(val),
    test: Int32Array.from(test),
    origin,
    dropped: Int32Array.from(dropped).sort(),
    notes,
  };
}

function repeated(subset: readonly number[], keys: readonly string[]): string[] {
  const distinct = new Set(subset.map((i) => keys[i]!)).size;
  if (distinct === subset.length) return [];
  return [
    `${subset.length - distinct} rows repeat an input of another row, or nearly so; such rows were kept on one side of the split`,
  ];
}

function requireTrained(dataset: Dataset, train: readonly number[], test: readonly number[]): void {
  const trained = new Set(train.map((i) => dataset.rows[i]!.label));
  if (trained.size < 2) {
    throw new InputError(
      `${dataset.source}: training rows have ${trained.size === 1 ? `one class, ${JSON.stringify([...trained][0])}` : "no class"}; a classifier needs at least two`,
    );
  }
  const unseen = test.find((i) => !trained.has(dataset.rows[i]!.label));
  if (unseen === undefined) return;
  const { where, label } = dataset.rows[unseen]!;
  const count = test.filter((i) => dataset.rows[i]!.label === label).length;
  throw new InputError(
    `${where}: class ${JSON.stringify(label)} has ${count} test rows and no training row; add training rows for it or take it out of the test part`,
  );
}

import {
  type Dataset,
  InputError,
  inputKeys,
  type Row,
  random,
  sortedClasses,
  splitDataset,
} from "@graft-ml/core";
import { readDataset } from "../data/read.ts";
import { contentHash } from "../extract/content.ts";
import { prepareData } from "../runs/prepared.ts";
import { requireTexts } from "../sources/index.ts";
import { kindOf, type TaskSpec } from "./tasks-file.ts";
import { told } from "./trunk.ts";

/** The rows of one task in their parts. */
export interface TaskData {
  readonly spec: TaskSpec;
  /** Data set or file, for people. */
  readonly source: string;
  readonly modality: "image" | "text";
  /** Classes with training rows, in the order of the output; empty for a task without labels. */
  readonly classes: readonly string[];
  readonly train: readonly Row[];
  /** Rows of the training part that choose the epoch. */
  readonly held: readonly Row[];
  /** Empty for a task without labels. */
  readonly test: readonly Row[];
  readonly notes: readonly string[];
}

/** How rows are parted. */
export interface TaskDataOptions {
  readonly seed: number;
  /** Share of the training rows held out to choose the epoch. */
  readonly validation: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads every task's rows. What one task is tested on, no other is trained on: the network is one, so a row that it saw for
 * another task would be no news. Tasks that read one file are tested on the same rows. Throws an InputError that names the
 * task.
 */
export async function readTasks(specs: readonly TaskSpec[], options: TaskDataOptions): Promise<TaskData[]> {
  const labelled: Parts[] = [];
  const tested = new Map<string, ReadonlySet<string>>();
  for (const spec of specs) {
    if (kindOf(spec.kind).labels !== "required") continue;
    const same = labelled.find((one) => one.spec.data === spec.data);
    const known = same && tested.get(same.spec.name);
    const parts = await told(`task "${spec.name}"`, () => labelledParts(spec, options, known));
    labelled.push(parts);
    tested.set(spec.name, new Set(await keysOf(parts.test)));
  }
  const read = new Map<string, TaskData>();
  const finish = async (parts: Parts) => {
    const { name } = parts.spec;
    const judged = new Set([...tested].flatMap(([other, keys]) => (other === name ? [] : [...keys])));
    read.set(name, await told(`task "${name}"`, () => finished(parts, judged, options)));
  };
  for (const parts of labelled) await finish(parts);
  const others = { train: [...read.values()].flatMap(({ train }) => train), task: labelled[0]?.dataset.task };
  for (const spec of specs)
    if (kindOf(spec.kind).labels === "none")
      await finish(await told(`task "${spec.name}"`, () => plainParts(spec, others, options)));
  return specs.map(({ name }) => read.get(name)!);
}

/** A task's rows before those of other tasks are looked at. */
interface Parts {
  readonly spec: TaskSpec;
  readonly dataset: Pick<Dataset, "task" | "source">;
  readonly train: readonly Row[];
  readonly test: readonly Row[];
  readonly notes: readonly string[];
}

/** `known`: identities of the rows that another task is tested on, out of the same file. */
async function labelledParts(
  spec: TaskSpec,
  options: TaskDataOptions,
  known?: ReadonlySet<string>,
): Promise<Parts> {
  const { signal, onProgress, seed } = options;
  const read = await readDataset(spec.data!, { ...spec.reading, ...(signal && { signal }) });
  if (read.task !== "image-classification" && read.task !== "text-classification")
    throw new InputError(`${read.source} is for ${read.task}; kind ${spec.kind} takes a class a row`);
  const dataset = await tested(relabelled(read, spec), known);
  const { testFraction, shots } = spec.common;
  const { train, test, parts } = await prepareData(dataset, {
    seed,
    shots,
    ...(testFraction !== null && { testFraction }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  requireTexts([...train, ...test]);
  return { spec, dataset, train, test, notes: [...(dataset.notes ?? []), ...parts.notes] };
}

/** The data set with the test rows that another task has, unless its files say which they are. */
async function tested(dataset: Dataset, known?: ReadonlySet<string>): Promise<Dataset> {
  if (!known || dataset.rows.some(({ split }) => split !== null)) return dataset;
  const keys = await keysOf(dataset.rows);
  const rows = dataset.rows.map((row, i) => ({
    ...row,
    split: known.has(keys[i]!) ? ("test" as const) : null,
  }));
  return { ...dataset, rows };
}

function relabelled(dataset: Dataset, { relabel }: TaskSpec): Dataset {
  if (relabel === null) return dataset;
  const unknown = Object.keys(relabel).find((name) => !dataset.classes.includes(name));
  if (unknown !== undefined)
    throw new InputError(
      `relabel: ${dataset.source} has no class "${unknown}"; it has ${dataset.classes.slice(0, 12).join(", ")}`,
    );
  const rows = dataset.rows.map((row) =>
    row.label !== null && Object.hasOwn(relabel, row.label) ? { ...row, label: relabel[row.label]! } : row,
  );
  return { ...dataset, rows, classes: sortedClasses(rows.map(({ label }) => label)) };
}

async function plainParts(
  spec: TaskSpec,
  others: { readonly train: readonly Row[]; readonly task: Dataset["task"] | undefined },
  { signal }: TaskDataOptions,
): Promise<Parts> {
  if (spec.data === null)
    return {
      spec,
      dataset: { task: others.task!, source: "the training rows of the other tasks" },
      train: unique(others.train),
      test: [],
      notes: [],
    };
  const dataset = await readDataset(spec.data, {
    ...spec.reading,
    labels: "optional",
    ...(signal && { signal }),
  });
  const train = dataset.rows.filter(
    ({ split, input }) => split !== "test" && !(input.kind === "text" && input.text.trim() === ""),
  );
  return { spec, dataset, train, test: [], notes: dataset.notes ?? [] };
}

function unique(rows: readonly Row[]): Row[] {
  const keys = inputKeys(rows);
  const seen = new Set<string>();
  return rows.filter((_, i) => !seen.has(keys[i]!) && seen.add(keys[i]!));
}

async function finished(
  { spec, dataset, train: all, test, notes }: Parts,
  judged: ReadonlySet<string>,
  { seed, validation }: TaskDataOptions,
): Promise<TaskData> {
  const keys = await keysOf(all);
  const allowed = all.filter((_, i) => !judged.has(keys[i]!));
  const { limit } = spec.common;
  const order = random(seed).fork("limit").permutation(allowed.length);
  const kept = limit === null ? allowed : Array.from(order.subarray(0, limit).sort(), (i) => allowed[i]!);
  if (kept.length < 4)
    throw new InputError(
      `${kept.length} training rows are left; a joint training needs 4 at least, some of them to choose the epoch`,
    );
  const parts = splitDataset(kept, { fraction: validation, seed });
  const of = (numbers: Int32Array) => Array.from(numbers, (i) => kept[i]!);
  const [train, rest] = [of(parts.train), of(parts.test)];
  const classes = kindOf(spec.kind).labels === "none" ? [] : sortedClasses(train.map(({ label }) => label));
  const isKnown = ({ label }: Row) => classes.length === 0 || classes.includes(label!);
  const held = rest.filter(isKnown);
  const stranger = test.find((row) => !isKnown(row));
  if (stranger)
    throw new InputError(
      `${stranger.where} is a test row of class "${stranger.label}", of which no training row is left; give it some or leave it out`,
    );
  if (held.length === 0)
    throw new InputError("no row is held out to choose the epoch; give more rows or a larger validation");
  const lost = all.length - allowed.length;
  return {
    spec,
    source: dataset.source,
    modality: dataset.task === "image-classification" ? "image" : "text",
    classes,
    train,
    held,
    test,
    notes: [
      ...notes,
      ...(lost > 0 ? [`${lost} training rows were left out: other tasks are tested on them`] : []),
      ...(kept.length < allowed.length
        ? [`${kept.length} of ${allowed.length} training rows were taken`]
        : []),
    ],
  };
}

/** Identities by which rows of different tasks are known to be the same. */
async function keysOf(rows: readonly Row[]): Promise<string[]> {
  if (rows[0]?.input.kind === "text") return inputKeys(rows);
  const keys: string[] = [];
  for (const { input } of rows)
    keys.push(input.kind === "raw" ? `${input.path}@${input.offset}` : await contentHash(input));
  return keys;
}

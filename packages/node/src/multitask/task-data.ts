import {
  type Dataset,
  InputError,
  inputKeys,
  normalisedText,
  type Row,
  random,
  sortedClasses,
  splitDataset,
  type Unit,
} from "@graft-ml/core";
import { readDataset } from "../data/read.ts";
import { contentHash } from "../extract/content.ts";
import { prepareData } from "../runs/prepared.ts";
import { requireTexts } from "../sources/index.ts";
import { sentenceParts } from "../tagging/sentences.ts";
import { asSentence, inPieces, sentencesIn, unitOf } from "./sentence-rows.ts";
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
  /** Share of the training rows held out to choose the epoch, where the data have no validation part. */
  readonly validation: number;
  /** Tokens a text is cut to, where the trunk takes sentences; null where it takes texts or images as they are. */
  readonly sentences?: { readonly longest: number } | null;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads every task's rows. What one task is tested on, no other is trained on: the network is one, so a row
 * that it saw for another task would be no news. Tasks that read one file are tested on the same rows. Throws
 * an InputError that names the task.
 */
export async function readTasks(specs: readonly TaskSpec[], options: TaskDataOptions): Promise<TaskData[]> {
  const labelled: Parts[] = [];
  const tested = new Map<string, ReadonlySet<string>>();
  const wanted = specs.filter(({ kind }) => kindOf(kind).labels === "required");
  // Tagged tokens first: they say what texts are cut into.
  const isKept = ({ kind }: TaskSpec) => kindOf(kind).keepsTags === true;
  const isTagged = ({ kind }: TaskSpec) => kindOf(kind).isTagged === true;
  const classified = wanted.filter((one) => !isTagged(one));
  let unit: Unit = "words";
  for (const spec of [
    ...wanted.filter((one) => isTagged(one) && !isKept(one)),
    ...classified,
    ...wanted.filter(isKept),
  ]) {
    const same = labelled.find((one) => one.spec.data === spec.data);
    const known = same && tested.get(same.spec.name);
    const parts = await told(`task "${spec.name}"`, () =>
      isKept(spec)
        ? keptParts(spec, options, labelled)
        : isTagged(spec)
          ? taggedParts(spec, options)
          : labelledParts(spec, options, unit, known),
    );
    if (isTagged(spec) && labelled.length === 0) unit = unitOf(parts.train);
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
      await finish(await told(`task "${spec.name}"`, () => plainParts(spec, others, options, unit)));
  return specs.map(({ name }) => read.get(name)!);
}

/** A task's rows before those of other tasks are looked at. */
interface Parts {
  readonly spec: TaskSpec;
  readonly dataset: Pick<Dataset, "task" | "source">;
  readonly train: readonly Row[];
  /** The official validation part; null where there is none. */
  readonly held: readonly Row[] | null;
  readonly test: readonly Row[];
  readonly notes: readonly string[];
}

/** Sentences of tagged tokens. */
async function taggedParts(spec: TaskSpec, { seed, signal }: TaskDataOptions): Promise<Parts> {
  const read = await readDataset(spec.data!, { ...spec.reading, ...(signal && { signal }) });
  if (read.task !== "token-classification")
    throw new InputError(`${read.source} is for ${read.task}; kind ${spec.kind} takes tagged tokens`);
  const { testFraction, shots } = spec.common;
  if (shots !== null) throw new InputError("shots: sentences have no class to count them by; take limit");
  const { train, held, test, notes } = sentenceParts(retagged(read, spec), {
    random: random(seed).fork("parts"),
    testFraction: testFraction ?? 0.2,
  });
  return { spec, dataset: read, train, held, test, notes: [...(read.notes ?? []), ...notes] };
}

/**
 * Sentences that keep earlier tags: those of the other tasks, which the earlier tagger tags, and earlier ones
 * with theirs.
 */
async function keptParts(
  spec: TaskSpec,
  options: TaskDataOptions,
  labelled: readonly Parts[],
): Promise<Parts> {
  const others = labelled.filter(({ spec: { kind } }) => !kindOf(kind).keepsTags);
  const untagged = (part: (parts: Parts) => readonly Row[]) =>
    unique(others.flatMap(part)).map((row) => ({
      ...row,
      label: null,
      tokens: { ...row.tokens!, tags: null },
    }));
  const { by } = spec.settings;
  if (others.length === 0) throw new InputError("there is no other task that brings sentences to be tagged");
  if (spec.data === null) {
    if (by === "replay" || by === "both")
      throw new InputError(`by ${by}: name the earlier sentences with data, or take "by": "distil"`);
    return {
      spec,
      dataset: { task: "token-classification", source: "the sentences of the other tasks" },
      train: untagged(({ train }) => train),
      held: null,
      test: untagged(({ test }) => test),
      notes: [
        "without earlier sentences the score says how often the tags are still those that the earlier tagger gives",
      ],
    };
  }
  const own = await taggedParts(spec, options);
  const { limit } = spec.common;
  const replayed = by === "distil" ? [] : limited(own.train, limit, options.seed);
  const taught = by === "replay" ? [] : untagged(({ train }) => train);
  // The limit is of earlier sentences.
  return {
    ...own,
    spec: { ...spec, common: { ...spec.common, limit: null } },
    train: [...replayed, ...taught],
    held: own.held && limited(own.held, limit, options.seed),
    notes: [
      ...own.notes,
      `${replayed.length} earlier sentences are learnt again, ${taught.length} of the other tasks as the earlier tagger tags them`,
    ],
  };
}

/** As many rows as are allowed, at random. */
function limited(rows: readonly Row[], limit: number | null, seed: number): readonly Row[] {
  if (limit === null) return rows;
  const order = random(seed).fork("limit").permutation(rows.length);
  return Array.from(order.subarray(0, limit).sort(), (i) => rows[i]!);
}

/** The data set with other names of tags. */
function retagged(dataset: Dataset, { relabel }: TaskSpec): Dataset {
  if (relabel === null) return dataset;
  requireClasses(dataset, relabel);
  const renamed = (tag: string) => (Object.hasOwn(relabel, tag) ? relabel[tag]! : tag);
  const rows = dataset.rows.map((row) =>
    row.tokens?.tags ? { ...row, tokens: { ...row.tokens, tags: row.tokens.tags.map(renamed) } } : row,
  );
  return { ...dataset, rows };
}

function requireClasses({ source, classes }: Dataset, relabel: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(relabel).find((name) => !classes.includes(name));
  if (unknown !== undefined)
    throw new InputError(
      `relabel: ${source} has no class "${unknown}"; it has ${classes.slice(0, 12).join(", ")}`,
    );
}

/** `known`: identities of the rows that another task is tested on, out of the same file. */
async function labelledParts(
  spec: TaskSpec,
  options: TaskDataOptions,
  unit: Unit,
  known?: ReadonlySet<string>,
): Promise<Parts> {
  const { signal, onProgress, seed, sentences } = options;
  const read = await readDataset(spec.data!, { ...spec.reading, ...(signal && { signal }) });
  if (read.task !== "image-classification" && read.task !== "text-classification")
    throw new InputError(`${read.source} is for ${read.task}; kind ${spec.kind} takes a class a row`);
  const cut = sentences
    ? { ...read, rows: read.rows.map((row) => asSentence(row, unit, sentences.longest)) }
    : read;
  const dataset = await tested(relabelled(cut, spec), known);
  const { testFraction, shots } = spec.common;
  const { train, test, parts } = await prepareData(dataset, {
    seed,
    shots,
    ...(testFraction !== null && { testFraction }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  requireTexts([...train, ...test]);
  return { spec, dataset, train, held: null, test, notes: [...(dataset.notes ?? []), ...parts.notes] };
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
  requireClasses(dataset, relabel);
  const rows = dataset.rows.map((row) =>
    row.label !== null && Object.hasOwn(relabel, row.label) ? { ...row, label: relabel[row.label]! } : row,
  );
  return { ...dataset, rows, classes: sortedClasses(rows.map(({ label }) => label)) };
}

async function plainParts(
  spec: TaskSpec,
  others: { readonly train: readonly Row[]; readonly task: Dataset["task"] | undefined },
  { signal, sentences }: TaskDataOptions,
  unit: Unit,
): Promise<Parts> {
  if (spec.data === null)
    return {
      spec,
      dataset: { task: others.task!, source: "the training rows of the other tasks" },
      train: unique(others.train),
      held: null,
      test: [],
      notes: [],
    };
  const dataset = await readDataset(spec.data, {
    ...spec.reading,
    labels: "optional",
    ...(signal && { signal }),
  });
  const filled = dataset.rows.filter(
    ({ split, input }) => split !== "test" && !(input.kind === "text" && input.text.trim() === ""),
  );
  const train = sentences ? filled.flatMap((row) => sentencesIn(row, unit)) : filled;
  return { spec, dataset, train, held: null, test: [], notes: dataset.notes ?? [] };
}

function unique(rows: readonly Row[]): Row[] {
  const keys = inputKeys(rows);
  const seen = new Set<string>();
  return rows.filter((_, i) => !seen.has(keys[i]!) && seen.add(keys[i]!));
}

async function finished(
  { spec, dataset, train: all, held: official, test, notes }: Parts,
  judged: ReadonlySet<string>,
  { seed, validation }: TaskDataOptions,
): Promise<TaskData> {
  const unjudged = async (rows: readonly Row[]) => {
    const keys = await keysOf(rows);
    return rows.filter((_, i) => !judged.has(keys[i]!));
  };
  const allowed = await unjudged(all);
  const { limit } = spec.common;
  const kept = limited(allowed, limit, seed);
  if (kept.length < 4)
    throw new InputError(
      `${kept.length} training rows are left; a joint training needs 4 at least, some of them to choose the epoch`,
    );
  const { labels, isTagged = false } = kindOf(spec.kind);
  const of = (numbers: Int32Array) => Array.from(numbers, (i) => kept[i]!);
  const parts = official === null ? splitDataset(kept, { fraction: validation, seed }) : null;
  const train = (parts ? of(parts.train) : kept).flatMap(inPieces);
  const rest = (parts ? of(parts.test) : limited(await unjudged(official!), limit, seed)).flatMap(inPieces);
  const named = isTagged
    ? train.flatMap(({ tokens }) => tokens!.tags ?? [])
    : train.map(({ label }) => label);
  const classes = labels === "none" ? [] : sortedClasses(named);
  const isKnown = ({ label }: Row) => isTagged || classes.length === 0 || classes.includes(label!);
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
  if (rows[0]?.input.kind === "text") {
    const plain = inputKeys(rows);
    return rows.map(({ tokens }, i) =>
      tokens ? `text ${normalisedText(tokens.texts.join(" "))}` : plain[i]!,
    );
  }
  const keys: string[] = [];
  for (const { input } of rows)
    keys.push(input.kind === "raw" ? `${input.path}@${input.offset}` : await contentHash(input));
  return keys;
}

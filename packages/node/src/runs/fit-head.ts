import {
  type Classifier,
  type Features,
  type FitContext,
  type Head,
  headCandidates,
  InputError,
  type Random,
  type Row,
  type Runtime,
  rowGroups,
} from "@graft-ml/core";

/** What heads are fitted with, beside features and labels. */
export interface FittingOptions {
  /** A head's name. */
  readonly head: string;
  /** Settings of that head; what is left out it chooses on the rows it is given. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly classes: readonly string[];
  /** "balanced", or a weight by class name; rows count alike where left out. */
  readonly classWeights?: "balanced" | Readonly<Record<string, number>> | null;
  /** Identities of the rows' inputs: equal ones never stand on both sides of an inner fold. */
  readonly keys?: readonly string[];
  readonly random: Random;
  readonly runtime?: Runtime;
}

/** A head by its name. Throws an InputError that lists the heads there are. */
export function headOf(name: string): Head {
  const all = headCandidates();
  const found = all.find((candidate) => candidate.name === name);
  if (found !== undefined) return found.head;
  throw new InputError(
    `head "${name}": there is none of that name; there are ${all.map((one) => one.name).join(", ")}`,
  );
}

/** Fits the head named in `options` on features [N, D] of `rows`. */
export async function fitHead(
  features: Features,
  rows: readonly Row[],
  options: FittingOptions,
): Promise<Classifier> {
  return await headOf(options.head).fit(
    features,
    labelsOf(rows, options.classes),
    options.settings ?? {},
    contextOf(rows, options),
  );
}

/** Class numbers [N] of rows. */
export function labelsOf(rows: readonly Row[], classes: readonly string[]): Int32Array {
  const numbers = new Map(classes.map((name, c) => [name, c]));
  return Int32Array.from(rows, ({ label }) => numbers.get(label!)!);
}

/** What every head is given: row weights where the data have them, class weights as asked for. */
export function contextOf(
  rows: readonly Row[],
  { classes, classWeights, keys, random, runtime }: FittingOptions,
): FitContext {
  const isGrouped = rows.some(({ group }) => group !== null) || new Set(keys).size < (keys?.length ?? 0);
  return {
    ...(isGrouped ? { groups: rowGroups(rows, keys ?? rows.map((_, i) => `row ${i}`)) } : {}),
    classes: classes.length,
    random,
    ...(runtime === undefined ? {} : { runtime }),
    ...(classWeights === undefined || classWeights === null
      ? {}
      : { classWeights: classWeights === "balanced" ? classWeights : listed(classWeights, classes) }),
    ...(rows.some(({ weight }) => weight !== 1)
      ? { weights: Float32Array.from(rows, ({ weight }) => weight) }
      : {}),
  };
}

function listed(weights: Readonly<Record<string, number>>, classes: readonly string[]): number[] {
  const unknown = Object.keys(weights).find((name) => !classes.includes(name));
  if (unknown !== undefined)
    throw new InputError(`class weights: ${JSON.stringify(unknown)} is not one of ${classes.join(", ")}`);
  return classes.map((name) => weights[name] ?? 1);
}

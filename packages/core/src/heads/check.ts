import { InputError } from "../errors.ts";
import { type Features, isSparse, type Matrix } from "../tensor.ts";
import type { FitContext } from "./head.ts";

/** Throws an InputError unless features [N, D], labels [N] and weights [N] go together and every class occurs. */
export function requireFittable(features: Features, labels: Int32Array, context: FitContext): void {
  requireLabelled(features, labels, context);
  requireFinite(features);
}

/** The same of what does not ask for the features themselves. */
export function requireLabelled(
  features: { readonly rows: number },
  labels: Int32Array,
  context: FitContext,
): void {
  const { classes, weights, classWeights } = context;
  if (features.rows === 0) throw new InputError("there are no rows to learn from; give at least one a class");
  if (labels.length !== features.rows)
    throw new InputError(`${features.rows} rows of features have ${labels.length} labels; give one each`);
  if (weights !== undefined && weights.length !== features.rows)
    throw new InputError(`${features.rows} rows have ${weights.length} weights; give one each`);
  if (classWeights !== undefined && classWeights !== "balanced" && classWeights.length !== classes)
    throw new InputError(`${classes} classes have ${classWeights.length} class weights; give one each`);
  if (context.groups !== undefined && context.groups.length !== features.rows)
    throw new InputError(`${features.rows} rows have ${context.groups.length} groups; give one each`);
  for (const [i, weight] of weights?.entries() ?? [])
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY))
      throw new InputError(`row ${i} has the weight ${weight}; weights are finite numbers from 0`);
  if (Array.isArray(classWeights))
    for (const [c, weight] of classWeights.entries())
      if (!(weight > 0 && weight < Number.POSITIVE_INFINITY))
        throw new InputError(`class ${c} has the weight ${weight}; class weights are finite numbers above 0`);
  if (classes < 2) throw new InputError(`a classifier needs at least two classes, got ${classes}`);
  const counts = new Int32Array(classes);
  for (const [i, label] of labels.entries()) {
    if (!(label >= 0 && label < classes))
      throw new InputError(`row ${i}: label ${label} is not a class number from 0 to ${classes - 1}`);
    counts[label]!++;
  }
  const absent = counts.indexOf(0);
  if (absent >= 0) throw new InputError(`class ${absent} has no training row; every class must occur`);
}

/** Throws an InputError that names the first row with a feature that is no number; the first row is row `from`. */
export function requireFinite(features: Features, from = 0): void {
  const values = isSparse(features) ? features.values : features.data;
  for (let at = 0; at < values.length; at++) {
    if (Number.isFinite(values[at]!)) continue;
    const row = isSparse(features)
      ? features.offsets.findIndex((end) => end > at) - 1
      : Math.floor(at / features.columns);
    throw new InputError(
      `row ${from + row} has a feature that is ${values[at]}; the network overflowed on this input, leave it out`,
    );
  }
}

/** Throws an InputError unless features [N, D] have the D columns that `head` learnt from, all of them numbers. */
export function requirePredictable(head: string, features: Features, columns: number): void {
  if (features.columns !== columns)
    throw new InputError(
      `${head} learnt from ${columns} features a row, got ${features.columns}; give the same`,
    );
  requireFinite(features);
}

/** Throws an InputError where features are sparse and the head would have to store them densely. */
export function requireDense(head: string, features: Features): asserts features is Matrix {
  if (isSparse(features))
    throw new InputError(
      `${head} keeps its training rows, and sparse features are too wide for that; take logistic, ridge or centroid`,
    );
}

/** Weight of each row [N]: its own times its class's. */
export function rowWeights(labels: Int32Array, { classes, classWeights, weights }: FitContext): Float64Array {
  const counts = new Float64Array(classes);
  for (const label of labels) counts[label]!++;
  const ofClass = (c: number) =>
    classWeights === undefined
      ? 1
      : classWeights === "balanced"
        ? labels.length / (classes * counts[c]!)
        : classWeights[c]!;
  return Float64Array.from(labels, (label, i) => ofClass(label) * (weights?.[i] ?? 1));
}

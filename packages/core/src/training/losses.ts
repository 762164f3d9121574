import { InputError } from "../errors.ts";
import type { Value } from "../ir/graph.ts";
import type { Formula } from "../ops/formula.ts";
import { float32, type Tensor } from "../tensor.ts";

// Each loss appends to a graph and returns a scalar. Rows N, classes C. Weights of rows, classes and padding
// are already in the targets, so that the graph has one shape whatever is asked, and a padded row counts
// nothing.

/** −Σ T·log softmax(x) for logits x [N, C] and weighted targets T [N, C]; see `classTargets`. */
export function crossEntropy(g: Formula, logits: Value, targets: Value): Value {
  return g.neg(g.sum(g.mul(targets, g.op("LogSoftmax", [logits], { axis: -1 }))));
}

/** Σ W·(softplus(x) − x·t) for logits x, targets t in [0, 1] and weights W, all [N, C]; see `rowWeights`. */
export function binaryCrossEntropy(g: Formula, logits: Value, targets: Value, weights: Value): Value {
  // softplus(x) = max(x, 0) + log(1 + e^−|x|), exact where x is large
  const softplus = g.add(g.op("Relu", [logits]), g.log(g.add(1, g.exp(g.neg(g.op("Abs", [logits]))))));
  return g.sum(g.mul(weights, g.sub(softplus, g.mul(logits, targets))));
}

/** Σ W·(x − t)² */
export function squaredError(g: Formula, x: Value, targets: Value, weights: Value): Value {
  return g.sum(g.mul(weights, g.square(g.sub(x, targets))));
}

/** Σ W·h(x − t), h(d) = d²/2 where |d| < 1, else |d| − 1/2 (Girshick 2015, https://arxiv.org/abs/1504.08083). */
export function smoothL1(g: Formula, x: Value, targets: Value, weights: Value): Value {
  const distance = g.op("Abs", [g.sub(x, targets)]);
  const near = g.mul(0.5, g.square(distance));
  const each = g.where(g.op("Less", [distance, 1]), near, g.sub(distance, 0.5));
  return g.sum(g.mul(weights, each));
}

/**
 * τ²·Σ w·KL(softmax(t/τ) ‖ softmax(s/τ)) of a student's logits s [N, C] to a teacher's t [N, C], w [N, 1]
 * (Hinton, Vinyals and Dean 2015, https://arxiv.org/abs/1503.02531).
 */
export function distillation(
  g: Formula,
  student: Value,
  teacher: Value,
  weights: Value,
  temperature: number,
): Value {
  const logP = g.op("LogSoftmax", [g.div(teacher, temperature)], { axis: -1 });
  const logQ = g.op("LogSoftmax", [g.div(student, temperature)], { axis: -1 });
  const each = g.mul(g.exp(logP), g.sub(logP, logQ));
  return g.mul(temperature ** 2, g.sum(g.mul(weights, each)));
}

/**
 * share·(soft targets of a teacher) + (1 − share)·(cross-entropy with the labels): distillation with both
 * losses. Weights [N, 1] are those of `distillation`, targets [N, C] those of `crossEntropy`.
 */
export function distilledCrossEntropy(
  g: Formula,
  student: Value,
  teacher: Value,
  targets: Value,
  weights: Value,
  { temperature, share }: { readonly temperature: number; readonly share: number },
): Value {
  const soft = distillation(g, student, teacher, weights, temperature);
  return g.add(g.mul(share, soft), g.mul(1 - share, crossEntropy(g, student, targets)));
}

/**
 * Σ w·(cos(u, v) − t)² over pairs of rows u, v [N, D] with targets t and weights w [N, 1]: 1 for two texts of
 * one class, 0 for others (Tunstall et al. 2022, https://arxiv.org/abs/2209.11055, with the loss of Reimers
 * and Gurevych 2019).
 */
export function cosineSimilarity(g: Formula, u: Value, v: Value, targets: Value, weights: Value): Value {
  // Lengths below 1e-8 count as that, as in PyTorch.
  const length = (x: Value) => g.op("Max", [g.sqrt(g.add(g.sum(g.square(x), [1]), 1e-24)), 1e-8]);
  const cosines = g.div(g.sum(g.mul(u, v), [1]), g.mul(length(u), length(v)));
  return squaredError(g, cosines, targets, weights);
}

/**
 * Row i of a [N, D] belongs to row i of b [N, D], and every other row of b is a counterexample: cross-entropy
 * of their cosines over `temperature` (van den Oord, Li and Vinyals 2018, https://arxiv.org/abs/1807.03748).
 * T is I/N; see `classTargets`.
 */
export function infoNce(g: Formula, a: Value, b: Value, targets: Value, temperature: number): Value {
  const unit = (x: Value) => g.div(x, g.sqrt(g.sum(g.square(x), [1])));
  const cosines = g.matmul(unit(a), g.transpose(unit(b), [1, 0]));
  return crossEntropy(g, g.div(cosines, temperature), targets);
}

/** What `classTargets` may be told beside the labels. */
export interface TargetOptions {
  /**
   * Share of a target that is spread evenly over all classes (Szegedy et al. 2016,
   * https://arxiv.org/abs/1512.00567).
   */
  readonly smoothing?: number;
  /** Weight of each class [C]. */
  readonly classWeights?: readonly number[];
  /** Weight of each row [N]. */
  readonly weights?: ArrayLike<number>;
  /** Rows of the tensor; those beyond the labels are padding and count nothing. */
  readonly rows?: number;
}

/**
 * Targets [rows, C] for `crossEntropy`, whose sum is the weighted mean over rows. A negative label counts
 * nothing.
 */
export function classTargets(
  labels: ArrayLike<number>,
  classes: number,
  options: TargetOptions = {},
): Tensor {
  const { smoothing = 0, classWeights, weights, rows = labels.length } = options;
  if (classWeights && classWeights.length !== classes)
    throw new InputError(`there are ${classes} classes, but ${classWeights.length} class weights`);
  const data = new Float32Array(rows * classes);
  let total = 0;
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n]!;
    if (label >= classes)
      throw new InputError(`row ${n} has the label ${label}; there are ${classes} classes`);
    if (label < 0) continue;
    const weight = weights?.[n] ?? 1;
    total += weight * (classWeights?.[label] ?? 1);
    for (let c = 0; c < classes; c++) {
      const share = smoothing / classes + (c === label ? 1 - smoothing : 0);
      data[n * classes + c] = weight * (classWeights?.[c] ?? 1) * share;
    }
  }
  if (total > 0) for (let i = 0; i < data.length; i++) data[i] = data[i]! / total;
  return float32([rows, classes], data);
}

/**
 * Targets as `classTargets` makes them, out of shares [count, C] of the classes (mixup, a teacher's
 * probabilities); rows beyond `count` are padding.
 */
export function softTargets(
  shares: ArrayLike<number>,
  classes: number,
  options: Pick<TargetOptions, "classWeights" | "weights" | "rows"> = {},
): Tensor {
  const count = shares.length / classes;
  const { classWeights, weights, rows = count } = options;
  if (!Number.isInteger(count))
    throw new InputError(`${shares.length} shares are no whole rows of ${classes} classes`);
  const data = new Float32Array(rows * classes);
  let total = 0;
  for (let i = 0; i < shares.length; i++) {
    data[i] = shares[i]! * (classWeights?.[i % classes] ?? 1) * (weights?.[Math.floor(i / classes)] ?? 1);
    total += data[i]!;
  }
  if (total > 0) for (let i = 0; i < data.length; i++) data[i] = data[i]! / total;
  return float32([rows, classes], data);
}

/** Weights [rows, columns] under which a sum over the first `count` rows is a mean over their elements. */
export function rowWeights(count: number, columns: number, rows = count): Tensor {
  const data = new Float32Array(rows * columns).fill(1 / (count * columns), 0, count * columns);
  return float32([rows, columns], data);
}

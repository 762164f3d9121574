import { InputError } from "../errors.ts";
import type { Probabilities } from "../metrics.ts";
import type { Features } from "../tensor.ts";
import { eachFold, stratifiedFolds } from "./folds.ts";
import type { FitContext } from "./head.ts";

/** How a temperature is fitted. */
export interface TemperatureOptions {
  /** Weight of each row [N]; all 1 when left out. */
  readonly weights?: ArrayLike<number>;
  /**
   * "logits": scores are logits already and the prior's centre is a temperature of 1. "free": scores have no
   * unit (margins, similarities, distances): the centre makes their gaps between best and second `FREE_GAP`
   * nats, in the root mean square.
   */
  readonly unit?: "logits" | "free";
  /** Standard deviation of log T under the prior. */
  readonly spread?: number;
}

/** Gap of best and second class, in nats, that scores without a unit have under the prior: p = .95 of two classes. */
const FREE_GAP = 3;
/** How far from the prior's centre a temperature may go, as a factor. */
const FARTHEST = 100;

/**
 * The temperature T that makes softmax(scores / T) most probable for rows that the scores were not fitted on:
 * minimises Σ w_i · −log softmax(s_i / T)[y_i] + (log T − log T₀)² / 2σ² (Guo et al. 2017,
 * https://arxiv.org/abs/1706.04599, with a log-normal prior on T). Separable rows say only "colder": there
 * the prior holds T within what so few rows can tell, and its pull fades as rows come in. Scores [N, C]; rows
 * without a number (NaN: never held out) are left out.
 */
export function fitTemperature(
  scores: Probabilities,
  labels: ArrayLike<number>,
  options: TemperatureOptions = {},
): number {
  const { rows, columns, data } = scores;
  if (labels.length !== rows)
    throw new InputError(`temperature: ${rows} rows of scores have ${labels.length} labels; give one each`);
  const { weights, unit = "logits", spread = unit === "logits" ? 0.5 : 1 } = options;
  const used: number[] = [];
  for (let i = 0; i < rows; i++) if (!Number.isNaN(data[i * columns]!)) used.push(i);
  const centre = unit === "logits" ? 1 : freeCentre(scores, used);
  const cost = (u: number): number => {
    const temperature = centre * Math.exp(u);
    let sum = (u * u) / (2 * spread * spread);
    for (const i of used) {
      const loss = rowLoss(data, i * columns, columns, labels[i]!, temperature);
      sum += (weights?.[i] ?? 1) * loss;
    }
    return sum;
  };
  return centre * Math.exp(lowest(cost, -Math.log(FARTHEST), Math.log(FARTHEST)));
}

/** Scores of every row by a fit that did not see it, [N, C]; NaN in rows that could not be held out. */
export interface HeldOutScores {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** What makes scores [M, C] of held-out features from a training part. */
export type ScoreFit = (
  train: { readonly features: Features; readonly labels: Int32Array; readonly context: FitContext },
  heldOut: Features,
  /** Row numbers of the held-out features. */
  rows: Int32Array,
) => Probabilities | Promise<Probabilities>;

/** Folds of inner cross-validation: five, which few-shot sets can fill too. */
export const INNER_FOLDS = 5;

/** Scores of every row by a model of the other folds: stratified, groups whole. */
export async function outOfFoldScores(
  features: Features,
  labels: Int32Array,
  context: FitContext,
  fit: ScoreFit,
  folds: number = INNER_FOLDS,
): Promise<HeldOutScores> {
  const columns = context.classes;
  const data = new Float64Array(features.rows * columns).fill(Number.NaN);
  const fold = stratifiedFolds(labels, columns, {
    folds,
    random: context.random.fork("folds"),
    ...(context.groups && { groups: context.groups }),
  });
  for (const part of eachFold(features, labels, context, fold)) {
    const scores = await fit(part, part.heldOut, part.rows);
    for (const [k, i] of part.rows.entries())
      data.set(scores.data.subarray(k * columns, (k + 1) * columns), i * columns);
  }
  return { rows: features.rows, columns, data };
}

/** Turns scores into softmax(scores / temperature) in place. */
export function softmaxRows(data: Float64Array, columns: number, temperature: number): void {
  for (let from = 0; from < data.length; from += columns) {
    let most = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < columns; c++) most = Math.max(most, data[from + c]!);
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += Math.exp((data[from + c]! - most) / temperature);
    for (let c = 0; c < columns; c++) data[from + c] = Math.exp((data[from + c]! - most) / temperature) / sum;
  }
}

/** −log softmax(s / T)[label] of one row. */
function rowLoss(
  data: Probabilities["data"],
  from: number,
  columns: number,
  label: number,
  temperature: number,
): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < columns; c++) most = Math.max(most, data[from + c]!);
  let sum = 0;
  for (let c = 0; c < columns; c++) sum += Math.exp((data[from + c]! - most) / temperature);
  return Math.log(sum) - (data[from + label]! - most) / temperature;
}

function freeCentre({ columns, data }: Probabilities, used: readonly number[]): number {
  let square = 0;
  for (const i of used) {
    let first = Number.NEGATIVE_INFINITY;
    let second = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < columns; c++) {
      const score = data[i * columns + c]!;
      if (score > first) [first, second] = [score, first];
      else second = Math.max(second, score);
    }
    square += (first - second) ** 2;
  }
  const gap = Math.sqrt(square / Math.max(1, used.length));
  return gap > 0 ? gap / FREE_GAP : 1;
}

/** Where a function of one number is lowest: the best of a grid, then golden sections around it. */
function lowest(cost: (u: number) => number, from: number, to: number): number {
  const steps = 48;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k <= steps; k++) {
    const value = cost(from + ((to - from) * k) / steps);
    if (value < least) [best, least] = [k, value];
  }
  const width = (to - from) / steps;
  let a = Math.max(from, from + width * (best - 1));
  let b = Math.min(to, from + width * (best + 1));
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let k = 0; k < 40; k++) {
    const left = b - golden * (b - a);
    const right = a + golden * (b - a);
    if (cost(left) <= cost(right)) b = right;
    else a = left;
  }
  return (a + b) / 2;
}

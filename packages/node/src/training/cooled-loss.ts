import { fitTemperature, type Probabilities } from "@graft-ml/core";

/** A log loss, and the temperature that the logits were divided by before it was taken. */
export interface CooledLoss {
  readonly loss: number;
  readonly temperature: number;
}

/** Standard deviation of log T that is expected of a trained network: three times too sure is nothing unusual. */
const SPREAD = 1;

/**
 * Mean negative log-likelihood of held-out rows, logits [N, C] divided by the temperature that suits them:
 * further training makes networks too sure of themselves long before it makes them worse (Guo et al. 2017,
 * https://arxiv.org/abs/1706.04599), and what can be mended by one number is no reason to prefer another
 * network.
 */
export function cooledLoss(
  logits: Probabilities,
  labels: readonly number[],
  weights: readonly number[] | null,
): CooledLoss {
  const { columns, data } = logits;
  const temperature = fitTemperature(logits, labels, { spread: SPREAD, ...(weights && { weights }) });
  let sum = 0;
  let mass = 0;
  for (const [i, label] of labels.entries()) {
    const row = Float64Array.from(data.subarray(i * columns, (i + 1) * columns), (one) => one / temperature);
    const most = row.reduce((a, b) => Math.max(a, b));
    const log = Math.log(row.reduce((total, one) => total + Math.exp(one - most), 0)) + most;
    const weight = weights?.[i] ?? 1;
    sum += weight * (log - row[label]!);
    mass += weight;
  }
  return { loss: sum / mass, temperature };
}

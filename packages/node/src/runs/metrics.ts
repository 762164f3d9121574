import type { RepeatedScores, Scores, TransferVerdict } from "@graft-ml/core";
import type { RunConfig } from "./config.ts";

/** metrics.json of a RUN, and what `train --json` and `evaluate --json` print. Fractions, not percent. */
export interface Metrics {
  readonly task: RunConfig["task"];
  readonly classes: readonly string[];
  readonly test: Scores;
  /** Accuracy on the same test rows; null for what was not trained. */
  readonly baselines: Baselines;
  /** Against the strongest baseline; null where none was trained to compare with. */
  readonly transfer: TransferVerdict | null;
  readonly chosen: Chosen;
  /** Repeated cross-validation over all rows, where one split says little; nothing is chosen on it. */
  readonly crossValidation?: RepeatedScores | null;
  readonly timing: Timing;
}

/** Accuracy of models that transfer nothing. */
export interface Baselines {
  /** Always the commonest class of the training part. */
  readonly majority: number | null;
  /** Logistic regression on raw inputs: pixels at 32×32, or TF-IDF of words and characters. */
  readonly raw: number | null;
  /** The same network from random weights; needs the training engine. */
  readonly scratch: number | null;
}

export interface Chosen {
  readonly backbone: string;
  readonly sha256: string | null;
  readonly layer: string;
  readonly head: string;
  readonly method: string;
}

export interface Timing {
  readonly extractSeconds: number;
  readonly fitSeconds: number;
  readonly totalSeconds: number;
  readonly itemsPerSecond: number;
}

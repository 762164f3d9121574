import type { Interval, Scores, TransferVerdict } from "@graft-ml/core";
import type { Affinity } from "./joint.ts";

/** metrics.json of a RUN with several tasks. Fractions, not percent. */
export interface MultitaskMetrics {
  readonly task: "multi-task";
  readonly tasks: Readonly<Record<string, TaskMetrics>>;
  /** Tasks without labels, which only helped. */
  readonly auxiliary: Readonly<Record<string, AuxiliaryMetrics>>;
  /**
   * Mean relative gain in accuracy of the tasks over training alone, in percent (Maninis et al. 2019); null where nothing
   * was trained alone.
   */
  readonly deltaP: number | null;
  readonly affinity: Affinity | null;
  readonly chosen: {
    readonly trunk: string;
    readonly sha256: string | null;
    readonly sampling: string;
    readonly weighting: string;
    /** Epoch of the joint run that was kept. */
    readonly epoch: number;
    readonly steps: number;
  };
  readonly timing: {
    readonly jointSeconds: number;
    readonly aloneSeconds: number;
    readonly totalSeconds: number;
  };
}

/** One task's scores on its test rows. */
export interface TaskMetrics {
  readonly kind: string;
  readonly classes: readonly string[];
  readonly rows: { readonly train: number; readonly heldOut: number; readonly test: number };
  /** The layer of the trunk that the head stands on. */
  readonly layer: string;
  /** Which network the artefact has for the task. */
  readonly kept: "joint" | "alone";
  /** Of that network. */
  readonly test: Scores;
  /** Accuracy of the joint network on the same rows, and of the task trained alone; null where that was left out. */
  readonly joint: number;
  readonly alone: number | null;
  readonly aloneInterval: Interval | null;
  /** Joint less alone on the same test rows: gain in accuracy, its interval and the verdict. */
  readonly gain: TransferVerdict | null;
  /** Accuracy of the commonest class. */
  readonly majority: number;
  /** Mean loss of the held-out rows in the epochs that were kept. */
  readonly heldOut: { readonly joint: number; readonly alone: number | null; readonly baseline: number };
}

/** A task without labels. */
export interface AuxiliaryMetrics {
  readonly kind: string;
  readonly rows: { readonly train: number; readonly heldOut: number };
  readonly layer: string;
  readonly measure: string;
  /** Mean loss of the held-out rows, and of the best guess that looks at no input. */
  readonly heldOut: { readonly joint: number; readonly baseline: number };
}

import type { Interval, Scores, TransferVerdict } from "@graft-ml/core";
import type { TaggingTest } from "../tagging/index.ts";
import type { Affinity } from "./joint.ts";

/** metrics.json of a RUN with several tasks. Fractions, not percent. */
export interface MultitaskMetrics {
  readonly task: "multi-task";
  readonly tasks: Readonly<Record<string, TaskMetrics>>;
  /** Tasks without labels, which only helped. */
  readonly auxiliary: Readonly<Record<string, AuxiliaryMetrics>>;
  /**
   * Mean relative gain in the tasks' own measures over training alone, in percent (Maninis et al. 2019); null
   * where nothing was trained alone.
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
  /** What joint and alone are compared by: tasks that tag spans have their F1, others the accuracy. */
  readonly measure: "accuracy" | "accuracy by token" | "F1 of spans";
  /** Scores of the network that was kept. */
  readonly test: Scores | TaggingTest;
  /**
   * The joint network on the same rows, and the task trained alone, by that measure; null where that was left
   * out.
   */
  readonly joint: number;
  readonly alone: number | null;
  readonly aloneInterval: Interval | null;
  /**
   * Of a task that is kept (`gain.against` is "before", and `alone` what the earlier tagger gives): what its
   * head gives over the trunk after it learnt another task alone.
   */
  readonly unkept: number | null;
  /**
   * Joint less alone on the same test rows, its interval and the verdict; no exact test where sentences are
   * drawn anew.
   */
  readonly gain:
    | (Pick<TransferVerdict, "verdict" | "gain" | "interval" | "against"> & {
        readonly pValue: number | null;
      })
    | null;
  /** The same measure of always the commonest class. */
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

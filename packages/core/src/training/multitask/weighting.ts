import type { Numbers, Slot } from "../../optim/arena.ts";
import type { Options } from "../../options.ts";
import type { Random } from "../../random.ts";

/** What a weighting remembers from step to step, by name. It goes into checkpoints. */
export type WeightingMemory = Record<string, Float64Array>;

/** What one task brings to a step. */
export interface StepPart {
  /** Number of the task. */
  readonly task: number;
  readonly loss: number;
  /** Gradient of the loss, in the arena's layout; without meaning outside `slots`. A weighting may change it. */
  readonly gradient: Numbers;
  /** The parameters that this task has. */
  readonly slots: readonly Slot[];
}

/** A step that is about to be made. */
export interface JointStep {
  readonly parts: readonly StepPart[];
  /** Tasks of the training, of which the step may have some only. */
  readonly tasks: number;
  readonly epoch: number;
  /** 0 for the first. */
  readonly step: number;
  /** For this step alone. */
  readonly random: Random;
}

/** How the losses of tasks become one direction. A new one is a file in `weightings` and a line in its index. */
export interface LossWeighting {
  readonly about: string;
  readonly options: Options;
  /** Whether it compares all tasks at one point, so that each step must have a batch of every one. */
  readonly isJoint: boolean;
  /** What is remembered at the start. */
  start(tasks: number, settings?: Readonly<Record<string, unknown>>): WeightingMemory;
  /**
   * The factor of each part's gradient [parts]; the step goes along their sum. May change the gradients, and
   * brings what it remembers up to date.
   */
  weigh(
    step: JointStep,
    memory: WeightingMemory,
    settings?: Readonly<Record<string, unknown>>,
  ): ArrayLike<number>;
}

/** Parameters that all the given parts have, in the arena's order: what the tasks share. */
export function sharedSlots(parts: readonly StepPart[]): Slot[] {
  const [first, ...others] = parts.map(({ slots }) => slots);
  if (!first) return [];
  const sets = others.map((slots) => new Set(slots));
  return first.filter((slot) => sets.every((set) => set.has(slot)));
}

/** Inner product of two gradients over some parameters. */
export function innerProduct(a: Numbers, b: Numbers, slots: readonly Slot[]): number {
  let sum = 0;
  for (const { offset, length } of slots) for (let i = offset; i < offset + length; i++) sum += a[i]! * b[i]!;
  return sum;
}

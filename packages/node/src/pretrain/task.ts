import type { Feeds, Formula, Graph, Model, Random, Shape, Value } from "@graft-ml/core";
import type { OpenedArchitecture } from "../sources/index.ts";
import type { RowInputs } from "../training/index.ts";
import type { PretrainSettings } from "./settings.ts";

/** What a network is to learn from rows whose labels are not looked at. */
export interface Objective {
  readonly about: string;
  /** The task for a network and rows. Throws an InputError where the network cannot do it. */
  open(context: TaskContext): PretrainingTask;
}

/** What an objective is opened with. */
export interface TaskContext {
  readonly opened: OpenedArchitecture;
  /** Rows as the network is fed them, augmented where an epoch is named. */
  readonly inputs: RowInputs;
  readonly settings: PretrainSettings;
  readonly random: Random;
}

/** A network with what the objective puts on top of it, and what it is fed. */
export interface PretrainingTask {
  /** Has every parameter of the architecture, by its name. */
  readonly model: Model;
  /** Appends the loss of a batch: a mean over what is to be guessed. */
  loss(g: Formula, graph: Graph, input: AddInput): Value;
  /**
   * All inputs of model and loss for a batch of which `count` rows count. The same rows and epoch give the
   * same bytes; epoch null gives what held-out rows are scored with.
   */
  feeds(rows: Int32Array, count: number, epoch: number | null): Promise<Feeds>;
  /** What the loss measures. */
  readonly measure: string;
  /** The loss of the best guess that does not look at the input, learnt from some rows, on others. */
  readonly baseline: {
    readonly about: string;
    loss(train: Int32Array, heldOut: Int32Array): Promise<number>;
  };
}

/** Adds an input for what the loss needs. */
export type AddInput = (name: string, dtype: Value["dtype"], shape: Shape) => Value;

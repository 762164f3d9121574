import type { Graph, Value } from "../ir/graph.ts";
import type { Options } from "../options.ts";
import type { Random } from "../random.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Features, Matrix } from "../tensor.ts";
import type { FeatureBlocks } from "./feature-blocks.ts";

/** What every head is given beside the features, labels and its own settings. */
export interface FitContext {
  /** Number of classes C; labels are 0 … C − 1. Every class must occur. */
  readonly classes: number;
  /** Weight of each class [C], multiplying its rows; all 1 when left out. "balanced" means N / (C · count). */
  readonly classWeights?: readonly number[] | "balanced";
  /** Weight of each row [N]. */
  readonly weights?: Float32Array;
  /** Group of each row [N] (patient, page, author): inner cross-validation never tears one apart. */
  readonly groups?: Int32Array;
  readonly random: Random;
  /** Executes large products; without one the head computes in JavaScript. */
  readonly runtime?: Runtime;
}

/** A learner on fixed-length features. New ones: one file here and one line in `index.ts`. */
export interface Head {
  readonly about: string;
  readonly options: Options;
  /** Whether sparse features are refused: the head would have to store them densely. */
  readonly denseOnly?: boolean;
  /** About how many multiplications a fit with its settings left open takes on [rows, columns] and `classes`. */
  cost?(rows: number, columns: number, classes: number): number;
  /** Learns from features [N, D] and labels [N]; returns a new classifier and changes nothing. */
  fit(
    features: Features,
    labels: Int32Array,
    settings: Readonly<Record<string, unknown>>,
    context: FitContext,
  ): Promise<Classifier>;
  /**
   * The same from features [N, D] that are read block by block, for sets that do not fit in memory; a head
   * that needs all of them at once has none.
   */
  fitBlocks?(
    features: FeatureBlocks,
    labels: Int32Array,
    settings: Readonly<Record<string, unknown>>,
    context: FitContext,
  ): Promise<Classifier>;
}

/** What a head has learnt. */
export interface Classifier {
  readonly classes: number;
  /** What was chosen in fitting (strength, temperature …), for the record. */
  readonly chosen: Readonly<Record<string, number | string>>;
  /** Class probabilities [N, C] of features [N, D]. */
  predict(features: Features): Matrix;
  /**
   * Appends the same computation to a graph whose `features` value is [batch, D]; returns the probabilities
   * [batch, C].
   */
  append(graph: Graph, features: Value): Value;
}

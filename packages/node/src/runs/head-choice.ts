import { type Classifier, chooseHead, type Features, type Interval, type Row } from "@graft-ml/core";
import { contextOf, type FittingOptions, fitHead, labelsOf } from "./fit-head.ts";

/** A fitted head and how it came to be chosen. */
export interface FittedHead {
  readonly name: string;
  readonly classifier: Classifier;
  /** Heads compared on the training part, and what was left out; empty where one was named. */
  readonly compared: readonly {
    readonly name: string;
    readonly score: number;
    readonly interval: Interval | null;
    readonly isChosen: boolean;
    readonly note: string;
  }[];
  /** Why this head, in words; null where it was asked for. */
  readonly reason: string | null;
}

/** Fits the head that is named; "auto" takes the one that cross-validation of the training part likes best. */
export async function fitChosenHead(
  features: Features,
  rows: readonly Row[],
  options: FittingOptions & {
    readonly onProgress?: (done: number, total: number) => void;
    readonly signal?: AbortSignal;
  },
): Promise<FittedHead> {
  const { head, onProgress, signal } = options;
  if (head !== "auto") {
    const classifier = await fitHead(features, rows, options);
    return { name: head, classifier, compared: [], reason: null };
  }
  const chosen = await chooseHead(features, labelsOf(rows, options.classes), contextOf(rows, options), {
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  const { name, classifier, candidates, reason } = chosen;
  const compared = candidates.map((one) => ({
    name: `head ${one.name}`,
    score: one.logLoss,
    interval: null,
    isChosen: one.name === name,
    note: `accuracy ${(100 * one.accuracy).toFixed(1)} %${one.name === name ? `; ${reason}` : ""}`,
  }));
  return { name, classifier, compared, reason };
}

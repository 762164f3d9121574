import type { EmbeddingMap, Interval, RepeatedScores, Scores, TransferVerdict } from "@graft-ml/core";

/**
 * All that the report and the model card show, as plain data: stored as RUN/report.json, so that `graft
 * report RUN` writes the page again. Fractions, not percent. What was not done is null or an empty list, and
 * has no section on the page.
 */
export interface ReportData {
  readonly version: 1;
  /** What the model was trained on, in words: the name of the data set. */
  readonly title: string;
  readonly task: "image-classification" | "text-classification" | "token-classification";
  readonly classes: readonly string[];
  /** Rows of each part. */
  readonly counts: { readonly train: number; readonly val: number; readonly test: number };
  readonly test: Scores;
  readonly baselines: readonly BaselineScore[];
  readonly transfer: TransferVerdict | null;
  readonly crossValidation: RepeatedScores | null;
  /** What was chosen, name by name: backbone, sha256, layer, head, method, strength … */
  readonly chosen: Readonly<Record<string, string | number | null>>;
  readonly selection: Selection | null;
  readonly curves: readonly Curves[];
  /** Wrong rows, the most confident first. */
  readonly errors: readonly ReportError[];
  readonly map: ReportMap | null;
  readonly findings: readonly Finding[];
  /** Seconds and rates by name, in the order shown: extractSeconds, itemsPerSecond … */
  readonly timing: Readonly<Record<string, number>>;
  /** The command that makes this run again. */
  readonly command: string;
  /** Versions by name: graft, node, onnxruntime … */
  readonly versions: Readonly<Record<string, string>>;
  /** Everything else a reader should know, a sentence each. */
  readonly notes: readonly string[];
}

/** Accuracy of a model that transfers nothing, on the same test rows. */
export interface BaselineScore {
  readonly name: string;
  /** What it is, in words. */
  readonly about: string;
  readonly accuracy: number;
  readonly interval: Interval | null;
}

/** What was tried before the choice was made, on the training part alone. */
export interface Selection {
  /** What the score is: "log loss in 5 folds of the training part, lower is better". */
  readonly measure: string;
  readonly candidates: readonly {
    readonly name: string;
    readonly score: number;
    readonly interval: Interval | null;
    readonly isChosen: boolean;
    readonly note: string;
  }[];
}

/** Lines over a common axis: loss by epoch, accuracy by labels a class. */
export interface Curves {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly isLogarithmic: boolean;
  readonly series: readonly {
    readonly name: string;
    /** [x, y], or [x, y, low, high] where there is an interval. */
    readonly points: readonly (readonly [number, number] | readonly [number, number, number, number])[];
  }[];
}

/** A row the model got wrong. */
export interface ReportError {
  readonly where: string;
  readonly label: string;
  readonly predicted: string;
  /** Probability of what was predicted, and of the label. */
  readonly confidence: number;
  readonly labelProbability: number;
  /** A small picture as a data: URI (PNG, JPEG, WebP or GIF). */
  readonly image: string | null;
  readonly text: string | null;
}

/** A map of test features; `labels` and `predicted` are class numbers of its rows. */
export interface ReportMap extends EmbeddingMap {
  readonly labels: readonly number[];
  readonly predicted: readonly number[];
}

/** Something about the data a reader must know to trust the scores. */
export interface Finding {
  readonly severity: "problem" | "note";
  readonly text: string;
  readonly examples: readonly string[];
}

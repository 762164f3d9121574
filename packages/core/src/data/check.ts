import { type ClassCount, classCounts, classFindings } from "./check-classes.ts";
import { type Duplicates, duplicateFindings, duplicatesOf } from "./check-duplicates.ts";
import { type ImageFacts, imageFindings } from "./check-images.ts";
import { textFindings } from "./check-texts.ts";
import type { Dataset } from "./dataset.ts";
import type { DataFinding } from "./finding.ts";
import { inputKeys } from "./identity.ts";
import type { NearPair } from "./near.ts";

/** What a platform found out about the rows of a data set, to be judged by `checkRows`. */
export interface Evidence {
  /** Identities of the inputs [rows] as from `inputKeys`. */
  readonly keys?: readonly string[];
  /** Rows with nearly the same input. */
  readonly near?: readonly NearPair[];
  /** Images that cannot be read, with the reason. */
  readonly broken?: ReadonlyMap<number, string>;
  /** Of images [rows]; null where it cannot be read or was not looked at. */
  readonly images?: readonly (ImageFacts | null)[];
}

/** What is in a data set and what is wrong with it. */
export interface CheckReport {
  readonly source: string;
  readonly task: Dataset["task"];
  readonly format: string | null;
  readonly encoding: string | null;
  readonly rows: number;
  /** Rows that were left out because they could not be taken. */
  readonly skipped: number;
  readonly classes: readonly ClassCount[];
  /** Sorted: problems, then warnings, then notes. */
  readonly findings: readonly DataFinding[];
  readonly duplicates: Duplicates;
  /** How the data were understood, in words. */
  readonly notes: readonly string[];
}

/**
 * Judges a data set: classes, duplicates, leaks between the parts, conflicting labels, and what texts or images look
 * like. Nothing is changed; every finding says what to do about it.
 */
export function checkRows(dataset: Dataset, evidence: Evidence = {}): CheckReport {
  const { rows } = dataset;
  const { keys = inputKeys(rows), near = [], broken = new Map(), images = [] } = evidence;
  const classes = classCounts(dataset);
  const duplicates = duplicatesOf(rows, keys, near);
  const findings = [
    ...skippedFindings(dataset),
    ...classFindings(dataset, classes),
    ...duplicateFindings(rows, duplicates),
    ...(dataset.task !== "image-classification" ? textFindings(rows) : imageFindings(rows, images, broken)),
  ];
  const order = ["problem", "warning", "note"];
  return {
    source: dataset.source,
    task: dataset.task,
    format: dataset.format ?? null,
    encoding: dataset.encoding ?? null,
    rows: rows.length,
    skipped: dataset.skipped.length,
    classes,
    findings: findings.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity)),
    duplicates,
    notes: dataset.notes ?? [],
  };
}

function skippedFindings({ skipped }: Dataset): DataFinding[] {
  const unlabelled = skipped.filter((sentence) => sentence.includes(" has no label"));
  const bad = skipped.filter((sentence) => !sentence.includes(" has no label"));
  const findings: DataFinding[] = [];
  if (bad.length > 0) {
    findings.push({
      kind: "unreadable-rows",
      severity: "problem",
      count: bad.length,
      message: bad.length === 1 ? "1 row cannot be read" : `${bad.length} rows cannot be read`,
      remedy: "correct them, or leave them out with --on-error skip",
      examples: bad.map((detail) => ({ rows: [], detail })),
    });
  }
  if (unlabelled.length > 0) {
    findings.push({
      kind: "unlabelled-rows",
      severity: "warning",
      count: unlabelled.length,
      message: unlabelled.length === 1 ? "1 row has no label" : `${unlabelled.length} rows have no label`,
      remedy: "label them, or leave them out with --on-error skip",
      examples: unlabelled.map((detail) => ({ rows: [], detail })),
    });
  }
  return findings;
}

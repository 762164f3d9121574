import type { Dataset, Split } from "./dataset.ts";
import { counted, type DataFinding } from "./finding.ts";

/**
 * Rows (tokens, where these are tagged) of a class: all, of each part, and those in no part (`none`), which
 * are trained on and tested by a split.
 */
export interface ClassCount {
  readonly name: string;
  readonly total: number;
  readonly train: number;
  readonly val: number;
  readonly test: number;
  readonly none: number;
}

/** Training rows a class below which cross-validation in ten parts has folds without it. */
const FEW = 10;
const UNEVEN = 3;
const VERY_UNEVEN = 10;

/** Rows of each class and part, in the order of the classes. */
export function classCounts({ classes, rows }: Dataset): ClassCount[] {
  const counts = new Map(classes.map((name) => [name, { train: 0, val: 0, test: 0, none: 0 }]));
  for (const { label, split, tokens } of rows)
    for (const one of tokens?.tags ?? [label]) {
      const count = one === null ? undefined : counts.get(one);
      if (count !== undefined) count[split ?? "none"]++;
    }
  return [...counts].map(([name, count]) => ({
    name,
    total: count.train + count.val + count.test + count.none,
    ...count,
  }));
}

/** What is wrong with the classes: too few rows, uneven, tested but not trained. */
export function classFindings({ rows }: Dataset, classes: readonly ClassCount[]): DataFinding[] {
  const findings: DataFinding[] = [];
  const trained = (one: ClassCount) => one.train + one.none;
  const tested = (one: ClassCount) => one.test + one.val;
  const hasParts = rows.some((row) => row.split !== null);
  const noun = rows.some(({ tokens }) => tokens !== undefined) ? "token" : "row";
  const about = (chosen: readonly ClassCount[]) =>
    chosen.map((one) => ({ rows: [], detail: `${one.name}: ${counted(trained(one), `training ${noun}`)}` }));
  const present = classes.filter((one) => trained(one) > 0);
  if (present.length < 2) {
    findings.push({
      kind: "one-class",
      severity: "problem",
      count: present.length,
      message: `the training rows have ${counted(present.length, "class", "classes")}; a classifier needs two`,
      remedy: "add rows of another class, or name the label column with --label",
      examples: about(present),
    });
  }
  const untrained = classes.filter((one) => trained(one) === 0 && tested(one) > 0);
  if (untrained.length > 0 && present.length > 0) {
    findings.push({
      kind: "untrained-class",
      severity: "problem",
      count: untrained.length,
      message: `${counted(untrained.length, "class is", "classes are")} tested but never trained`,
      remedy: "add training rows for it, or take it out of the test part",
      examples: untrained.map((one) => ({
        rows: [],
        detail: `${one.name}: ${counted(tested(one), noun)} in val and test`,
      })),
    });
  }
  const empty = classes.filter((one) => one.total === 0);
  if (empty.length > 0) {
    findings.push({
      kind: "empty-class",
      severity: "warning",
      count: empty.length,
      message: `${counted(empty.length, "class has", "classes have")} no row at all`,
      remedy: "correct --classes, or add rows",
      examples: empty.map((one) => ({ rows: [], detail: one.name })),
    });
  }
  const untested = classes.filter((one) => trained(one) > 0 && tested(one) === 0);
  if (untested.length > 0 && hasParts && rows.some((row) => row.split === "test" || row.split === "val")) {
    findings.push({
      kind: "untested-class",
      severity: "warning",
      count: untested.length,
      message: `${counted(untested.length, "class is", "classes are")} trained but not in the test part`,
      remedy: "add test rows for it: its score cannot be told",
      examples: about(untested),
    });
  }
  const tiny = present.filter((one) => trained(one) < FEW);
  if (tiny.length > 0) {
    findings.push({
      kind: "tiny-class",
      severity: tiny.some((one) => trained(one) < 2) ? "problem" : "warning",
      count: tiny.length,
      message: `${counted(tiny.length, "class has", "classes have")} fewer than ${FEW} training ${noun}s`,
      remedy: "label more of them, or merge them with a class they belong to",
      examples: about(tiny),
    });
  }
  findings.push(
    ...imbalance(
      present.map((one) => ({ name: one.name, count: trained(one) })),
      noun,
    ),
  );
  return findings;
}

function imbalance(classes: readonly { name: string; count: number }[], noun: string): DataFinding[] {
  if (classes.length < 2) return [];
  const sorted = [...classes].sort((a, b) => b.count - a.count);
  const [most, least] = [sorted[0]!, sorted.at(-1)!];
  const ratio = most.count / least.count;
  if (ratio < UNEVEN) return [];
  return [
    {
      kind: "imbalance",
      severity: ratio >= VERY_UNEVEN ? "warning" : "note",
      count: classes.length,
      message: `the largest class has ${ratio.toFixed(ratio < 10 ? 1 : 0)} times the training ${noun}s of the smallest`,
      remedy: "look at macro-F1 beside accuracy, and weigh the classes or label more of the small ones",
      examples: [most, least].map(({ name, count }) => ({ rows: [], detail: `${name}: ${count}` })),
    },
  ];
}

/** The part a row is in where the data say so; rows without one are trained on where others are tested on. */
export function partOf(split: Split | null): Split {
  return split ?? "train";
}

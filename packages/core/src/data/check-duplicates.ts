import { partOf } from "./check-classes.ts";
import type { Row, Split } from "./dataset.ts";
import { counted, type DataFinding, type FindingExample, glimpse, MOST_EXAMPLES } from "./finding.ts";
import { type NearPair, nearGroups } from "./near.ts";

/** Rows that hold the same, and rows that hold nearly the same: groups of row numbers, the first row leading. */
export interface Duplicates {
  readonly exact: readonly (readonly number[])[];
  /** Groups of more than one distinct input; the copies of each are in it. */
  readonly near: readonly { readonly rows: readonly number[]; readonly similarity: number }[];
}

/** Groups of rows by equal keys, and by the chains of near pairs over these. */
export function duplicatesOf(
  rows: readonly Row[],
  keys: readonly string[],
  pairs: readonly NearPair[],
): Duplicates {
  const byKey = new Map<string, number[]>();
  for (const i of rows.keys()) {
    const members = byKey.get(keys[i]!);
    if (members === undefined) byKey.set(keys[i]!, [i]);
    else members.push(i);
  }
  const lead = (i: number) => byKey.get(keys[i]!)![0]!;
  const distinct = pairs
    .map(({ a, b, similarity }) => ({ a: lead(a), b: lead(b), similarity }))
    .filter(({ a, b }) => a !== b);
  return {
    exact: [...byKey.values()].filter((members) => members.length > 1),
    near: nearGroups(rows.length, distinct).map(({ rows: leads, similarity }) => ({
      rows: leads.flatMap((i) => byKey.get(keys[i]!)!).sort((a, b) => a - b),
      similarity,
    })),
  };
}

/** What is wrong because rows repeat each other, or stand in parts they must not share. */
export function duplicateFindings(rows: readonly Row[], { exact, near }: Duplicates): DataFinding[] {
  const hasParts = rows.some((row) => row.split !== null);
  const leaks = exact.map((members) => leaking(rows, members)).filter((leaked) => leaked.length > 0);
  const leaked = new Set(leaks.flat());
  const nearLeaks = near
    .map(({ rows: members }) => ({ members, late: leaking(rows, members).filter((i) => !leaked.has(i)) }))
    .filter(({ late }) => late.length > 0);
  const conflicts = exact.filter((members) => labels(rows, members).size > 1);
  const conflicting = new Set(conflicts.flat());
  const nearConflicts = near
    .map(({ rows: members }) => members)
    .filter((members) => labels(rows, members).size > 1 && !members.some((i) => conflicting.has(i)));
  const findings: DataFinding[] = [];
  const add = (
    kind: string,
    severity: DataFinding["severity"],
    groups: readonly (readonly number[])[],
    count: number,
    message: string,
    remedy: string | null,
  ) => {
    if (groups.length === 0) return;
    const examples = groups.slice(0, MOST_EXAMPLES).map((members) => exampleOf(rows, members));
    findings.push({ kind, severity, count, message, remedy, examples });
  };
  const total = (groups: readonly (readonly number[])[]) =>
    groups.reduce((sum, group) => sum + group.length, 0);
  add(
    "test-overlap",
    "problem",
    exact.filter((members) => leaking(rows, members).length > 0),
    leaked.size,
    `${ofParts(rows, leaked)} also stand in a part that is trained or chosen on`,
    "train leaves the training copies out; take them out of the data to be sure",
  );
  findings.push(...groupFindings(rows));
  add(
    "near-test-overlap",
    "warning",
    nearLeaks.map(({ members }) => members),
    nearLeaks.reduce((sum, { late }) => sum + late.length, 0),
    `${ofParts(rows, new Set(nearLeaks.flatMap(({ late }) => late)))} have a near duplicate in a part that is trained or chosen on`,
    "take the training copies out, or split anew with one --group value for each group of near duplicates",
  );
  add(
    "label-conflict",
    "warning",
    conflicts,
    conflicting.size,
    `${counted(conflicting.size, "row")} hold the same input under different labels (${counted(conflicts.length, "input")})`,
    "decide for one label each: no model can get both right",
  );
  add(
    "near-label-conflict",
    "note",
    nearConflicts,
    nearConflicts.length,
    `${counted(nearConflicts.length, "group")} of near duplicates with different labels`,
    "look whether one of the labels is wrong",
  );
  add(
    "duplicates",
    "note",
    exact,
    total(exact) - exact.length,
    `${counted(total(exact) - exact.length, "row repeats", "rows repeat")} the input of another (${counted(exact.length, "group")})`,
    hasParts
      ? "take the copies out where they should not count twice"
      : "none needed: a split keeps equal inputs together",
  );
  add(
    "near-duplicates",
    hasParts ? "note" : "warning",
    near.map(({ rows: members }) => members),
    total(near.map(({ rows: members }) => members)),
    `${counted(total(near.map(({ rows: members }) => members)), "row")} in ${counted(near.length, "group")} of near duplicates`,
    hasParts
      ? null
      : "a split may put them on both sides: give each group one value in a column and name it with --group",
  );
  return findings;
}

/** Groups the data declare (patient, page, author) that stand in several parts. */
function groupFindings(rows: readonly Row[]): DataFinding[] {
  const members = new Map<string, number[]>();
  for (const [i, { group }] of rows.entries()) {
    if (group === null) continue;
    const list = members.get(group);
    if (list === undefined) members.set(group, [i]);
    else list.push(i);
  }
  const torn = [...members].filter(([, list]) => leaking(rows, list).length > 0);
  if (torn.length === 0) return [];
  return [
    {
      kind: "group-overlap",
      severity: "problem",
      count: torn.length,
      message: `${counted(torn.length, "group stands", "groups stand")} in several parts`,
      remedy: "train leaves their training rows out; split anew by group to keep them",
      examples: torn.slice(0, MOST_EXAMPLES).map(([group, list]) => ({
        rows: [list[0]!, leaking(rows, list)[0]!].map((i) => rows[i]!.where),
        detail: `${group}: ${[...new Set(list.map((i) => partOf(rows[i]!.split)))].join(", ")}`,
      })),
    },
  ];
}

const rank: Readonly<Record<Split, number>> = { train: 0, val: 1, test: 2 };

/**
 * Of rows that belong together those that judge what an earlier part has seen: test rows, or val rows beside
 * train.
 */
function leaking(rows: readonly Row[], members: readonly number[]): number[] {
  const least = members.reduce((low, i) => Math.min(low, rank[partOf(rows[i]!.split)]), 2);
  return members.filter((i) => rank[partOf(rows[i]!.split)] > least);
}

function labels(rows: readonly Row[], members: readonly number[]): Set<string> {
  return new Set(members.flatMap((i) => rows[i]!.label ?? []));
}

function ofParts(rows: readonly Row[], chosen: ReadonlySet<number>): string {
  return (["test", "val"] as const)
    .map((part) => ({ part, count: [...chosen].filter((i) => rows[i]!.split === part).length }))
    .filter(({ count }) => count > 0)
    .map(({ part, count }) => `${count} of ${rows.filter((row) => row.split === part).length} ${part} rows`)
    .join(" and ");
}

/** The two members that tell most: of different parts, else of different labels, else the first two. */
function exampleOf(rows: readonly Row[], members: readonly number[]): FindingExample {
  const first = members[0]!;
  const other =
    members.find((i) => partOf(rows[i]!.split) !== partOf(rows[first]!.split)) ??
    members.find((i) => rows[i]!.label !== rows[first]!.label) ??
    members[1]!;
  const told = [first, other].map((i) => rows[i]!);
  const said = [...new Set(told.map(glimpse))].map((text, i) =>
    told[0]!.label === told[1]!.label && (i > 0 || told[0]!.label === null)
      ? text
      : `${told[i]!.label ?? "no label"}: ${text}`,
  );
  const both = told[0]!.label !== told[1]!.label && said.length === 1;
  return {
    rows: told.map((row) => row.where),
    detail: both ? `${told[0]!.label} and ${told[1]!.label}: ${glimpse(told[0]!)}` : said.join(" | "),
  };
}

/**
 * The order people expect of names with numbers in them: "9" before "10", "img2" before "img10". Runs of
 * digits compare as numbers, everything else by UTF-16 code unit, so the order is the same on every machine
 * and in every language.
 */
export function naturalCompare(a: string, b: string): number {
  if (a === b) return 0;
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compareRuns(left[i]!, right[i]!);
    if (order !== 0) return order;
  }
  if (left.length !== right.length) return left.length - right.length;
  return a < b ? -1 : 1; // "07" and "7": equal as numbers, so the text decides
}

/** The distinct class names in natural order. */
export function sortedClasses(labels: Iterable<string | null>): string[] {
  const names = new Set<string>();
  for (const label of labels) if (label !== null) names.add(label);
  return [...names].sort(naturalCompare);
}

function compareRuns(a: string, b: string): number {
  if (isDigits(a) && isDigits(b)) {
    const x = a.replace(/^0+(?=\d)/, "");
    const y = b.replace(/^0+(?=\d)/, "");
    if (x.length !== y.length) return x.length - y.length; // runs of any length, beyond what a number holds
    return x < y ? -1 : x > y ? 1 : 0;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function isDigits(run: string): boolean {
  return run >= "0" && run < ":";
}

import type { Graph, Model, Value } from "./graph.ts";

/**
 * Where two models first differ in what they say, null where they say the same. Names of values count; their
 * identity is compared as a one-to-one correspondence.
 */
export function firstDifference(a: Model, b: Model): string | null {
  return differenceOf(a, b, "model", new Map());
}

/** As `firstDifference`, of two graphs. */
export function firstGraphDifference(a: Graph, b: Graph): string | null {
  return differenceOf(a, b, "graph", new Map());
}

/** Values already found to correspond, both ways. */
type Pairs = Map<object, object>;

function differenceOf(a: unknown, b: unknown, path: string, pairs: Pairs): string | null {
  if (Object.is(a, b)) return null;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return `${path}: ${shown(a)} is not ${shown(b)}`;
  if (isValue(a) && isValue(b)) {
    const known = pairs.get(a) ?? pairs.get(b);
    if (known) return pairs.get(a) === b ? null : `${path}: another value stands here`;
    pairs.set(a, b).set(b, a);
  }
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return bytesDifference(a, b, path);
  if (a instanceof Map && b instanceof Map) {
    const [left, right] = [[...a], [...b]];
    return listDifference(left, right, path, pairs, (i) => `${path}.${keyName(left[i]![0])}`);
  }
  if (Array.isArray(a) && Array.isArray(b))
    return listDifference(a, b, path, pairs, (i) => `${path}[${i}]${itemName(a[i])}`);
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const difference = differenceOf(left[key], right[key], `${path}.${key}`, pairs);
    if (difference) return difference;
  }
  return null;
}

function listDifference(
  a: readonly unknown[],
  b: readonly unknown[],
  path: string,
  pairs: Pairs,
  name: (index: number) => string,
): string | null {
  if (a.length !== b.length) return `${path}: ${a.length} entries are not ${b.length}`;
  for (let i = 0; i < a.length; i++) {
    const difference = differenceOf(a[i], b[i], name(i), pairs);
    if (difference) return difference;
  }
  return null;
}

function bytesDifference(a: ArrayBufferView, b: ArrayBufferView, path: string): string | null {
  if (a.constructor !== b.constructor) return `${path}: ${a.constructor.name} is not ${b.constructor.name}`;
  const [left, right] = [a, b].map((one) => new Uint8Array(one.buffer, one.byteOffset, one.byteLength));
  if (left!.length !== right!.length) return `${path}: ${left!.length} bytes are not ${right!.length}`;
  const at = left!.findIndex((byte, i) => byte !== right![i]);
  return at < 0 ? null : `${path}: byte ${at} differs`;
}

/** A value is met again and again, and its identity counts; all else is compared wherever it stands. */
function isValue(object: object): boolean {
  return "name" in object && "dtype" in object && "shape" in object && !("data" in object);
}

function keyName(key: unknown): string {
  return typeof key === "object" && key !== null ? ((key as Value).name ?? "?") : String(key);
}

function itemName(item: unknown): string {
  const name = (item as { name?: unknown } | null)?.name;
  return typeof name === "string" && name ? `("${name}")` : "";
}

function shown(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "object" && value !== null ? "an object" : (JSON.stringify(value) ?? String(value));
}

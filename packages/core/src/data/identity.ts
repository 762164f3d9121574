import type { Row } from "./dataset.ts";

/**
 * What makes two texts the same to a reader: compatibility forms folded (NFKC), case folded, white space collapsed,
 * byte-order marks and zero-width characters gone.
 */
export function normalisedText(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/[\u200B-\u200D\u2060\uFEFF]/g, "")
    .toLowerCase()
    .replace(/\s+/g, " ")
    .trim();
}

/**
 * The identity of every row's input: rows with equal keys hold the same thing. Texts are known by themselves;
 * images by
 * `contents` (a hash of the file or its pixels, from the platform), or by their place where no hash is given. An empty
 * text is nobody's duplicate.
 */
export function inputKeys(
  rows: readonly Row[],
  contents: readonly (string | null)[] | null = null,
): string[] {
  return rows.map((row, i) => {
    const content = contents?.[i];
    if (content !== null && content !== undefined) return `content ${content}`;
    if (row.input.kind !== "text") return `place ${row.where}`;
    const text = normalisedText(row.input.text);
    return text === "" ? `empty ${row.where}` : `text ${text}`;
  });
}

/**
 * Numbers of the groups that must not be torn apart, [rows]: rows of one declared group, rows with the same
 * input, and whatever those two chain together.
 */
export function rowGroups(rows: readonly Row[], keys: readonly string[] = inputKeys(rows)): Int32Array {
  const { parent, join } = disjointSets(rows.length);
  const first = new Map<string, number>();
  const meet = (key: string, i: number) => {
    const other = first.get(key);
    if (other === undefined) first.set(key, i);
    else join(other, i);
  };
  for (let i = 0; i < rows.length; i++) {
    meet(`key ${keys[i]}`, i);
    if (rows[i]!.group !== null) meet(`group ${rows[i]!.group}`, i);
  }
  return Int32Array.from(rows, (_, i) => parent(i));
}

/** Disjoint sets over 0 … n − 1 with path halving; a set is known by its smallest member. */
export function disjointSets(n: number) {
  const up = Int32Array.from({ length: n }, (_, i) => i);
  const parent = (i: number): number => {
    let at = i;
    while (up[at] !== at) at = up[at] = up[up[at]!]!;
    return at;
  };
  const join = (a: number, b: number): void => {
    const x = parent(a);
    const y = parent(b);
    if (x < y) up[y] = x;
    else up[x] = y;
  };
  return { parent, join };
}

/** A 53-bit hash of a text, seeded; the two halves are mixed as in MurmurHash3's finaliser. */
export function hashText(text: string, seed = 0): number {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ Math.imul(seed, 0x9e3779b1);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x85ebca77);
    b = Math.imul(b ^ code, 0xc2b2ae3d);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return 4294967296 * (0x1fffff & b) + (a >>> 0);
}

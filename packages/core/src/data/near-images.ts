import { InputError } from "../errors.ts";
import { disjointSets } from "./identity.ts";
import type { NearPair } from "./near.ts";

/** Side of the grey picture an image is compared by. */
export const PRINT_SIDE = 32;
/** Correlation of grey pictures from which two images are taken for near duplicates. */
export const NEAR_IMAGE = 0.99;

const SIDE = 8;
const BANDS = 4;
/**
 * Bits in which hashes of near duplicates may differ: with one bit tried in each of four bands none of these
 * is missed.
 */
const MOST_BITS = 7;
/** Standard deviation of grey values below which a picture shows nothing that could be recognised. */
const BLANK = 2;
/**
 * Images with one piece of a hash that are compared with a further one, the latest first; fewer where a bit
 * was changed.
 */
const LONGEST_CHAIN = 400;
const LONGEST_CHANGED = 32;

/** What an image is compared by. */
export interface ImagePrint {
  /** Grey values [32, 32]. */
  readonly grey: Uint8Array;
  /** 64 bits as four pieces of 16. */
  readonly hash: Uint16Array;
  readonly mean: number;
  /** Standard deviation of the grey values; below 2 the image is blank and no near duplicate of anything. */
  readonly deviation: number;
}

/** The print of an image from its grey values [32, 32]: perceptual hash and statistics. */
export function imagePrint(grey: Uint8Array): ImagePrint {
  if (grey.length !== PRINT_SIDE ** 2)
    throw new InputError(`an image print takes ${PRINT_SIDE ** 2} grey values, got ${grey.length}`);
  const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  const variance = grey.reduce((sum, value) => sum + (value - mean) ** 2, 0) / grey.length;
  return { grey, hash: hashOf(grey), mean, deviation: Math.sqrt(variance) };
}

/**
 * Images that look the same: scaled, compressed again, a little brighter or greyer; not turned, mirrored or
 * cut out. The hashes (signs of the 64 lowest cosine coefficients against their median) must differ in at
 * most 7 of 64 bits and the grey pictures correlate by at least `similarity`. Pairs chain groups together:
 * where two images are in one group already no further pair is listed. Null stands for an image that cannot
 * be read.
 *
 * Zauner (2010), "Implementation and benchmarking of perceptual image hash functions", section 3.2.1,
 * http://www.phash.org/docs/pubs/thesis_zauner.pdf.
 */
export function nearImages(
  prints: readonly (ImagePrint | null)[],
  similarity: number = NEAR_IMAGE,
): NearPair[] {
  const pairs: NearPair[] = [];
  const { parent, join } = disjointSets(prints.length);
  const heads = Array.from({ length: BANDS }, () => new Int32Array(2 ** 16).fill(-1));
  const nexts = Array.from({ length: BANDS }, () => new Int32Array(prints.length).fill(-1));
  const met = new Int32Array(prints.length).fill(-1);
  for (const [i, print] of prints.entries()) {
    if (print === null || print.deviation < BLANK) continue;
    for (let band = 0; band < BANDS; band++) {
      for (let bit = -1; bit < 16; bit++) {
        const piece = print.hash[band]! ^ (bit < 0 ? 0 : 1 << bit);
        const most = bit < 0 ? LONGEST_CHAIN : LONGEST_CHANGED;
        let steps = 0;
        for (let j = heads[band]![piece]!; j >= 0 && steps < most; j = nexts[band]![j]!, steps++) {
          if (met[j] === i) continue;
          met[j] = i;
          if (parent(i) === parent(j) || differingBits(print, prints[j]!) > MOST_BITS) continue;
          const how = correlation(print, prints[j]!);
          if (how < similarity) continue;
          join(i, j);
          pairs.push({ a: j, b: i, similarity: how });
        }
      }
    }
    for (let band = 0; band < BANDS; band++) {
      const piece = print.hash[band]!;
      nexts[band]![i] = heads[band]![piece]!;
      heads[band]![piece] = i;
    }
  }
  return pairs.sort((x, y) => x.a - y.a || x.b - y.b);
}

/** cos((2x + 1) u π / 64) for u = 0 … 7: the lowest frequencies of a cosine transform of 32 values, [8, 32]. */
const cosines = Float64Array.from({ length: SIDE * PRINT_SIDE }, (_, k) => {
  const u = Math.floor(k / PRINT_SIDE);
  return Math.cos(((2 * (k % PRINT_SIDE) + 1) * u * Math.PI) / (2 * PRINT_SIDE));
});

function hashOf(grey: Uint8Array): Uint16Array {
  const rows = new Float64Array(SIDE * PRINT_SIDE); // [frequency across, y]
  for (let u = 0; u < SIDE; u++) {
    for (let y = 0; y < PRINT_SIDE; y++) {
      let sum = 0;
      for (let x = 0; x < PRINT_SIDE; x++) sum += cosines[u * PRINT_SIDE + x]! * grey[y * PRINT_SIDE + x]!;
      rows[u * PRINT_SIDE + y] = sum;
    }
  }
  const coefficients = new Float64Array(SIDE * SIDE);
  for (let v = 0; v < SIDE; v++) {
    for (let u = 0; u < SIDE; u++) {
      let sum = 0;
      for (let y = 0; y < PRINT_SIDE; y++) sum += cosines[v * PRINT_SIDE + y]! * rows[u * PRINT_SIDE + y]!;
      coefficients[v * SIDE + u] = sum;
    }
  }
  coefficients[0] = 0; // brightness says nothing
  const sorted = coefficients.slice().sort();
  const median = (sorted[31]! + sorted[32]!) / 2;
  const hash = new Uint16Array(BANDS);
  for (const [k, value] of coefficients.entries()) if (value > median) hash[k >> 4]! |= 1 << (k & 15);
  return hash;
}

function differingBits(a: ImagePrint, b: ImagePrint): number {
  let count = 0;
  for (let band = 0; band < BANDS; band++) {
    let bits = a.hash[band]! ^ b.hash[band]!;
    for (; bits !== 0; bits &= bits - 1) count++;
  }
  return count;
}

function correlation(a: ImagePrint, b: ImagePrint): number {
  let product = 0;
  for (let i = 0; i < a.grey.length; i++) product += a.grey[i]! * b.grey[i]!;
  return (product / a.grey.length - a.mean * b.mean) / (a.deviation * b.deviation);
}

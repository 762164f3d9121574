import { normalQuantile } from "./distributions.ts";

/** Lower and upper end. */
export type Interval = readonly [low: number, high: number];

/**
 * Wilson's score interval for a proportion of `right` in `n` independent rows (Wilson 1927,
 * doi:10.2307/2276774; chosen over the textbook's p ± z·se and the exact interval as Brown, Cai and DasGupta
 * 2001 advise, doi:10.1214/ss/1009213286). It holds its level at n = 20 and at all right, where a bootstrap
 * has no width.
 */
export function wilsonInterval(right: number, n: number, level = 0.95): Interval {
  const z = normalQuantile((1 + level) / 2);
  const p = right / n;
  const centre = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [right === 0 ? 0 : Math.max(0, centre - half), right === n ? 1 : Math.min(1, centre + half)];
}

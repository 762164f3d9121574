/** Maps a value to a coordinate. */
export type Scale = (value: number) => number;

/** A straight scale from [low, high] to [from, to]. */
export function linear(low: number, high: number, from: number, to: number): Scale {
  const span = high - low || 1;
  return (value) => round(from + ((value - low) / span) * (to - from));
}

/** A logarithmic scale; low must be above 0. */
export function logarithmic(low: number, high: number, from: number, to: number): Scale {
  const straight = linear(Math.log(low), Math.log(high), from, to);
  return (value) => straight(Math.log(value));
}

/** About `count` round numbers from low to high: 1, 2 or 5 times a power of ten apart. */
export function ticks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999)!;
  const first = Math.ceil(low / step - 1e-9);
  const found: number[] = [];
  for (let k = first; k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/** Coordinates with one decimal keep the page small. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

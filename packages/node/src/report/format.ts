import type { Interval } from "@graft-ml/core";

/** 0.9608 as "96.1%". */
export function percent(fraction: number, digits = 1): string {
  return `${(100 * fraction).toFixed(digits)}%`;
}

/** [0.917, 0.982] as "91.7–98.2%". */
export function percents([low, high]: Interval): string {
  return `${(100 * low).toFixed(1)}–${percent(high)}`;
}

/** A difference of fractions in percentage points: "+33.3 points", "−1.0 points". */
export function points(difference: number): string {
  return `${signed(100 * difference)} points`;
}

/** An interval of a difference in percentage points: "+25.0 to +41.1". */
export function pointsRange([low, high]: Interval): string {
  return `${signed(100 * low)} to ${signed(100 * high)}`;
}

function signed(value: number): string {
  const text = Math.abs(value).toFixed(1);
  return text === "0.0" ? text : `${value < 0 ? "−" : "+"}${text}`;
}

/** A number with about four figures, and no more noughts than needed. */
export function figures(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return whole(value);
  const size = Math.abs(value);
  if (size >= 1000) return whole(Math.round(value));
  return size >= 0.01 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/** 10000 as "10 000", with spaces that do not break. */
export function whole(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** "p < 0.001", "p = 0.031". */
export function pValue(p: number): string {
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
}

/** extractSeconds as "extract", 12.34 as "12.3 s"; rates as they are. */
export function timed(name: string, value: number): readonly [name: string, value: string] {
  const words = (text: string) => text.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);
  if (name.endsWith("Seconds")) return [words(name.slice(0, -"Seconds".length)), seconds(value)];
  if (name.endsWith("PerSecond"))
    return [`${words(name.slice(0, -"PerSecond".length))} a second`, figures(value)];
  return [words(name), figures(value)];
}

function seconds(value: number): string {
  if (value < 100) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(value / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(value % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The start of a text of more than `most` characters, with an ellipsis. */
export function shortened(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}

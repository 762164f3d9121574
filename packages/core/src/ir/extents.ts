import type { Shape } from "./graph.ts";

/** An extent of a shape: a number, a symbol or a product of both ("batch*197", outermost first), or unknown. */
export type Extent = number | string | null;

/** The product of extents, written in their order. */
export function times(...extents: readonly Extent[]): Extent {
  const factors: (number | string)[] = [];
  for (const extent of extents) {
    if (extent === null) return null;
    if (extent === 0) return 0;
    for (const factor of factorsOf(extent)) {
      const last = factors.at(-1);
      if (typeof factor === "number" && typeof last === "number") factors[factors.length - 1] = last * factor;
      else factors.push(factor);
    }
  }
  return extentOf(factors);
}

/** product / divisor, null where it is not known to divide. */
export function over(product: Extent, divisor: Extent): Extent {
  if (product === null || divisor === null || divisor === 0) return null;
  let number = 1;
  const rest: (number | string)[] = [];
  const symbols: string[] = [];
  for (const factor of factorsOf(divisor)) {
    if (typeof factor === "number") number *= factor;
    else symbols.push(factor);
  }
  for (const factor of factorsOf(product)) {
    if (typeof factor === "string") {
      const at = symbols.indexOf(factor);
      if (at >= 0) symbols.splice(at, 1);
      else rest.push(factor);
      continue;
    }
    const common = greatestCommonDivisor(factor, number);
    number /= common;
    rest.push(factor / common);
  }
  return number === 1 && symbols.length === 0 ? times(...rest) : null;
}

/** The factors of an extent, outermost first. */
export function factorsOf(extent: number | string): (number | string)[] {
  if (typeof extent === "number") return extent === 1 ? [] : [extent];
  return extent.split("*").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

export function productOf(shape: Shape): Extent {
  return times(...shape);
}

/** The shape of an elementwise operation on two shapes (NumPy's broadcasting). */
export function broadcast(a: Shape | null, b: Shape | null): Shape | null {
  if (!a || !b) return null;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = axis < rank - a.length ? 1 : a[axis - rank + a.length]!;
    const right = axis < rank - b.length ? 1 : b[axis - rank + b.length]!;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    // A number above 1 is right whatever the other turns out to be.
    if (typeof left === "number") return left;
    if (typeof right === "number") return right;
    return null;
  });
}

function extentOf(factors: readonly (number | string)[]): number | string {
  if (factors.every((factor) => typeof factor === "number"))
    return factors.reduce<number>((product, factor) => product * (factor as number), 1);
  return factors.join("*");
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

import type { Arena, Numbers } from "./arena.ts";

/** Elements of an array as long as the arena, `from` being a multiple of four. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * y ← a·y + b·x in place; with vector instructions where both lie in the arena's memory, to the same bytes where not.
 */
export function blend(
  { memory }: Pick<Arena, "memory">,
  y: Numbers,
  a: number,
  x: Numbers,
  b: number,
  { from, to }: Span = { from: 0, to: y.length },
): void {
  let rest = from;
  if (memory && y.buffer === memory.buffer && x.buffer === memory.buffer) {
    rest = to - ((to - from) % 4);
    memory.kernels.blend(y.byteOffset + 4 * from, x.byteOffset + 4 * from, y.byteOffset + 4 * rest, a, b);
  }
  if (y instanceof Float64Array) for (let i = rest; i < to; i++) y[i] = a * y[i]! + b * x[i]!;
  else {
    const [p, q] = [Math.fround(a), Math.fround(b)];
    for (let i = rest; i < to; i++) y[i] = Math.fround(p * y[i]!) + Math.fround(q * x[i]!);
  }
}

/** y ← a·y in place. */
export function scale(arena: Pick<Arena, "memory">, y: Numbers, a: number, span?: Span): void {
  blend(arena, y, a, y, 0, span);
}

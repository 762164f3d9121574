import type { Arena, Numbers } from "./arena.ts";
import { scale } from "./blend.ts";

/** The Euclidean length of all gradients together. */
export function gradientNorm(arena: Arena, gradients: Numbers): number {
  // Four sums, so that an addition need not wait for the one before; taken out of an array they would be slow.
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (const { offset, length } of arena.slots) {
    const end = offset + length;
    let i = offset;
    for (; i + 3 < end; i += 4) {
      a += gradients[i]! * gradients[i]!;
      b += gradients[i + 1]! * gradients[i + 1]!;
      c += gradients[i + 2]! * gradients[i + 2]!;
      d += gradients[i + 3]! * gradients[i + 3]!;
    }
    for (; i < end; i++) a += gradients[i]! * gradients[i]!;
  }
  return Math.sqrt(a + b + c + d);
}

/** Scales gradients in place so that together they are no longer than `most`; returns how long they were. */
export function clipNorm(arena: Arena, gradients: Numbers, most: number): number {
  const norm = gradientNorm(arena, gradients);
  const factor = most / (norm + 1e-6);
  if (factor < 1) scale(arena, gradients, factor);
  return norm;
}

/** Cuts every element of the gradients to [−most, most] in place. */
export function clipValue(gradients: Numbers, most: number): void {
  for (let i = 0; i < gradients.length; i++) gradients[i] = Math.min(most, Math.max(-most, gradients[i]!));
}

import type { Arena, Numbers } from "./arena.ts";

/** The Euclidean length of all gradients together. */
export function gradientNorm(arena: Arena, gradients: Numbers): number {
  let total = 0;
  for (const { offset, length } of arena.slots)
    for (let i = offset; i < offset + length; i++) total += gradients[i]! * gradients[i]!;
  return Math.sqrt(total);
}

/** Scales gradients in place so that together they are no longer than `most`; returns how long they were. */
export function clipNorm(arena: Arena, gradients: Numbers, most: number): number {
  const norm = gradientNorm(arena, gradients);
  const factor = most / (norm + 1e-6);
  if (factor < 1) for (let i = 0; i < gradients.length; i++) gradients[i] = gradients[i]! * factor;
  return norm;
}

/** Cuts every element of the gradients to [−most, most] in place. */
export function clipValue(gradients: Numbers, most: number): void {
  for (let i = 0; i < gradients.length; i++) gradients[i] = Math.min(most, Math.max(-most, gradients[i]!));
}

import type { Arena, Numbers } from "../optim/arena.ts";
import { zerosFor } from "../optim/arena.ts";
import type { Tensor } from "../tensor.ts";

/** What keeps parameters near where they came from. */
export interface Anchor {
  /** α: the pull is α·(p − p₀). */
  readonly strength: number;
  /** The source's parameters p₀; parameters that are not among them are left free. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /**
   * Applied beside the optimizer, times the learning rate, as AdamW applies its decay (the default), or to
   * the gradient.
   */
  readonly decoupled?: boolean;
}

/**
 * L2-SP: the penalty α/2·‖p − p₀‖² to the source's weights instead of to zero (Li, Grandvalet and Davoine 2018,
 * https://arxiv.org/abs/1802.01483), in the arena's layout.
 */
export function anchoring(arena: Arena, { strength, parameters, decoupled = true }: Anchor) {
  const source: Numbers = zerosFor(arena);
  const slots = arena.slots.filter(({ name }) => parameters.has(name));
  for (const { name, offset } of slots) source.set(parameters.get(name)!.data as Float32Array, offset);
  const pull = (target: Numbers, factor: (rate: number) => number) => {
    for (const { offset, length, rate } of slots) {
      const by = factor(rate);
      for (let i = offset; i < offset + length; i++)
        target[i] = target[i]! + by * (arena.data[i]! - source[i]!);
    }
  };
  return {
    /** Adds the penalty's gradient. */
    toGradient(gradients: Numbers): void {
      if (!decoupled) pull(gradients, () => strength);
    },
    /** Moves parameters back towards the source. */
    afterStep(rate: number): void {
      if (decoupled) pull(arena.data, (own) => -rate * own * strength);
    },
  };
}

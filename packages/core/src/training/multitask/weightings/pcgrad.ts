import type { Numbers } from "../../../optim/arena.ts";
import { innerProduct, type LossWeighting, sharedSlots } from "../weighting.ts";

/**
 * Projecting conflicting gradients: where a task's gradient on what two tasks share points against another's,
 * the part along the other is taken out, other by other in random order (Yu et al. 2020, algorithm 1,
 * https://arxiv.org/abs/2001.06782).
 */
export const pcgrad: LossWeighting = {
  about: "where gradients of two tasks point against each other, the part that does is taken out",
  options: {},
  isJoint: true,
  start: () => ({}),
  weigh({ parts, random }) {
    const originals = parts.map(({ gradient }) => gradient.slice() as Numbers);
    for (const [i, part] of parts.entries()) {
      for (const j of random.fork(`task ${part.task}`).permutation(parts.length)) {
        if (i === j) continue;
        const shared = sharedSlots([part, parts[j]!]);
        const other = originals[j]!;
        const along = innerProduct(part.gradient, other, shared);
        if (along >= 0) continue;
        const factor = along / innerProduct(other, other, shared);
        for (const { offset, length } of shared)
          for (let k = offset; k < offset + length; k++)
            part.gradient[k] = part.gradient[k]! - factor * other[k]!;
      }
    }
    return parts.map(() => 1);
  },
};

import type { LossWeighting } from "../weighting.ts";

/**
 * Every loss counts as its task's weight says, 1 where it says nothing. With usual regularisation none of the
 * adaptive ways was found to be better than this (Kurin et al. 2022, https://arxiv.org/abs/2201.04122; Xin et
 * al. 2022, https://arxiv.org/abs/2209.11379).
 */
export const fixed: LossWeighting = {
  about: "the weights that the tasks state, 1 by default",
  options: {},
  isJoint: false,
  start: () => ({}),
  weigh: ({ parts }) => parts.map(() => 1),
};

import type { Model } from "../ir/graph.ts";
import type { Random } from "../random.ts";
import { float32, sizeOf, type Tensor } from "../tensor.ts";
import { initialise } from "../training/initialise.ts";
import { withParameters } from "../training/plan.ts";

/** Zeros in the place of a parameter that is still to be drawn. */
export function blank(shape: readonly number[]): Tensor {
  return float32(shape, new Float32Array(sizeOf(shape)));
}

/** The model with every parameter drawn. */
export function drawn(model: Model, random: Random): Model {
  return withParameters(model, initialise(model, random));
}

import { type Features, takeFeatures } from "@graft-ml/core";
import type { Work } from "./work.ts";

/** Mean negative log-likelihood of held-out rows under a head fitted on the others. */
export async function headLoss(
  { headOn, labels, weights }: Work,
  features: Features,
  members: Int32Array,
  heldOut: Int32Array,
): Promise<number> {
  const head = await headOn(features, members);
  const { columns, data } = head.predict(takeFeatures(features, heldOut));
  let sum = 0;
  let mass = 0;
  for (const [i, row] of heldOut.entries()) {
    const weight = weights?.[row] ?? 1;
    sum -= weight * Math.log(Math.max(data[i * columns + labels[row]!]!, Number.MIN_VALUE));
    mass += weight;
  }
  return sum / mass;
}

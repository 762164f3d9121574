import { type Features, takeFeatures } from "@graft-ml/core";
import { type CooledLoss, cooledLoss } from "./cooled-loss.ts";
import type { Work } from "./work.ts";

/** The log loss of held-out rows under a head fitted on the others. */
export async function headLoss(
  { headOn, labels, weights }: Work,
  features: Features,
  members: Int32Array,
  heldOut: Int32Array,
): Promise<CooledLoss> {
  const head = await headOn(features, members);
  const { rows, columns, data } = head.predict(takeFeatures(features, heldOut));
  const logits = Float64Array.from(data, (one) => Math.log(Math.max(one, Number.MIN_VALUE)));
  return cooledLoss(
    { rows, columns, data: logits },
    Array.from(heldOut, (row) => labels[row]!),
    weights && Array.from(heldOut, (row) => weights[row]!),
  );
}

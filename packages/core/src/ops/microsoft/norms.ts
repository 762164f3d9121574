import type { Value } from "../../ir/graph.ts";
import type { Formula } from "../formula.ts";
import { rootMeanSquare } from "../groups.ts";
import { decomposed } from "../op.ts";

/** LayerNormalization(x + skip + bias), and the sum itself as the fourth output. Inputs: x, skip, γ, β, bias. */
export const SkipLayerNormalization = decomposed((g, at) => {
  const [x, skip, scale, shift, bias] = at.x as Value[];
  const sum = summed(g, x!, skip!, bias);
  return [normalized(g, sum, scale!, shift, at.float("epsilon", 1e-12)), null, null, sum];
});
/** The same with a root mean square in place of the standard deviation. Inputs: x, skip, γ, bias. */
export const SkipSimplifiedLayerNormalization = decomposed((g, at) => {
  const [x, skip, scale, bias] = at.x as Value[];
  const sum = summed(g, x!, skip!, bias);
  return [rootMeanSquare(g, sum, scale!, [-1], at.float("epsilon", 1e-12)), null, null, sum];
});
/**
 * Sum of word, position and segment embeddings, normalized. Inputs: ids, segment ids, three tables, γ, β,
 * mask, position ids.
 */
export const EmbedLayerNormalization = decomposed((g, at) => {
  const [ids, segments, words, positions, segmentTable, scale, shift, , positionIds] = at.x as Value[];
  let sum = g.gather(words!, ids!, 0);
  if (positionIds) sum = g.add(sum, g.gather(positions!, positionIds, 0));
  else {
    const length = at.shape(ids!)[1];
    if (typeof length !== "number")
      return at.refuse("needs the length of its sequences; give the shapes of the inputs");
    sum = g.add(sum, g.slice(positions!, [0], [length], [0]));
  }
  if (segments && segmentTable) sum = g.add(sum, g.gather(segmentTable, segments, 0));
  return [normalized(g, sum, scale!, shift, at.float("epsilon", 1e-12)), null, sum];
});

function summed(g: Formula, x: Value, skip: Value, bias: Value | undefined): Value {
  const sum = g.add(x, skip);
  return bias ? g.add(sum, bias) : sum;
}

function normalized(g: Formula, x: Value, scale: Value, shift: Value | undefined, epsilon: number): Value {
  return g.op("LayerNormalization", [x, scale, shift ?? null], {
    axis: -1,
    epsilon: { type: "float", value: epsilon },
  });
}

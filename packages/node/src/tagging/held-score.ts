import { convertTags, type Scheme, type Tagged, type TaggerSpec, taggingScores } from "@graft-ml/core";
import { writtenTags } from "./metrics.ts";
import type { Sentence } from "./sentences.ts";

/** F1 of spans, or the accuracy, of tags of held-out sentences. */
export function heldScore(
  held: readonly Sentence[],
  tagged: readonly Tagged[],
  spec: TaggerSpec,
  scheme: Scheme | null,
): number {
  const predicted = writtenTags(tagged, spec, scheme);
  const sentences = held.map(({ tokens }, i) => ({ gold: tokens.tags!, predicted: predicted[i]! }));
  const { spans, accuracy } = taggingScores(sentences, { scheme, seed: 0, replicates: 2 });
  // Where no span is found yet, fewer wrong tokens are still better.
  return spans === null ? accuracy : spans.f1 + 1e-3 * accuracy;
}

/** The sum of −log p of the tags of held-out tokens; tags that the model does not have are passed over. */
export function heldLogLoss(held: readonly Sentence[], tagged: readonly Tagged[], spec: TaggerSpec): number {
  const { tags, scheme } = spec;
  const numbers = new Map(tags.map((tag, i) => [tag, i]));
  let total = 0;
  for (const [i, { tokens }] of held.entries()) {
    const gold = scheme === null ? tokens.tags! : convertTags(tokens.tags!, scheme);
    for (const [t, tag] of gold.entries()) {
      const number = numbers.get(tag);
      if (number !== undefined)
        total -= Math.log(Math.max(1e-30, tagged[i]!.probabilities![t * tags.length + number]!));
    }
  }
  return total;
}

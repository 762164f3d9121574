import { marginals } from "./decode.ts";
import type { LinearFeatures } from "./linear-features.ts";
import { addScores, type LinearTagger, type TaggedIds } from "./perceptron.ts";

/** Temperatures tried, the hottest first, a fifth of a doubling apart: a perceptron's scores have no unit. */
const TEMPERATURES: readonly number[] = Array.from({ length: 66 }, (_, k) => 2 ** (12 - k / 5));

/** Sentences that one number is chosen on at most. */
const ENOUGH = 500;

/**
 * The tagger with its scores divided by the temperature under which held-out tokens are likeliest (Guo et al.
 * 2017, https://arxiv.org/abs/1706.04599, of the tokens' marginals): the best sequences stay, probabilities
 * come to mean something. Tags below 0 are passed over. Without held-out tokens the tagger stays as it is.
 */
export function calibratedTagger(
  tagger: LinearTagger,
  heldOut: readonly TaggedIds[],
  features: LinearFeatures,
): { readonly tagger: LinearTagger; readonly temperature: number } {
  const scored = heldOut
    .filter(({ tags }) => tags.length > 0)
    .slice(0, ENOUGH)
    .map(({ tokens, tags }) => ({ tags, scores: scoresOf(tagger, tokens, features) }));
  if (!heldOut.some(({ tags }) => tags.some((tag) => tag >= 0))) return { tagger, temperature: 1 };
  const loss = (temperature: number) => {
    const { transitions } = divided({ ...tagger, weights: new Float32Array(0) }, temperature);
    let total = 0;
    for (const { tags, scores } of scored) {
      const cooled = scores.map((score) => score / temperature);
      const { probabilities } = marginals(cooled, tags.length, transitions);
      const count = probabilities.length / tags.length;
      for (const [t, tag] of tags.entries())
        if (tag >= 0) total -= Math.log(Math.max(1e-30, probabilities[t * count + tag]!));
    }
    return total;
  };
  // The loss falls and then rises as scores grow, so that the first rise is the end.
  let [best, least] = [TEMPERATURES[0]!, Number.POSITIVE_INFINITY];
  for (const temperature of TEMPERATURES) {
    const found = loss(temperature);
    if (found > least) break;
    [best, least] = [temperature, found];
  }
  return { tagger: divided(tagger, best), temperature: best };
}

function scoresOf(
  { weights, transitions }: LinearTagger,
  tokens: readonly string[],
  features: LinearFeatures,
) {
  const count = transitions.start.length;
  const scores = new Float32Array(tokens.length * count);
  addScores(weights, features.of(tokens), tokens.length, features.count, count, scores);
  return scores;
}

function divided({ weights, transitions }: LinearTagger, by: number): LinearTagger {
  const of = (values: Float32Array) => values.map((value) => value / by);
  const { between, start, end } = transitions;
  return { weights: of(weights), transitions: { between: of(between), start: of(start), end: of(end) } };
}

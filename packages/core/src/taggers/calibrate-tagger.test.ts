import { expect, test } from "vitest";
import { random } from "../random.ts";
import { calibratedTagger } from "./calibrate-tagger.ts";
import { marginals, viterbi } from "./decode.ts";
import { linearFeatures } from "./linear-features.ts";
import { addScores, type LinearTagger, type TaggedIds, trainPerceptron } from "./perceptron.ts";

const features = linearFeatures(2 ** 10);
const source = random(3);
/** Words say their tag, but for one in five. */
const sentences = Array.from({ length: 120 }, (): TaggedIds => {
  const tokens = Array.from({ length: 6 }, () => ["red", "blue", "one", "two"][source.integer(4)]!);
  const tags = tokens.map(
    (word) => (source.integer(5) === 0 ? 1 : 0) ^ (word === "one" || word === "two" ? 1 : 0),
  );
  return { tokens, tags: Int32Array.from(tags) };
});
const [learnt, held, unseen] = [sentences.slice(0, 60), sentences.slice(60, 90), sentences.slice(90)];
const tagger = trainPerceptron(learnt, { tags: 2, features, random: random(0), epochs: 5 });

function said({ weights, transitions }: LinearTagger, { tokens, tags }: TaggedIds) {
  const scores = new Float32Array(tokens.length * 2);
  addScores(weights, features.of(tokens), tokens.length, features.count, 2, scores);
  const { probabilities } = marginals(scores, tokens.length, transitions);
  const losses = Array.from(tags, (tag, t) => -Math.log(Math.max(1e-30, probabilities[2 * t + tag]!)));
  return {
    loss: losses.reduce((sum, loss) => sum + loss, 0),
    best: [...viterbi(scores, tokens.length, transitions).tags],
  };
}

test("a perceptron's probabilities come to fit unseen sentences, its tags stay", () => {
  const { tagger: calibrated, temperature } = calibratedTagger(tagger, held, features);
  expect(temperature).toBeGreaterThan(1);
  const loss = (one: LinearTagger) => unseen.reduce((sum, sentence) => sum + said(one, sentence).loss, 0);
  expect(loss(calibrated)).toBeLessThan(0.7 * loss(tagger));
  for (const sentence of unseen) expect(said(calibrated, sentence).best).toEqual(said(tagger, sentence).best);
});

test("scores in another unit end in the same probabilities", () => {
  const louder = {
    weights: tagger.weights.map((value) => 8 * value),
    transitions: {
      between: tagger.transitions.between.map((value) => 8 * value),
      start: tagger.transitions.start.map((value) => 8 * value),
      end: tagger.transitions.end.map((value) => 8 * value),
    },
  };
  const plain = calibratedTagger(tagger, held, features);
  const loud = calibratedTagger(louder, held, features);
  expect(loud.temperature).toBeCloseTo(8 * plain.temperature, 6);
  expect(said(loud.tagger, unseen[0]!).loss).toBeCloseTo(said(plain.tagger, unseen[0]!).loss, 4);
});

test("without held-out tokens, or with unknown tags alone, it stays as it is", () => {
  expect(calibratedTagger(tagger, [], features)).toEqual({ tagger, temperature: 1 });
  const unknown = held.map(({ tokens, tags }) => ({ tokens, tags: tags.map(() => -1) }));
  expect(calibratedTagger(tagger, unknown, features)).toEqual({ tagger, temperature: 1 });
});

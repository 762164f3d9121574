import { describe, expect, test } from "vitest";
import { random } from "../random.ts";
import { spansOf, strictSpansOf } from "../spans.ts";
import {
  constrained,
  expectedTags,
  knownTags,
  marginals,
  noTransitions,
  type Transitions,
  viterbi,
} from "./decode.ts";

/** Every sequence of `length` tags out of `count`, with its score. */
function everySequence(scores: Float32Array, length: number, { start, between, end }: Transitions) {
  const count = start.length;
  const found: { tags: number[]; score: number }[] = [];
  const walk = (tags: number[], score: number): void => {
    if (tags.length === length) {
      found.push({ tags, score: score + end[tags.at(-1)!]! });
      return;
    }
    for (let c = 0; c < count; c++) {
      const move = tags.length === 0 ? start[c]! : between[tags.at(-1)! * count + c]!;
      walk([...tags, c], score + move + scores[tags.length * count + c]!);
    }
  };
  walk([], 0);
  return found;
}

function drawn(seed: number, length: number, count: number, width = 2) {
  const source = random(seed);
  const numbers = (n: number) => Float32Array.from({ length: n }, () => width * source.normal());
  const transitions = { start: numbers(count), between: numbers(count * count), end: numbers(count) };
  return { scores: numbers(length * count), transitions };
}

describe.each([1, 2, 5])("sequences of %d tokens", (length) => {
  const { scores, transitions } = drawn(length, length, 3);
  const all = everySequence(scores, length, transitions);
  const best = all.reduce((a, b) => (b.score > a.score ? b : a));
  test("the best one is the best of all", () => {
    const found = viterbi(scores, length, transitions);
    expect([...found.tags]).toEqual(best.tags);
    expect(found.score).toBeCloseTo(best.score, 5);
  });
  test("moves are expected as often as all sequences make them", () => {
    const { moves } = expectedTags(scores, length, transitions);
    const weights = all.map(({ score }) => Math.exp(score - best.score));
    const total = weights.reduce((a, b) => a + b);
    const counted = new Float64Array(5 * 3);
    for (const [i, { tags }] of all.entries())
      for (const [k, often] of knownTags(Int32Array.from(tags), 3).moves.entries())
        counted[k]! += (often * weights[i]!) / total;
    for (const [k, often] of counted.entries()) expect(moves[k], `move ${k}`).toBeCloseTo(often, 5);
  });
  test("probabilities of tags are sums over all", () => {
    const { probabilities, logPartition } = marginals(scores, length, transitions);
    const total = all.reduce((sum, { score }) => sum + Math.exp(score), 0);
    expect(logPartition).toBeCloseTo(Math.log(total), 5);
    for (let t = 0; t < length; t++)
      for (let c = 0; c < 3; c++) {
        const share = all
          .filter(({ tags }) => tags[t] === c)
          .reduce((sum, { score }) => sum + Math.exp(score), 0);
        expect(probabilities[t * 3 + c]).toBeCloseTo(share / total, 5);
      }
  });
});

test("probabilities hold for 5 000 tokens with scores far apart", () => {
  const { scores, transitions } = drawn(4, 5000, 4, 20);
  const { probabilities, logPartition } = marginals(scores, 5000, transitions);
  expect(Number.isFinite(logPartition)).toBe(true);
  for (let t = 0; t < 5000; t++)
    expect(probabilities.slice(t * 4, t * 4 + 4).reduce((a, b) => a + b)).toBeCloseTo(1, 4);
});

test("a scheme is kept to, whatever the scores", () => {
  const tags = ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B", "E-B", "S-B"];
  const only = constrained(noTransitions(tags.length), tags, "BIOES");
  for (let seed = 0; seed < 20; seed++) {
    const { scores } = drawn(seed, 12, tags.length);
    const found = [...viterbi(scores, 12, only).tags].map((c) => tags[c]!);
    expect(strictSpansOf(found, "BIOES")).toEqual(spansOf(found));
  }
});

test("transitions that allow nothing are refused, no token gives no tag", () => {
  const none = { ...noTransitions(2), end: Float32Array.of(-Infinity, -Infinity) };
  expect(() => viterbi(new Float32Array(4), 2, none)).toThrow(/no sequence of 2 tags is allowed/);
  expect(viterbi(new Float32Array(0), 0, noTransitions(2)).tags).toHaveLength(0);
});

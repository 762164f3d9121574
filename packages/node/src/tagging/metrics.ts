import {
  convertTags,
  type Interval,
  type Scheme,
  type Tagged,
  type TaggerSpec,
  type TaggingScores,
  taggingScores,
} from "@graft-ml/core";
import type { Sentence } from "./sentences.ts";

/** The `test` part of metrics.json of a tagger: the fields of every task, and what tagging has beside. */
export interface TaggingTest extends TaggingScores {
  /** Tokens. */
  readonly n: number;
  /** F1 of spans as conlleval counts them; null where tags write none. */
  readonly spanF1: number | null;
  /** Calibration error of the probability of the tag given, 15 bins of equal width over tokens. */
  readonly ece: number;
  /** 95 % interval of the accuracy; that of spanF1 is `spans.interval`. */
  readonly interval: Interval;
}

/** Whether one model's tags are better than another's on the same sentences. */
export interface TaggingTransfer {
  readonly verdict: "helps" | "no evidence" | "hurts";
  /** Of spanF1, or of the accuracy where tags write no spans. */
  readonly gain: number;
  readonly interval: Interval;
  readonly against: string;
}

/** metrics.json of a RUN that tags. Fractions, not percent. */
export interface TaggingMetrics {
  readonly task: "token-classification";
  readonly classes: readonly string[];
  readonly test: TaggingTest;
  /** Accuracy by token: always the commonest tag; the commonest tag of each word; the same network from nothing. */
  readonly baselines: {
    readonly majority: number | null;
    readonly raw: number | null;
    readonly scratch: number | null;
  };
  readonly transfer: TaggingTransfer | null;
  readonly chosen: {
    readonly backbone: string;
    readonly sha256: string | null;
    readonly layer: string;
    readonly head: string;
    readonly method: string;
  };
  readonly timing: {
    readonly extractSeconds: number;
    readonly fitSeconds: number;
    readonly totalSeconds: number;
    /** Test tokens tagged a second. */
    readonly itemsPerSecond: number;
  };
}

const BINS = 15;

/** Tags of sentences in the scheme that the data are written in. */
export function writtenTags(
  tagged: readonly Tagged[],
  spec: TaggerSpec,
  scheme: Scheme | null,
): readonly (readonly string[])[] {
  return tagged.map(({ tags }) => {
    const own = Array.from(tags, (tag) => spec.tags[tag]!);
    return scheme === null || scheme === spec.scheme ? own : convertTags(own, scheme);
  });
}

/** Scores of tagged sentences against their own tags. `probabilities` must have been asked for. */
export function tagTest(
  sentences: readonly Sentence[],
  tagged: readonly Tagged[],
  about: {
    readonly spec: TaggerSpec;
    readonly scheme: Scheme | null;
    readonly seed: number;
    /** Words that training saw. */
    knows(token: string): boolean;
  },
): TaggingTest {
  const { spec, scheme, seed, knows } = about;
  const predicted = writtenTags(tagged, spec, scheme);
  const scores = taggingScores(
    sentences.map(({ tokens }, i) => ({
      gold: tokens.tags!,
      predicted: predicted[i]!,
      unseen: tokens.texts.map((token) => !knows(token)),
    })),
    { scheme, seed },
  );
  return {
    ...scores,
    n: scores.tokens,
    spanF1: scores.spans?.f1 ?? null,
    ece: calibrationError(sentences, tagged, predicted, spec),
    interval: scores.accuracyInterval,
  };
}

function calibrationError(
  sentences: readonly Sentence[],
  tagged: readonly Tagged[],
  predicted: readonly (readonly string[])[],
  { tags }: TaggerSpec,
): number {
  const [surer, count] = [new Float64Array(BINS), { tokens: 0 }];
  for (const [i, { tags: given, probabilities }] of tagged.entries()) {
    for (const [t, tag] of given.entries()) {
      const p = probabilities![t * tags.length + tag]!;
      const isRight = predicted[i]![t] === sentences[i]!.tokens.tags![t];
      surer[Math.min(BINS - 1, Math.floor(p * BINS))]! += (isRight ? 1 : 0) - p;
      count.tokens++;
    }
  }
  return surer.reduce((sum, value) => sum + Math.abs(value), 0) / Math.max(1, count.tokens);
}

/** Accuracy by token of the commonest tag, and of the commonest tag of each word. */
export function tagBaselines(
  train: readonly Sentence[],
  test: readonly Sentence[],
): { readonly majority: number; readonly raw: number } {
  const all = new Map<string, number>();
  const words = new Map<string, Map<string, number>>();
  const count = (counts: Map<string, number>, tag: string) => counts.set(tag, (counts.get(tag) ?? 0) + 1);
  for (const { tokens } of train)
    for (const [t, token] of tokens.texts.entries()) {
      count(all, tokens.tags![t]!);
      const own = words.get(token) ?? new Map<string, number>();
      count(own, tokens.tags![t]!);
      words.set(token, own);
    }
  const commonest = (counts: ReadonlyMap<string, number>) =>
    [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  const most = commonest(all);
  const byWord = new Map([...words].map(([word, counts]) => [word, commonest(counts)]));
  let [total, majority, raw] = [0, 0, 0];
  for (const { tokens } of test)
    for (const [t, token] of tokens.texts.entries()) {
      total++;
      if (tokens.tags![t] === most) majority++;
      if (tokens.tags![t] === (byWord.get(token) ?? most)) raw++;
    }
  return { majority: majority / total, raw: raw / total };
}

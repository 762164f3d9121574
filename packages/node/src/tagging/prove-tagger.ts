import {
  bootstrap,
  differenceStatistic,
  f1Statistic,
  type Interval,
  meanStatistic,
  openTagger,
  type Runtime,
  type Scheme,
  spansOf,
  type TagFeeder,
} from "@graft-ml/core";
import type { LearntTagger } from "./learn-tagger.ts";
import { type TaggingTransfer, tagTest } from "./metrics.ts";
import { type GoldenSentence, shown } from "./open-tagger-run.ts";
import type { Sentence } from "./sentences.ts";

/** Sentences that verify a run. */
const GOLDEN = 32;

/** Tags the test part and scores what comes. */
export async function proved(
  learnt: LearntTagger,
  test: readonly Sentence[],
  about: {
    readonly scheme: Scheme | null;
    readonly seed: number;
    readonly feedsOf?: TagFeeder | undefined;
    knows(token: string): boolean;
  },
  runtime: Runtime,
) {
  const tagger = await openTagger(learnt.spec, learnt.model, runtime, about.feedsOf);
  try {
    const begin = performance.now();
    const tagged = await tagger.tag(
      test.map(({ tokens }) => tokens.texts),
      { probabilities: true },
    );
    const seconds = (performance.now() - begin) / 1000;
    const sentences = shown(tagged, learnt.spec, about);
    return {
      test: tagTest(test, tagged, { ...about, spec: learnt.spec }),
      sentences,
      tags: sentences.map(({ tags }) => tags),
      seconds,
    };
  } finally {
    await tagger.close();
  }
}

/**
 * Which of two models' tags of the same sentences are better: sentences drawn with replacement, both models
 * on the same.
 */
export function comparison(
  test: readonly Sentence[],
  ours: readonly (readonly string[])[],
  theirs: readonly (readonly string[])[],
  scheme: Scheme | null,
  seed: number,
  against = "scratch",
): TaggingTransfer {
  const statistic = (predicted: readonly (readonly string[])[]) => {
    if (scheme === null) {
      const lengths = test.map(({ tokens }) => tokens.texts.length);
      const right = test.map(
        ({ tokens }, i) => predicted[i]!.filter((tag, t) => tag === tokens.tags![t]).length,
      );
      const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length;
      return meanStatistic(right.map((count) => count / mean));
    }
    const keys = (tags: readonly string[]) =>
      spansOf(tags).map(({ type, start, end }) => `${type} ${start} ${end}`);
    const gold = test.map(({ tokens }) => new Set(keys(tokens.tags!)));
    const found = predicted.map(keys);
    return f1Statistic(
      gold.map(({ size }) => size),
      found.map(({ length }) => length),
      found.map((spans, i) => spans.filter((span) => gold[i]!.has(span)).length),
    );
  };
  const { value, interval } = bootstrap(
    differenceStatistic(statistic(ours), statistic(theirs)),
    test.length,
    { seed },
  );
  return { verdict: verdictOf(interval), gain: value, interval, against };
}

const verdictOf = ([low, high]: Interval) => (low > 0 ? "helps" : high < 0 ? "hurts" : "no evidence");

/** Tags of the test part that training never saw: they are errors whatever the model says. */
export function unknownTags(test: readonly Sentence[], known: ReadonlySet<string>): string[] {
  const counts = new Map<string, number>();
  for (const { tokens } of test)
    for (const tag of tokens.tags!) if (!known.has(tag)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  if (counts.size === 0) return [];
  const named = [...counts].map(([tag, count]) => `${tag} (${count}×)`).slice(0, 8);
  return [
    `tags of the test part that never occur in training: ${named.join(", ")}${counts.size > named.length ? ", …" : ""}; their tokens count as errors`,
  ];
}

/** Sentences over the whole of the test part, with what the model gives for them. */
export function goldenOf(
  test: readonly Sentence[],
  sentences: readonly { readonly tags: readonly string[]; readonly probabilities: Float32Array }[],
): GoldenSentence[] {
  const count = Math.min(GOLDEN, test.length);
  return Array.from({ length: count }, (_, k) => {
    const i = Math.floor((k * test.length) / count);
    return {
      tokens: test[i]!.tokens.texts,
      tags: sentences[i]!.tags,
      probabilities: Array.from(sentences[i]!.probabilities, (p) => Number(p.toPrecision(6))),
    };
  });
}

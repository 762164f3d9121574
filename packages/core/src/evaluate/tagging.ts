import { InputError } from "../errors.ts";
import { type Scheme, type Span, spansOf, strictSpansOf } from "../spans.ts";
import { bootstrapEach, type Statistic } from "./bootstrap.ts";
import type { Interval } from "./interval.ts";

/** A sentence with the tags it should have and those it was given. */
export interface ScoredSentence {
  readonly gold: readonly string[];
  readonly predicted: readonly string[];
  /** Whether training never saw the token [tokens]; left out, no accuracy of unseen tokens is told. */
  readonly unseen?: readonly boolean[];
}

/** Precision, recall and F1 of spans, from counts; 0 where there is nothing to divide by. */
export interface SpanScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Spans in the gold tags, in the predicted ones, and in both with the same ends and type. */
  readonly gold: number;
  readonly predicted: number;
  readonly right: number;
}

/** Of one tag, over tokens. */
export interface TagScores {
  readonly name: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Tokens that should have it. */
  readonly support: number;
}

/** Scores of tagged sentences. Fractions, not percent; intervals are 95 % from resampling sentences. */
export interface TaggingScores {
  readonly sentences: number;
  readonly tokens: number;
  /** Share of tokens with the right tag. */
  readonly accuracy: number;
  readonly accuracyInterval: Interval;
  /** Mean F1 of the tags that occur, each counting alike. */
  readonly macroF1: number;
  /** Share of sentences without an error. */
  readonly sentenceAccuracy: number;
  /** Tokens that training never saw; null where that was not told or there are none. */
  readonly unseen: { readonly tokens: number; readonly accuracy: number; readonly interval: Interval } | null;
  /** Spans as conlleval reads them; null where tags write no spans. */
  readonly spans:
    | (SpanScores & {
        readonly interval: Interval;
        /** Spans as seqeval's strict mode reads them: what is not written as the scheme asks is none. */
        readonly strict: SpanScores;
        readonly perType: readonly (SpanScores & { readonly type: string })[];
      })
    | null;
  readonly perTag: readonly TagScores[];
  /** Tags (types of spans, where there are any) taken for others, most often first: at most 40. */
  readonly confused: readonly {
    readonly gold: string;
    readonly predicted: string;
    readonly tokens: number;
  }[];
}

/** How tagged sentences are scored. */
export interface TaggingOptions {
  /** Scheme of the gold tags; null where they write no spans. */
  readonly scheme: Scheme | null;
  readonly seed: number;
  /** Resamples, 1000 when left out. */
  readonly replicates?: number;
}

/**
 * Scores of sentences as `conlleval` prints them (spans as `spansOf` reads and repairs them) and as seqeval's
 * strict mode, with 95 % intervals from sentences drawn with replacement: tokens of one sentence are no
 * independent evidence.
 */
export function taggingScores(
  sentences: readonly ScoredSentence[],
  { scheme, seed, replicates = 1000 }: TaggingOptions,
): TaggingScores {
  if (sentences.length === 0) throw new InputError("there is no sentence to score; give at least one");
  const n = sentences.length;
  const cells = Array.from({ length: CELLS }, () => new Float64Array(n));
  const [tokens, right, unseen, unseenRight, gold, predicted, hit] = cells as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const tags = new Counts();
  const types = new Counts();
  const strict = { gold: 0, predicted: 0, right: 0 };
  const confused = new Map<string, number>();
  const named = scheme === null ? (tag: string) => tag : (tag: string) => tag.replace(/^[BIMELSU][-_]/, "");
  for (const [i, sentence] of sentences.entries()) {
    if (sentence.gold.length !== sentence.predicted.length)
      throw new InputError(
        `sentence ${i}: ${sentence.predicted.length} tags were predicted for ${sentence.gold.length} tokens; give one a token`,
      );
    tokens[i] = sentence.gold.length;
    for (const [t, tag] of sentence.gold.entries()) {
      const given = sentence.predicted[t]!;
      const isRight = tag === given;
      tags.add(tag, given);
      if (isRight) right[i]!++;
      else if (named(tag) !== named(given)) {
        const key = `${named(tag)}\u0000${named(given)}`;
        confused.set(key, (confused.get(key) ?? 0) + 1);
      }
      if (sentence.unseen?.[t]) {
        unseen[i]!++;
        if (isRight) unseenRight[i]!++;
      }
    }
    if (scheme === null) continue;
    const asked = spansOf(sentence.gold);
    const found = spansOf(sentence.predicted);
    const both = common(asked, found);
    gold[i] = asked.length;
    predicted[i] = found.length;
    hit[i] = both.length;
    for (const { type } of asked) types.gold(type);
    for (const { type } of found) types.predicted(type);
    for (const { type } of both) types.right(type);
    const [a, b] = [strictSpansOf(sentence.gold, scheme), strictSpansOf(sentence.predicted, scheme)];
    strict.gold += a.length;
    strict.predicted += b.length;
    strict.right += common(a, b).length;
  }
  const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
  const hasUnseen = total(unseen) > 0;
  const estimates = bootstrapEach(
    {
      accuracy: ratio(right, tokens),
      unseen: ratio(unseenRight, hasUnseen ? unseen : tokens),
      f1: f1Statistic(gold, predicted, hit),
    },
    n,
    { seed, replicates },
  );
  const perTag = tags.all().map(([name, counts]) => {
    const { precision, recall, f1, gold: support } = spanScores(counts);
    return { name, precision, recall, f1, support };
  });
  return {
    sentences: n,
    tokens: total(tokens),
    accuracy: estimates.accuracy.value,
    accuracyInterval: estimates.accuracy.interval,
    macroF1: perTag.reduce((sum, { f1 }) => sum + f1, 0) / Math.max(1, perTag.length),
    sentenceAccuracy: sentences.filter((_, i) => right[i] === tokens[i]).length / n,
    unseen: hasUnseen
      ? { tokens: total(unseen), accuracy: estimates.unseen.value, interval: estimates.unseen.interval }
      : null,
    spans:
      scheme === null
        ? null
        : {
            ...spanScores({ gold: total(gold), predicted: total(predicted), right: total(hit) }),
            interval: estimates.f1.interval,
            strict: spanScores(strict),
            perType: types.all().map(([type, counts]) => ({ type, ...spanScores(counts) })),
          },
    perTag,
    confused: [...confused]
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, 40)
      .map(([key, count]) => {
        const [asked, given] = key.split("\u0000") as [string, string];
        return { gold: asked, predicted: given, tokens: count };
      }),
  };
}

const CELLS = 7;

/** Precision, recall and F1 of counts. */
export function spanScores(counts: Pick<SpanScores, "gold" | "predicted" | "right">): SpanScores {
  const precision = counts.predicted === 0 ? 0 : counts.right / counts.predicted;
  const recall = counts.gold === 0 ? 0 : counts.right / counts.gold;
  const f1 = counts.right === 0 ? 0 : (2 * counts.right) / (counts.predicted + counts.gold);
  return { precision, recall, f1, ...counts };
}

/**
 * F1 of spans as a statistic of sentences, for intervals and paired comparisons; counts [sentences] of spans
 * in gold, in predictions and in both.
 */
export function f1Statistic(
  gold: ArrayLike<number>,
  predicted: ArrayLike<number>,
  right: ArrayLike<number>,
): Statistic {
  return {
    method: "bca",
    cells: 2,
    add(totals, at, row, times) {
      totals[at]! += times * 2 * right[row]!;
      totals[at + 1]! += times * (gold[row]! + predicted[row]!);
    },
    value: (totals, at) => (totals[at + 1] === 0 ? 0 : totals[at]! / totals[at + 1]!),
  };
}

function ratio(part: ArrayLike<number>, whole: ArrayLike<number>): Statistic {
  return {
    method: "bca",
    cells: 2,
    add(totals, at, row, times) {
      totals[at]! += times * part[row]!;
      totals[at + 1]! += times * whole[row]!;
    },
    value: (totals, at) => (totals[at + 1] === 0 ? 0 : totals[at]! / totals[at + 1]!),
  };
}

/** Spans of `a` that are in `b`; both in order. */
function common(a: readonly Span[], b: readonly Span[]): Span[] {
  const keys = new Set(b.map(({ type, start, end }) => `${start} ${end} ${type}`));
  return a.filter(({ type, start, end }) => keys.has(`${start} ${end} ${type}`));
}

class Counts {
  private readonly counts = new Map<string, { gold: number; predicted: number; right: number }>();

  add(asked: string, given: string): void {
    this.gold(asked);
    this.predicted(given);
    if (asked === given) this.right(asked);
  }

  gold(name: string): void {
    this.of(name).gold++;
  }

  predicted(name: string): void {
    this.of(name).predicted++;
  }

  right(name: string): void {
    this.of(name).right++;
  }

  /** By name, in order. */
  all() {
    return [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  private of(name: string) {
    let found = this.counts.get(name);
    if (found === undefined) this.counts.set(name, (found = { gold: 0, predicted: 0, right: 0 }));
    return found;
  }
}

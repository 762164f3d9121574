import { InputError } from "../errors.ts";
import { accuracy } from "../metrics.ts";
import { bootstrap, meanStatistic, rowsByGroup } from "./bootstrap.ts";
import { groupSignTest, mcnemar, pairedAccuracyInterval, requireSameRows } from "./compare.ts";
import type { Interval } from "./interval.ts";

/** Whether transfer was worth it: the gain in accuracy over the strongest baseline, on the same test rows. */
export interface TransferVerdict {
  readonly verdict: "helps" | "no evidence" | "hurts";
  /** Accuracy of ours less that of the baseline. */
  readonly gain: number;
  /** 95 % interval of the gain. */
  readonly interval: Interval;
  /** The baseline compared with: the one with the highest accuracy. */
  readonly against: string;
  readonly pValue: number;
  /** Test rows that ours, or the baseline, alone has right. */
  readonly oursOnly: number;
  readonly baselineOnly: number;
}

/** Predicted class numbers [N] of our model and of the baselines on the same rows. */
export interface TransferEvidence {
  readonly labels: ArrayLike<number>;
  readonly ours: ArrayLike<number>;
  readonly baselines: Readonly<Record<string, ArrayLike<number>>>;
  readonly seed: number;
  readonly groups?: ArrayLike<number | string> | null;
  readonly level?: number;
}

/**
 * Helps, hurts or no evidence, against the baseline with the highest accuracy on these very rows, a choice
 * that can only make the claim harder. The claim is made where two things agree: the interval of the gain
 * leaves out 0, and an exact test rejects "no difference". Independent rows: Tango's score interval and
 * McNemar's exact test. Groups: a BCa bootstrap of whole groups and a sign-flip test of whole groups.
 */
export function transferVerdict(evidence: TransferEvidence): TransferVerdict {
  const { labels, ours, baselines, seed, groups = null, level = 0.95 } = evidence;
  const names = Object.keys(baselines);
  if (names.length === 0) throw new InputError("transfer verdict: there is no baseline to compare with");
  for (const name of names) requireSameRows(`transfer verdict, ${name}`, ours, baselines[name]!, labels);
  const scores = new Map(names.map((name) => [name, accuracy(baselines[name]!, labels)]));
  const against = names.reduce((best, name) => (scores.get(name)! > scores.get(best)! ? name : best));
  const theirs = baselines[against]!;
  const { oursOnly, theirsOnly, pValue: exact } = mcnemar(ours, theirs, labels);
  const gain = (oursOnly - theirsOnly) / labels.length;

  let interval: Interval;
  let pValue: number;
  if (groups === null || rowsByGroup(groups, labels.length).length === labels.length) {
    interval = pairedAccuracyInterval(oursOnly, theirsOnly, labels.length, level);
    pValue = exact;
  } else {
    const right = (predicted: ArrayLike<number>, i: number) => (predicted[i] === labels[i] ? 1 : 0);
    const differences = Float64Array.from(labels, (_, i) => right(ours, i) - right(theirs, i));
    interval = bootstrap(meanStatistic(differences), labels.length, { seed, groups, level }).interval;
    pValue = groupSignTest(differences, groups, seed);
  }
  const isClear = pValue < 1 - level;
  const verdict = isClear && interval[0] > 0 ? "helps" : isClear && interval[1] < 0 ? "hurts" : "no evidence";
  return { verdict, gain, interval, against, pValue, oursOnly, baselineOnly: theirsOnly };
}

import type { Interval, Scores } from "@graft-ml/core";
import { startsFromNothing } from "../report/index.ts";
import type { Metrics } from "../runs/index.ts";

/** Scores in a few lines for people. */
export function scoreLines(scores: Scores): string[] {
  const right = Math.round(scores.accuracy * scores.n);
  const { macroF1, ece, logLoss } = scores.intervals;
  return [
    `accuracy  ${percent(scores.accuracy)}  (${right} of ${scores.n}; 95 % interval ${range(scores.interval)})`,
    `macro-F1  ${percent(scores.macroF1)}  (${range([macroF1.low, macroF1.high])})`,
    `ECE       ${scores.ece.toFixed(3)}   (${figures([ece.low, ece.high])}; chance alone gives ${scores.eceByChance.mean.toFixed(3)})`,
    `log loss  ${scores.logLoss.toFixed(3)}   (${figures([logLoss.low, logLoss.high])})`,
  ];
}

/** The rows that each class had, with precision, recall and F1, as a table of text. */
export function classLines({ perClass }: Scores, most = 20): string[] {
  const width = Math.min(32, Math.max(5, ...perClass.map(({ name }) => name.length)));
  const lines = perClass
    .slice(0, most)
    .map(
      ({ name, precision, recall, f1, support }) =>
        `${name.slice(0, width).padEnd(width)}  ${percent(precision).padStart(9)}  ${percent(recall).padStart(8)}  ${percent(f1).padStart(8)}  ${String(support).padStart(6)}`,
    );
  const more = perClass.length > most ? [`… and ${perClass.length - most} classes more`] : [];
  return [`${"class".padEnd(width)}  precision    recall        F1    rows`, ...lines, ...more];
}

/** The baselines and the verdict on transfer. */
export function transferLines({ baselines, transfer, chosen }: Metrics): string[] {
  const known = Object.entries(baselines).filter(([, accuracy]) => accuracy !== null);
  const lines = known.map(([name, accuracy]) => `${name.padEnd(9)} ${percent(accuracy!)}`);
  if (startsFromNothing(chosen)) return [...lines, "nothing was transferred: no pretrained network was used"];
  if (transfer === null) return [...lines, "no baseline was trained, so there is no verdict on transfer"];
  const gain = `${transfer.gain >= 0 ? "+" : ""}${(100 * transfer.gain).toFixed(1)} points`;
  return [
    ...lines,
    `transfer  ${transfer.verdict}: ${gain} against ${transfer.against} (95 % interval ${range(transfer.interval)})`,
  ];
}

/** A share as a percentage with one digit. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function range([low, high]: Interval): string {
  return `${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)} %`;
}

function figures([low, high]: Interval): string {
  return `${low.toFixed(3)}–${high.toFixed(3)}`;
}

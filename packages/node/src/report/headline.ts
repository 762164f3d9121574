import type { ReportData } from "./data.ts";
import { percent, percents, points, pointsRange, pValue, whole } from "./format.ts";

/** The result in one sentence: how many are right, of how many, and how sure that is. */
export function scoreSentence({ task, test }: ReportData): string {
  const things = {
    "image-classification": "images",
    "text-classification": "texts",
    "token-classification": "tokens",
  };
  const right = Math.round(test.accuracy * test.n);
  const rows = test.groups === null ? "" : ` in ${whole(test.groups)} groups`;
  return `${whole(right)} of ${whole(test.n)} test ${things[task]}${rows} are right: ${percent(test.accuracy)} (95% interval ${percents(test.interval)}).`;
}

/** True where nothing pretrained was used, so that there is no transfer to judge. */
export function startsFromNothing({
  backbone,
  method,
}: {
  readonly backbone?: string | number | null;
  readonly method?: string | number | null;
}): boolean {
  return backbone === "none" && (method === "probe" || method === "scratch");
}

/** Whether transfer was worth it, in one sentence. */
export function transferSentence({ transfer, chosen }: Pick<ReportData, "transfer" | "chosen">): string {
  if (startsFromNothing(chosen))
    return "Nothing was transferred: this model starts from no pretrained network.";
  if (transfer === null) return "No baseline was trained, so this does not show whether transfer helps.";
  const { verdict, gain, interval, against, oursOnly, baselineOnly } = transfer;
  const evidence = `95% interval ${pointsRange(interval)}, ${pValue(transfer.pValue)}; ${whole(oursOnly)} rows only this model has right, ${whole(baselineOnly)} only the baseline`;
  const claim = {
    helps: `Transfer helps: ${points(gain)} over the baseline “${against}”`,
    "no evidence": `There is no evidence that transfer helps: ${points(gain)} against the baseline “${against}”`,
    hurts: `Transfer hurts: ${points(gain)} against the baseline “${against}”`,
  }[verdict];
  return `${claim} (${evidence}).`;
}

/** What the calibration error says once chance is taken off. */
export function calibrationSentence({ ece, eceByChance, n }: ReportData["test"]): string {
  const chance = `${eceByChance.mean.toFixed(3)} on average, and up to ${eceByChance.high.toFixed(3)} in 95 of 100 cases,`;
  return ece <= eceByChance.high
    ? `The calibration error is ${ece.toFixed(3)}. With ${whole(n)} rows chance alone gives ${chance} so this is no evidence against the probabilities.`
    : `The calibration error is ${ece.toFixed(3)}, more than chance explains: that gives ${chance} were every probability true.`;
}

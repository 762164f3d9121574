import {
  bootstrap,
  type Features,
  type Interval,
  meanStatistic,
  pairedBootstrap,
  type Row,
} from "@graft-ml/core";
import type { Source, SourceFeatures } from "../sources/index.ts";
import { fixedFeatures, heldOutLosses } from "./cross-validate.ts";
import { type FittingOptions, fitHead } from "./fit-head.ts";

/** A source that could be taken, with the features of the training rows. */
export interface Candidate {
  readonly source: Source;
  readonly extracted: SourceFeatures;
}

/** What was compared on the training part, and what was taken. */
export interface SourceChoice {
  readonly chosen: Candidate;
  readonly compared: readonly {
    readonly name: string;
    /** Mean log loss of rows held out. */
    readonly score: number;
    readonly interval: Interval;
    readonly isChosen: boolean;
    readonly note: string;
  }[];
}

/**
 * The source whose features a logistic head predicts the training rows from best, by log loss in stratified
 * folds; its strength is chosen once for each source, on all these rows, for every fold anew would take five
 * times as long. Of the layers and framings of one backbone the default stays unless another is clearly
 * better: the interval of the paired difference leaves out 0.
 */
export async function chooseSource(
  candidates: readonly Candidate[],
  rows: readonly Row[],
  keys: readonly string[],
  options: FittingOptions & {
    readonly seed: number;
    readonly onProgress?: (done: number, total: number) => void;
  },
): Promise<SourceChoice> {
  if (candidates.length === 1) return { chosen: candidates[0]!, compared: [] };
  const { seed, onProgress } = options;
  const losses: Float64Array[] = [];
  for (const [done, { extracted }] of candidates.entries()) {
    onProgress?.(done, candidates.length);
    const features: Features = extracted.features;
    const fitting = { ...options, head: "logistic", random: options.random.fork("sources") };
    const { strength } = (await fitHead(features, rows, { ...fitting, keys })).chosen;
    losses.push(
      await heldOutLosses(rows, keys, fixedFeatures(features), { ...fitting, settings: { strength } }),
    );
  }
  onProgress?.(candidates.length, candidates.length);
  const means = losses.map((all) => all.reduce((sum, loss) => sum + loss, 0) / all.length);
  const best = means.indexOf(Math.min(...means));
  const spec = candidates[best]!.source.spec;
  const first = candidates.findIndex(({ source }) => source.spec === spec);
  const isTie =
    first !== best &&
    pairedBootstrap(meanStatistic(losses[first]!), meanStatistic(losses[best]!), rows.length, { seed })
      .interval[0] <= 0;
  const taken = isTie ? first : best;
  return {
    chosen: candidates[taken]!,
    compared: candidates.map(({ source }, k) => ({
      name: nameOf(source),
      score: means[k]!,
      interval: bootstrap(meanStatistic(losses[k]!), rows.length, { seed }).interval,
      isChosen: k === taken,
      note: noteOf(k, taken, best),
    })),
  };
}

function nameOf({ name, layer, framing }: Source): string {
  return [name, ...(layer === "" ? [] : [layer]), ...(framing === "crop" ? ["centre crop"] : [])].join(", ");
}

function noteOf(k: number, taken: number, best: number): string {
  if (k === taken) return taken === best ? "lowest log loss" : "the default, not clearly worse than the best";
  return k === best ? "lowest log loss, but not clearly" : "";
}

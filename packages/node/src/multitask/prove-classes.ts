import {
  type Matrix,
  type Model,
  mostProbable,
  type Row,
  transferVerdict,
  wilsonInterval,
  writeModel,
} from "@graft-ml/core";
import { trainingCounts } from "../runs/baselines.ts";
import { infer } from "../runs/infer.ts";
import { groupsOf, scored } from "../runs/open-run.ts";
import { jsonLine, predictionsOf } from "../runs/predictions.ts";
import { makeGolden } from "../runs/replay.ts";
import { surestErrors } from "../runs/report-of.ts";
import { outputModel } from "../runs/task-config.ts";
import type { Findings, ProveContext } from "./kind.ts";

/** Rows a run of the network. */
export const BATCH = 8;

/** What test rows say of networks that give class probabilities. */
export async function proveClasses(context: ProveContext): Promise<Findings> {
  const { name, train, test, classes, kept, joint, alone, trunk, seed } = context;
  const { probabilities, golden } = await over(context, kept, async (run) => ({
    probabilities: await run(test),
    golden: await makeGolden(test, run),
  }));
  const of = (network: Model) =>
    network === kept ? Promise.resolve(probabilities) : over(context, network, (run) => run(test));
  const together = await of(joint);
  const apart = alone && (await of(alone));
  const { scores, labels } = scored(test, probabilities, classes, seed);
  const single = apart && scored(test, apart, classes, seed).scores;
  const counts = trainingCounts(train, classes);
  const most = counts.reduce((best, count, c, all) => (count > all[best]! ? c : best), 0);
  const groups = groupsOf(test);
  return {
    metrics: {
      measure: "accuracy",
      test: scores,
      joint: scored(test, together, classes, seed).scores.accuracy,
      alone: single?.accuracy ?? null,
      aloneInterval:
        single === null || groups !== null
          ? null
          : wilsonInterval(Math.round(single.accuracy * single.n), single.n),
      gain:
        apart &&
        transferVerdict({
          labels,
          ours: mostProbable(together),
          baselines: { alone: mostProbable(apart) },
          seed,
          groups,
        }),
      unkept: null,
      majority: labels.filter((label) => label === most).length / labels.length,
    },
    predictions: predictionsOf(test, probabilities, classes).map((one) =>
      JSON.stringify({ task: name, ...JSON.parse(jsonLine(one)) }),
    ),
    golden,
    config: {
      task: trunk.modality === "image" ? "image-classification" : "text-classification",
      id2label: Object.fromEntries(classes.map((label, c) => [String(c), label])),
      label2id: Object.fromEntries(classes.map((label, c) => [label, c])),
      head: "linear",
      trainingCounts: counts,
    },
    files: {},
    shown: { errors: await surestErrors(test, probabilities, labels, classes), worst: [], notes: [] },
  };
}

/** Does work with what a network says of rows. */
async function over<T>(
  { name, trunk, runtime, onProgress, signal }: ProveContext,
  network: Model,
  work: (run: (rows: readonly Row[]) => Promise<Matrix>) => Promise<T>,
): Promise<T> {
  const session = await runtime.load(writeModel(outputModel(network, name)));
  const inferring = { session, runtime, preprocessor: trunk.preprocessor, batchSize: BATCH, outputs: [name] };
  try {
    return await work(async (rows) => {
      const made = await infer(rows, {
        ...inferring,
        ...(onProgress && { onProgress }),
        ...(signal && { signal }),
      });
      return made.outputs[name]!;
    });
  } finally {
    await session.close();
  }
}

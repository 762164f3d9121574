import {
  type Matrix,
  type MergedPart,
  type Model,
  mergeModels,
  mostProbable,
  type Row,
  type Runtime,
  type Scores,
  type TransferVerdict,
  transferVerdict,
  writeModel,
} from "@graft-ml/core";
import { infer } from "../runs/infer.ts";
import { groupsOf, scored } from "../runs/open-run.ts";
import { type Golden, makeGolden } from "../runs/replay.ts";
import { outputModel } from "../runs/task-config.ts";
import type { ReadyTask } from "./joint.ts";
import type { MultitaskOutcome } from "./multitask-run.ts";
import { kindOf } from "./tasks-file.ts";

/** What the test rows say of one task. */
export interface TaskProof {
  readonly task: ReadyTask;
  readonly kept: "joint" | "alone";
  readonly test: readonly Row[];
  readonly labels: Int32Array;
  /** Of the network that was kept. */
  readonly probabilities: Matrix;
  readonly scores: Scores;
  /** Of the joint network, and of the task alone. */
  readonly joint: Scores;
  readonly alone: Scores | null;
  readonly gain: TransferVerdict | null;
  readonly golden: Golden;
}

/** The artefact, and what the test rows say of it. */
export interface MultitaskProof {
  /** One network with an output for each labelled task, called after it. */
  readonly model: Model;
  readonly tasks: readonly TaskProof[];
}

/** Rows a run of the network. */
export const BATCH = 8;

/** Puts the networks together and runs the artefact over every task's test rows, beside the task trained alone. */
export async function proveTasks(
  outcome: MultitaskOutcome,
  options: {
    readonly runtime: Runtime;
    readonly safe: boolean;
    readonly onProgress?: (task: string, done: number, total: number) => void;
    readonly signal?: AbortSignal;
  },
): Promise<MultitaskProof> {
  const labelled = outcome.tasks.filter(({ data }) => kindOf(data.spec.kind).labels === "required");
  const kept = new Map(
    labelled.map(({ name }) => [name, options.safe ? safeChoice(outcome, name) : "joint"] as const),
  );
  const model = mergeModels(
    labelled.map(({ name }) => {
      const of = kept.get(name) === "alone" ? outcome.alone.get(name)! : outcome.joint;
      return part(of.models.get(name)!, name);
    }),
  );
  const tasks: TaskProof[] = [];
  for (const task of labelled)
    tasks.push(await provenTask(outcome, task, model, kept.get(task.name)!, options));
  return { model, tasks };
}

/** Alone only where it is better on held-out rows: there the two are compared, and nowhere else. */
function safeChoice({ joint, alone }: MultitaskOutcome, name: string): "joint" | "alone" {
  const single = alone.get(name);
  return single && single.held.get(name)! < joint.held.get(name)! ? "alone" : "joint";
}

function part(model: Model, name: string): MergedPart {
  return { model, outputs: { [model.graph.outputs[0]!.name]: name } };
}

async function provenTask(
  { trunk, joint, alone, seed }: MultitaskOutcome,
  task: ReadyTask,
  model: Model,
  kept: "joint" | "alone",
  { runtime, onProgress, signal }: Parameters<typeof proveTasks>[1],
): Promise<TaskProof> {
  const { name, data } = task;
  const { test, classes } = data;
  const progress = (done: number, total: number) => onProgress?.(`test ${name}`, done, total);
  const over = async <T>(
    network: Model,
    work: (run: (rows: readonly Row[]) => Promise<Matrix>) => Promise<T>,
  ) => {
    const session = await runtime.load(writeModel(outputModel(network, name)));
    try {
      return await work(async (rows) => {
        const inferring = {
          session,
          runtime,
          preprocessor: trunk.preprocessor,
          batchSize: BATCH,
          outputs: [name],
        };
        return (await infer(rows, { ...inferring, onProgress: progress, ...(signal && { signal }) })).outputs[
          name
        ]!;
      });
    } finally {
      await session.close();
    }
  };
  const { probabilities, golden } = await over(model, async (run) => ({
    probabilities: await run(test),
    golden: await makeGolden(test, run),
  }));
  const { scores, labels } = scored(test, probabilities, classes, seed);
  const single = alone.get(name);
  const of = (network: Model) => over(mergeModels([part(network, name)]), (run) => run(test));
  const together = kept === "joint" ? probabilities : await of(joint.models.get(name)!);
  const apart = single ? (kept === "alone" ? probabilities : await of(single.models.get(name)!)) : null;
  return {
    task,
    kept,
    test,
    labels,
    probabilities,
    scores,
    joint: scored(test, together, classes, seed).scores,
    alone: apart && scored(test, apart, classes, seed).scores,
    gain:
      apart &&
      transferVerdict({
        labels,
        ours: mostProbable(together),
        baselines: { alone: mostProbable(apart) },
        seed,
        groups: groupsOf(test),
      }),
    golden,
  };
}

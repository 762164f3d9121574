import { type MergedPart, type Model, mergeModels, type Runtime, withParameters } from "@graft-ml/core";
import type { ReadyTask } from "./joint.ts";
import type { Findings } from "./kind.ts";
import type { MultitaskOutcome } from "./multitask-run.ts";

/** What the test rows say of one task. */
export interface TaskProof extends Findings {
  readonly task: ReadyTask;
  readonly kept: "joint" | "alone";
}

/** The artefact, and what the test rows say of it. */
export interface MultitaskProof {
  /** One network with an output for each labelled task, called after it. */
  readonly model: Model;
  readonly tasks: readonly TaskProof[];
}

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
  const labelled = outcome.tasks.filter(({ open }) => open.prove !== undefined);
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

/**
 * A task's network whose first output is called after the task; others have the last part of their own name
 * behind it.
 */
function part(model: Model, name: string): MergedPart {
  const [first, ...others] = model.graph.outputs.map((output) => output.name);
  const named = others.map((own) => [
    own,
    `${name}.${own.slice(`heads.${name}.`.length).replace(".output", "")}`,
  ]);
  return { model, outputs: { [first!]: name, ...Object.fromEntries(named) } };
}

async function provenTask(
  { trunk, joint, alone, seed }: MultitaskOutcome,
  task: ReadyTask,
  model: Model,
  kept: "joint" | "alone",
  { runtime, onProgress, signal }: Parameters<typeof proveTasks>[1],
): Promise<TaskProof> {
  const { name, data, open } = task;
  const single = alone.get(name);
  const of = (network: Model) => mergeModels([part(network, name)]);
  const findings = await open.prove!({
    name,
    train: data.train,
    test: data.test,
    classes: data.classes,
    column: (data.spec.reading.column as string | null | undefined) ?? null,
    kept: model,
    joint: kept === "joint" ? model : of(joint.models.get(name)!),
    alone: single ? (kept === "alone" ? model : of(single.models.get(name)!)) : null,
    unkept: open.isBefore ? unkept(task, alone, of) : null,
    isBefore: open.isBefore === true,
    ...{ trunk, runtime, seed },
    ...(onProgress && {
      onProgress: (done: number, total: number) => onProgress(`test ${name}`, done, total),
    }),
    ...(signal && { signal }),
  });
  return { ...findings, task, kept };
}

/** A task's own head over the trunk that learnt another task and nothing else. */
function unkept(
  { name, open }: ReadyTask,
  alone: MultitaskOutcome["alone"],
  of: (network: Model) => Model,
): Model | null {
  const [other] = [...alone].filter(([one]) => one !== name).map(([one, { models }]) => models.get(one)!);
  if (other === undefined) return null;
  const own = new Set([...open.model.graph.initializers.keys()].map((value) => value.name));
  const learnt = [...other.graph.initializers].flatMap(([value, tensor]) =>
    /^(tokens|encoder)\./.test(value.name) && own.has(value.name) ? [[value.name, tensor] as const] : [],
  );
  return of(withParameters(open.model, new Map(learnt)));
}

import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError, type JointEpoch, type Runtime, random } from "@graft-ml/core";
import { prepareRun, runFiles } from "../runs/folder.ts";
import { type Device, ortRuntime } from "../runtime/index.ts";
import { LANES } from "../tagging/settings.ts";
import { augmentationOf } from "../training/augmenting.ts";
import { checkpointsIn, decodedInputs } from "../training/index.ts";
import {
  type Affinity,
  affinityOf,
  beforeTraining,
  type JointContext,
  type JointResult,
  type ReadyTask,
  trainJointly,
} from "./joint.ts";
import type { MultitaskMetrics } from "./metrics.ts";
import { proveTasks } from "./prove-tasks.ts";
import { sentenceInputs } from "./sentence-inputs.ts";
import { LONGEST, takesSentences } from "./sentence-trunk.ts";
import { feederOf, subWordInputs } from "./sub-word-trunk.ts";
import { readTasks, type TaskData } from "./task-data.ts";
import { kindOf, readTasksFile, type TasksFile } from "./tasks-file.ts";
import { openTrunk, type Trunk, told } from "./trunk.ts";
import { writeMultitask } from "./write-multitask.ts";

/** How tasks are trained together. Only `output` must be given. */
export interface MultitaskOptions {
  /** RUN, the folder to write. */
  readonly output: string;
  readonly seed?: number;
  /** False leaves out training each task alone, and with it what the company was worth. */
  readonly baselines?: boolean;
  /** Keeps for each task the network, joint or alone, that is not worse on held-out rows. */
  readonly safe?: boolean;
  /** Looks in a short joint run which tasks help each other, and proposes groups. */
  readonly affinity?: boolean;
  /** One file a task in place of one for all. */
  readonly split?: boolean;
  readonly threads?: number;
  readonly device?: Device;
  /** A runtime to use; by default ONNX Runtime in a worker thread, closed at the end. */
  readonly runtime?: Runtime;
  /** Steps between two states on the disk; 50 where left out. */
  readonly checkpointEvery?: number;
  /** The command that the report names to do it again. */
  readonly command?: string;
  onNote?(note: string): void;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Everything a run made, before it is written. */
export interface MultitaskOutcome {
  readonly file: TasksFile;
  readonly trunk: Trunk;
  readonly tasks: readonly ReadyTask[];
  readonly joint: JointResult;
  /** Each labelled task trained alone, by its name; empty where that was left out. */
  readonly alone: ReadonlyMap<string, JointResult>;
  readonly affinity: Affinity | null;
  readonly seed: number;
}

/** What was written, and where. */
export interface MultitaskRun {
  readonly folder: string;
  readonly metrics: MultitaskMetrics;
}

/**
 * Trains the tasks of a TASKS.json (its path, or what `tasksFile` made) over one trunk, each alone beside it
 * with the same care, and writes RUN: one network with an output for each task, what company was worth to
 * each with paired intervals, and a report. Nothing is chosen on test rows. Killed at any moment, the same
 * call makes the same model. Throws an InputError that names the task at fault.
 */
export async function multitaskRun(
  tasks: string | TasksFile,
  options: MultitaskOptions,
): Promise<MultitaskRun> {
  const begin = performance.now();
  const { output, seed = 0, baselines = true, safe = false, onProgress, signal } = options;
  if (safe && !baselines)
    throw new InputError("safe keeps the better of joint and alone, so each task must be trained alone, too");
  const file = typeof tasks === "string" ? await readTasksFile(tasks) : tasks;
  const isTagger = await takesSentences(file.trunk);
  const runtime =
    options.runtime ?? (await ortRuntime({ ...runtimeOptions(options), lanes: isTagger ? LANES : 1 }));
  try {
    const sentences = isTagger ? { longest: file.trunk.maxLength ?? LONGEST } : null;
    const asRead = await told(file.path, () =>
      readTasks(file.tasks, {
        seed,
        validation: file.training.validation,
        sentences,
        ...(onProgress && { onProgress: (done: number, total: number) => onProgress("read", done, total) }),
        ...(signal && { signal }),
      }),
    );
    const read: TaskData[] = [];
    for (const data of asRead)
      read.push(await completed(data, { file, backbone: file.trunk.backbone, runtime }));
    await prepareRun(output);
    const log = (entry: object) => appendFile(join(output, runFiles.log), `${JSON.stringify(entry)}\n`);
    for (const { spec, train, held, test, classes } of read)
      await log({
        step: "data",
        task: spec.name,
        train: train.length,
        heldOut: held.length,
        test: test.length,
        classes: classes.length,
      });
    const source = random(seed);
    const trunk = await openTrunk({
      choice: file.trunk,
      modality: commonModality(file, read),
      training: read.flatMap(({ train }) => train),
      textTasks: read.filter(({ modality }) => modality === "text").length,
      runtime,
      random: source,
    });
    const ready: ReadyTask[] = [];
    for (const data of read)
      ready.push(
        await readyTask(data, { file, trunk, runtime, source: source.fork(`task ${data.spec.name}`) }),
      );
    let written: Promise<unknown> = Promise.resolve();
    const context: JointContext = {
      file,
      trunk,
      runtime,
      random: source.fork("training"),
      seed,
      checkpoints: await checkpointsIn(join(output, runFiles.checkpoints), {
        trunk: trunk.backbone.sha256,
        preprocessor: trunk.preprocessor.fingerprint,
        seed,
        // Steps are as many smaller batches, as in the training of one tagger.
        ...((runtime.lanes ?? 1) > 1 ? { lanes: runtime.lanes } : {}),
        ...{ training: file.training, sampling: file.sampling, weighting: file.weighting },
        tasks: read.map(({ spec, train, held }) => [
          { ...spec, data: null, reading: null },
          [...train, ...held].map(({ input, label, tokens }) => [input, tokens?.tags ?? label]),
          train.length,
        ]),
      }),
      every: options.checkpointEvery ?? 50,
      ...(onProgress && { onProgress }),
      onEpoch(run: string, { epoch, losses, each }: JointEpoch, names: readonly string[]) {
        const of = (values: readonly (number | null)[]) =>
          Object.fromEntries(names.map((name, k) => [name, values[k]]));
        const entry = { step: "epoch", run, epoch: epoch + 1, losses: of(losses), heldOut: of(each) };
        written = written.then(() => log(entry));
      },
      ...(signal && { signal }),
    };
    const labelled = ready.filter(({ open }) => open.prove && !open.isBefore);
    if (baselines && ready.length > 1)
      options.onNote?.(
        `${labelled.length === 1 ? "the task" : `each of ${labelled.length} tasks`} is trained alone, too, for ${file.training.epochs === 1 ? "1 epoch" : `${file.training.epochs} epochs`}: about the time of the joint run once more; --no-baselines leaves it out`,
      );
    const affinity = options.affinity && ready.length > 1 ? await affinityOf(ready, context) : null;
    const joint = await trainJointly("joint", ready, context);
    const alone = new Map<string, JointResult>();
    if (baselines && ready.length > 1)
      for (const task of labelled)
        alone.set(task.name, await trainJointly(`alone-${task.name}`, [task], context));
    for (const task of ready)
      if (task.open.isBefore) alone.set(task.name, await beforeTraining(task, context));
    await written;
    const outcome: MultitaskOutcome = { file, trunk, tasks: ready, joint, alone, affinity, seed };
    const proof = await proveTasks(outcome, {
      runtime,
      safe,
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    });
    const seconds = (performance.now() - begin) / 1000;
    const metrics = await writeMultitask(outcome, proof, {
      output,
      split: options.split === true,
      seconds,
      command: options.command ?? `multitaskRun(${JSON.stringify(file.path)}, …)`,
    });
    return { folder: output, metrics };
  } finally {
    if (options.runtime === undefined) await runtime.close();
  }
}

function commonModality(file: TasksFile, read: readonly TaskData[]): "image" | "text" {
  const [first] = read as readonly [TaskData, ...TaskData[]];
  const other = read.find(({ modality }) => modality !== first.modality);
  if (other)
    throw new InputError(
      `${file.path}: task "${first.spec.name}" has ${first.modality}s and task "${other.spec.name}" ${other.modality}s; tasks that share a network take the same kind of input`,
    );
  const stranger = read.find(({ spec }) => (kindOf(spec.kind).modality ?? first.modality) !== first.modality);
  if (stranger)
    throw new InputError(
      `${file.path}: task "${stranger.spec.name}": kind ${stranger.spec.kind} is for ${kindOf(stranger.spec.kind).modality}s, but the tasks have ${first.modality}s`,
    );
  return first.modality;
}

/** A task's rows with what its kind adds to them. */
async function completed(
  data: TaskData,
  {
    file,
    ...context
  }: { readonly file: TasksFile; readonly backbone: string | null; readonly runtime: Runtime },
): Promise<TaskData> {
  const { complete } = kindOf(data.spec.kind);
  if (!complete) return data;
  return await told(`${file.path}: task "${data.spec.name}"`, () => complete(data, context));
}

async function readyTask(
  data: TaskData,
  context: {
    readonly file: TasksFile;
    readonly trunk: Trunk;
    readonly runtime: Runtime;
    readonly source: ReturnType<typeof random>;
  },
): Promise<ReadyTask> {
  const { file, trunk, runtime, source } = context;
  const { spec, train, held, classes } = data;
  const rows = [...train, ...held];
  const { preprocessor } = trunk;
  return await told(`${file.path}: task "${spec.name}"`, async () => {
    const inputs = trunk.sentences
      ? sentenceInputs(rows, trunk.sentences, source.fork("inputs"))
      : kindOf(spec.kind).isTagged
        ? subWordInputs(rows, feederOf(trunk))
        : decodedInputs({
            rows,
            preprocessor,
            augmentation: augmentationOf(file.training, preprocessor),
            random: source.fork("augmentation"),
          });
    const open = await kindOf(spec.kind).open({
      name: spec.name,
      trunk,
      layer: spec.common.layer,
      settings: spec.settings,
      rows,
      trained: train.length,
      classes,
      inputs,
      runtime,
      random: source.fork("kind"),
    });
    return { name: spec.name, data, open, inputs, baseline: await open.baseline() };
  });
}

function runtimeOptions({ threads, device }: MultitaskOptions) {
  return { ...(threads === undefined ? {} : { threads }), ...(device === undefined ? {} : { device }) };
}

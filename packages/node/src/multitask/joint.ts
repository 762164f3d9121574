import {
  type AffinityTable,
  type Batch,
  batchesOf,
  blockOf,
  type Feeds,
  type JointEpoch,
  jointSchedule,
  type LossWeighting,
  lossWeightings,
  type Model,
  meanAffinity,
  optimizers,
  type Parameters,
  parametersOf,
  planTraining,
  proposeGroups,
  type Random,
  type Runtime,
  schedules,
  type TrainedTask,
  type TrainingPlan,
  taskSamplers,
  trainBatchNorms,
  trainTasks,
  withParameters,
} from "@graft-ml/core";
import type { Checkpoints } from "../training/index.ts";
import type { OpenTask } from "./kind.ts";
import { openLossScorer } from "./loss-scorer.ts";
import type { TaskInputs } from "./sentence-inputs.ts";
import type { TaskData } from "./task-data.ts";
import { kindOf, type TasksFile } from "./tasks-file.ts";
import type { Trunk } from "./trunk.ts";

/** A task that is ready to be trained. */
export interface ReadyTask {
  readonly name: string;
  readonly data: TaskData;
  readonly open: OpenTask;
  readonly inputs: TaskInputs;
  /** Loss on held-out rows of the best guess that looks at no input. */
  readonly baseline: number;
}

/** What trainings of a run have in common. */
export interface JointContext {
  readonly file: TasksFile;
  readonly trunk: Trunk;
  readonly runtime: Runtime;
  readonly random: Random;
  readonly seed: number;
  readonly checkpoints: Checkpoints | null;
  readonly every: number;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  onEpoch?(run: string, event: JointEpoch, names: readonly string[]): void;
  readonly signal?: AbortSignal;
}

/** What came of training some tasks together. */
export interface JointResult {
  /** Each task's network with what was learnt. */
  readonly models: ReadonlyMap<string, Model>;
  /** Loss of each task's held-out rows in the epoch that was kept. */
  readonly held: ReadonlyMap<string, number>;
  readonly epochs: readonly JointEpoch[];
  /** The epoch kept, counted from 1. */
  readonly best: number;
  readonly steps: number;
  readonly seconds: number;
}

/**
 * Trains tasks over one trunk with AdamW, warm-up and a linear descent, and keeps the epoch with the least
 * loss on held-out rows: the mean over the tasks with labels of each one's loss over that of its best blind
 * guess. One task alone is trained by the same lines, so that what is compared is the company.
 */
export async function trainJointly(
  name: string,
  tasks: readonly ReadyTask[],
  context: JointContext,
): Promise<JointResult> {
  const begin = performance.now();
  const { file, trunk, runtime, seed, checkpoints, every, onProgress, signal } = context;
  const { training } = file;
  const { steps, prepared, statistics } = await preparedTasks(tasks, context);
  const warm = Math.round(training.warmup * steps.total);
  const ema = training.ema ?? (trunk.sentences ? 1 - 1 / Math.max(2, AVERAGED * steps.total) : 0);
  const scorers = await Promise.all(
    tasks.map((task) => openLossScorer(task, { runtime, batchSize: training.batchSize })),
  );
  const judged = tasks.map(({ data }) => kindOf(data.spec.kind).labels === "required");
  const saved = await checkpoints?.load(name);
  try {
    const result = await trainTasks(prepared, {
      runtime,
      optimizer: optimizers.adamw,
      settings: { weightDecay: training.weightDecay },
      rate: training.learningRate ?? trunk.rate,
      schedule: schedules.warmup(warm, schedules.linear(Math.max(1, steps.total - warm)), 1 / (warm + 1)),
      epochs: saved?.done ? saved.state.epoch : training.epochs,
      steps,
      ...weighingOf(file, tasks.length),
      seed,
      statistics,
      ...(training.clip > 0 && { clip: training.clip }),
      ...(ema > 0 && { ema }),
      ...(training.patience && { patience: training.patience }),
      async evaluate(parameters: Parameters) {
        const each: number[] = [];
        for (const scorer of scorers) each.push(await scorer.loss(parameters));
        const relative = each.flatMap((loss, k) => (judged[k] ? [loss / tasks[k]!.baseline] : []));
        return { score: -relative.reduce((sum, one) => sum + one, 0) / Math.max(1, relative.length), each };
      },
      onStep: ({ step }) => onProgress?.(name, step, steps.total),
      onEpoch: (event) =>
        context.onEpoch?.(
          name,
          event,
          tasks.map((task) => task.name),
        ),
      ...(checkpoints && { checkpoint: { every, save: (state) => checkpoints.save(name, state, false) } }),
      ...(saved && { resume: saved.state }),
      ...(signal && { signal }),
    });
    if (checkpoints && !saved?.done) await checkpoints.save(name, result.state, result.reason !== "aborted");
    signal?.throwIfAborted();
    const kept = result.epochs[result.best]!;
    return {
      models: new Map(tasks.map((task) => [task.name, learnt(task.open.model, result.parameters)])),
      held: new Map(tasks.map((task, k) => [task.name, kept.each[k]!])),
      epochs: result.epochs,
      best: result.best + 1,
      steps: result.state.step,
      seconds: (performance.now() - begin) / 1000,
    };
  } finally {
    for (const scorer of scorers) await scorer.close();
  }
}

/** A task's network as it is before training, where that is what it is compared with. */
export async function beforeTraining(task: ReadyTask, { file, runtime }: JointContext): Promise<JointResult> {
  const scorer = await openLossScorer(task, { runtime, batchSize: file.training.batchSize });
  try {
    const held = new Map([[task.name, await scorer.loss(new Map())]]);
    return {
      models: new Map([[task.name, task.open.model]]),
      held,
      epochs: [],
      best: 0,
      steps: 0,
      seconds: 0,
    };
  } finally {
    await scorer.close();
  }
}

/** The running average of a tagger's weights reaches back over this share of all steps. */
const AVERAGED = 0.05;

/** What a short joint run says of which tasks help each other. */
export interface Affinity {
  readonly names: readonly string[];
  /** How a step for one task changes the loss of another: 1 − after/before, [from][to]; above zero helps. */
  readonly mean: AffinityTable;
  /** Standard error of each entry. */
  readonly error: AffinityTable;
  readonly groups: readonly (readonly string[])[];
  /** Steps at which it was looked. */
  readonly looks: number;
}

/** Steps at which the affinity run looks. */
const LOOKS = 24;

/** One epoch with all tasks in each step, in which it is looked what a step for one does to the others. */
export async function affinityOf(tasks: readonly ReadyTask[], context: JointContext): Promise<Affinity> {
  const { file, trunk, runtime, seed, onProgress } = context;
  const { training } = file;
  const { prepared, sizes, statistics } = await preparedTasks(tasks, context);
  const steps = jointSchedule({ sizes, epochs: 1, sampling: "together", seed });
  const tables: AffinityTable[] = [];
  const warm = Math.round(training.warmup * steps.total);
  await trainTasks(prepared, {
    runtime,
    optimizer: optimizers.adamw,
    settings: { weightDecay: training.weightDecay },
    rate: training.learningRate ?? trunk.rate,
    schedule: schedules.warmup(warm, schedules.constant(), 1 / (warm + 1)),
    epochs: 1,
    steps,
    weighting: lossWeightings.fixed,
    seed,
    statistics,
    ...(training.clip > 0 && { clip: training.clip }),
    affinity: {
      every: Math.max(1, Math.floor(steps.total / LOOKS)),
      onTable: (table) => void tables.push(table),
    },
    onStep: ({ step }) => onProgress?.("affinity", step, steps.total),
    ...(context.signal && { signal: context.signal }),
  });
  context.signal?.throwIfAborted();
  const { mean, error } = meanAffinity(tables);
  const names = tasks.map(({ name }) => name);
  return {
    names,
    mean,
    error,
    groups: proposeGroups(mean).map((group) => group.map((k) => names[k]!)),
    looks: tables.length,
  };
}

/** Batches of the tasks and whose turn it is; one task alone has every turn. */
async function preparedTasks(tasks: readonly ReadyTask[], context: JointContext) {
  const { file, seed } = context;
  const made = await Promise.all(tasks.map((task) => preparedTask(task, context)));
  const sizes = made.map(({ batches }) => batches);
  const steps = jointSchedule({
    sizes,
    epochs: file.training.epochs,
    sampling: tasks.length === 1 ? taskSamplers.proportional : samplerOf(file),
    settings: tasks.length === 1 ? {} : file.sampling.settings,
    seed,
  });
  const statistics = new Map(made.flatMap((one) => [...one.statistics]));
  return { prepared: made.map(({ task }) => task), sizes, steps, statistics };
}

function samplerOf({ sampling }: TasksFile) {
  return sampling.name === "together" ? "together" : taskSamplers[sampling.name as keyof typeof taskSamplers];
}

function weighingOf({ weighting }: TasksFile, tasks: number) {
  const all: Readonly<Record<string, LossWeighting>> = lossWeightings;
  // Alone there is nothing to be weighed against.
  return tasks === 1
    ? { weighting: lossWeightings.fixed }
    : { weighting: all[weighting.name]!, weightingSettings: weighting.settings };
}

async function preparedTask(
  { name, data, open, inputs }: ReadyTask,
  { file, trunk, runtime, random }: JointContext,
) {
  const { batchSize } = file.training;
  const norms = trunk.learnsStatistics ? trainBatchNorms(open.model) : null;
  const hasNorms = norms !== null && norms.norms.length > 0;
  const model = norms?.model ?? open.training ?? open.model;
  const trained =
    open.learns ??
    new Set(
      parametersOf(open.model)
        .filter(
          ({ role, name: one }) =>
            role !== "statistic" && (trunk.trained.has(one) || one.startsWith("heads.")),
        )
        .map((parameter) => parameter.name),
    );
  const block = trunk.sentences ? 0 : await blockOf(runtime);
  const rows = Int32Array.from(data.train.keys());
  const order = (pass: number): Batch[][] => {
    const source = random.fork(`order ${name} ${pass}`);
    if (inputs.steps) return inputs.steps(rows, source, runtime);
    const batches = batchesOf(rows, {
      batchSize,
      random: source,
      last: hasNorms ? "fill" : "pad",
      ...(inputs.extentOf && { extentOf: inputs.extentOf }),
    });
    return batches.map((batch) => [batch]);
  };
  let current = { pass: 0, steps: order(0) };
  const batches = current.steps.length;
  const feedsOf = async (pass: number, index: number): Promise<Feeds[]> => {
    if (pass !== current.pass) current = { pass, steps: order(pass) };
    return await Promise.all(
      current.steps[index]!.map(({ rows: members, count }) => open.feeds(members, count, pass)),
    );
  };
  const planOf = (feeds: Feeds): TrainingPlan =>
    planTraining(model, {
      train: (parameter) => trained.has(parameter),
      shapes: Object.fromEntries(
        model.graph.inputs
          .filter((input) => input.name in feeds)
          .map((input) => [input.name, feeds[input.name]!.shape]),
      ),
      block,
      outputs: norms?.outputs ?? [],
      loss: open.loss,
    });
  const plans = new Map<string, TrainingPlan>();
  const planFor = (feeds: Feeds): TrainingPlan => {
    const key = JSON.stringify(Object.entries(feeds).map(([input, { shape }]) => [input, shape]));
    let plan = plans.get(key);
    if (!plan) plans.set(key, (plan = planOf(feeds)));
    return plan;
  };
  // Only what the loss depends on is fed.
  const first = planOf((await feedsOf(0, 0))[0]!);
  const needed = new Set(first.model.graph.inputs.map((input) => input.name));
  const only = (feeds: Feeds): Feeds =>
    Object.fromEntries(Object.entries(feeds).filter(([input]) => needed.has(input)));
  const task: TrainedTask = {
    name,
    plan: first,
    planFor,
    feeds: async (pass, index) => (await feedsOf(pass, index)).map(only),
    weight: data.spec.common.lossWeight,
    ...(hasNorms && { batchNorms: norms.norms }),
  };
  return { task, batches, statistics: norms?.statistics ?? new Map() };
}

/** A task's network with its share of what was learnt. */
function learnt(model: Model, parameters: Parameters): Model {
  const own = new Set([...model.graph.initializers.keys()].map(({ name }) => name));
  return withParameters(model, new Map([...parameters].filter(([name]) => own.has(name))));
}

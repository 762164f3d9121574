import { InputError } from "../../errors.ts";
import { writeModel } from "../../onnx/write.ts";
import {
  type Arena,
  arenaOf,
  gather,
  type Numbers,
  type Slot,
  tensorAt,
  zerosFor,
} from "../../optim/arena.ts";
import { blend, scale } from "../../optim/blend.ts";
import { clipNorm } from "../../optim/clip.ts";
import { constant } from "../../optim/schedules.ts";
import { random } from "../../random.ts";
import type { Feeds, Results, Session } from "../../runtime/runtime.ts";
import type { Tensor } from "../../tensor.ts";
import { ahead } from "../ahead.ts";
import { type BatchNorm, updateStatistics } from "../batch-norms.ts";
import { idleOptimizers } from "../idle-optimizers.ts";
import type { TrainingPlan } from "../plan.ts";
import { copyState, type Parameters, type TrainingState } from "../state.ts";
import {
  average,
  BATCHES_AHEAD,
  endEpoch,
  parametersIn,
  resumed,
  start,
  type TrainOptions,
} from "../train.ts";
import { type AffinityTable, lookahead } from "./affinity.ts";
import type { JointSchedule, TaskBatch } from "./schedule.ts";
import { type LossWeighting, type StepPart, sharedSlots } from "./weighting.ts";

/** One task of a joint training: a trunk that others have, too, with a head of its own. */
export interface TrainedTask {
  readonly name: string;
  /** Trunk, head and loss. Parameters of one name are one parameter in all tasks, and start alike. */
  readonly plan: TrainingPlan;
  /** The plan for a batch of other shapes, with the same parameters; `plan` where left out. */
  planFor?(batch: Feeds): TrainingPlan;
  /**
   * A batch of a pass over the task's rows, or parts of it, which run at once where the runtime has lanes. The same
   * pass and index must give the same bytes.
   */
  feeds(pass: number, index: number): Promise<Feeds | readonly Feeds[]>;
  /** Factor of the loss; 1 when left out. */
  readonly weight?: number;
  /** Batch normalizations whose running statistics this task's batches change. */
  readonly batchNorms?: readonly BatchNorm[];
}

/** How tasks are trained together. */
export interface JointOptions
  extends Pick<
    TrainOptions,
    | "runtime"
    | "optimizer"
    | "settings"
    | "rate"
    | "schedule"
    | "training"
    | "clip"
    | "ema"
    | "keep"
    | "patience"
    | "checkpoint"
    | "resume"
    | "signal"
  > {
  readonly epochs: number;
  /** Whose batches make each step; see `jointSchedule`. */
  readonly steps: JointSchedule;
  readonly weighting: LossWeighting;
  readonly weightingSettings?: Readonly<Record<string, unknown>>;
  /** Of what a weighting draws at random. */
  readonly seed: number;
  /** The statistics that learnt batch normalizations start from. */
  readonly statistics?: ReadonlyMap<string, Tensor>;
  /** Share of a batch's statistics in the running ones, as PyTorch's momentum; 0.1 when left out. */
  readonly momentum?: number;
  /** Score of the parameters after an epoch, higher is better, and whatever is to be kept of each task. */
  evaluate?(parameters: Parameters, epoch: number): Promise<{ score: number; each: readonly number[] }>;
  onStep?(event: {
    readonly step: number;
    readonly epoch: number;
    readonly losses: ReadonlyMap<string, number>;
  }): void;
  onEpoch?(event: JointEpoch): void;
  /** Looks, every so many steps, what a step for one task alone would do to the others' losses. */
  readonly affinity?: { readonly every: number; onTable(table: AffinityTable): void };
}

/** What is known after an epoch, by task. */
export interface JointEpoch {
  readonly epoch: number;
  /** Mean training loss of each task; null where it had no turn. */
  readonly losses: readonly (number | null)[];
  readonly score: number | null;
  /** What `evaluate` said of each task. */
  readonly each: readonly number[];
}

/** What a joint training ends with. */
export interface JointlyTrained {
  /**
   * All parameters of all tasks: the best epoch's where there were scores, else the running average or the
   * last ones.
   */
  readonly parameters: Parameters;
  readonly epochs: readonly JointEpoch[];
  /** The epoch given back, counted from 0. */
  readonly best: number;
  readonly state: TrainingState;
  readonly reason: "epochs" | "patience" | "aborted";
}

/**
 * Trains tasks together over one arena of parameters. A step runs each of its batches once, through the very
 * plan that the task would have alone, all of them at once where the runtime has lanes, weighs the gradients
 * and calls the optimizer once for what they touch: as many runs as the tasks' own steps, and fewer updates. A
 * head rests while its task has no turn, and counts its own steps. Equal options give equal bytes, also when
 * killed and resumed. Throws an InputError where a loss is no longer a number.
 */
export async function trainTasks(
  tasks: readonly TrainedTask[],
  options: JointOptions,
): Promise<JointlyTrained> {
  const { runtime, weighting, schedule = constant(), steps, evaluate, signal, checkpoint } = options;
  const arena = arenaOf(parametersOfAll(tasks), options.training);
  const state = options.resume
    ? resumed(arena, options, options.resume)
    : start(arena, options, options.statistics);
  const extra = (state.extra ??= startExtra(tasks.length, weighting, options.weightingSettings));
  const sum = zerosFor(arena);
  arena.data.set(state.parameters);
  state.parameters = arena.data;
  const owned = tasks.map(({ plan }) => arena.slots.filter(({ name }) => plan.gradients.has(name)));
  const groups = slotGroups(arena, tasks);
  extra.times ??= new Float64Array(groups.length);
  const memory = memoryIn(extra);
  const spare = Array.from({ length: tasks.length }, () => null as Numbers | null);
  let added: Numbers | null = null;
  const sessions = new Map<TrainingPlan, Promise<Session>>();
  const sessionOf = (plan: TrainingPlan): Promise<Session> => {
    let session = sessions.get(plan);
    if (!session) {
      const without = idleOptimizers(plan.model.graph);
      sessions.set(plan, (session = runtime.load(writeModel(plan.model), { without })));
    }
    return session;
  };
  const spent: Results[] = [];
  const run = async (task: number, batch: Feeds, data: Numbers) => {
    const plan = tasks[task]!.planFor?.(batch) ?? tasks[task]!.plan;
    const own = Object.fromEntries(owned[task]!.map((slot) => [slot.name, tensorAt(data, slot)]));
    const session = await sessionOf(plan);
    const into = spent.pop() ?? {};
    const results = await session.run({ ...own, ...batch }, undefined, { into });
    return { plan, results, loss: Number(results[plan.loss]!.data[0]) };
  };
  /** The parts of a task's batch, and their mean loss. */
  const runAll = async (task: number, parts: readonly Feeds[], data: Numbers) => {
    const runs = await Promise.all(parts.map((part) => run(task, part, data)));
    return { runs, loss: runs.reduce((sum, { loss }) => sum + loss, 0) / runs.length };
  };
  const history = (): JointEpoch[] =>
    state.losses.map((_, epoch) => ({
      epoch,
      losses: tasks.map((__, k) => {
        const loss = extra.trainLosses![epoch * tasks.length + k]!;
        return Number.isNaN(loss) ? null : loss;
      }),
      score: state.scores[epoch] ?? null,
      each: Array.from(extra.each!.subarray(...range(epoch, extra.each!.length / state.losses.length))),
    }));
  const finish = (reason: JointlyTrained["reason"]): JointlyTrained => ({
    parameters:
      state.best && options.keep !== "last"
        ? parametersIn(arena, state.best.parameters, state.best.statistics)
        : parametersIn(arena, state.average ?? arena.data, state.statistics),
    epochs: history(),
    best: state.best && options.keep !== "last" ? state.best.epoch : state.losses.length - 1,
    state: copyState(state),
    reason,
  });
  const prepared = async function* (epoch: number, from: number) {
    for (const members of steps.steps(epoch).slice(from))
      yield await Promise.all(
        members.map(async (one) => ({
          ...one,
          feeds: [await tasks[one.task]!.feeds(one.pass, one.index)].flat(),
        })),
      );
  };
  let stride = 0;
  try {
    while (state.epoch < options.epochs) {
      for await (const batches of ahead(prepared(state.epoch, state.batch), BATCHES_AHEAD)) {
        const parts = await gathered(batches);
        if (options.affinity && stride > 0 && state.step % options.affinity.every === 0)
          options.affinity.onTable(
            await lookahead(
              parts,
              arena,
              stride,
              async (i, data) => (await runAll(parts[i]!.task, batches[i]!.feeds, data)).loss,
            ),
          );
        const shared = options.affinity ? sharedSlots(parts) : [];
        const before = options.affinity ? (arena.data.slice() as Numbers) : arena.data;
        update(parts);
        if (options.affinity) stride = distance(before, arena.data, shared);
        options.onStep?.({
          step: state.step,
          epoch: state.epoch,
          losses: new Map(parts.map(({ task, loss }) => [tasks[task]!.name, loss])),
        });
        if (checkpoint && state.step % checkpoint.every === 0) await checkpoint.save(copyState(state));
        if (signal?.aborted) return finish("aborted");
      }
      await closeEpoch();
      options.onEpoch?.(history().at(-1)!);
      const isStale =
        state.best &&
        options.patience !== undefined &&
        state.epoch - 1 - state.best.epoch >= options.patience;
      if (isStale) return finish("patience");
      if (signal?.aborted) return finish("aborted");
    }
    return finish("epochs");
  } finally {
    for (const session of await Promise.allSettled(sessions.values()))
      if (session.status === "fulfilled") await session.value.close();
  }

  /** Runs the batches of a step and gathers their gradients. */
  async function gathered(
    batches: readonly (TaskBatch & { feeds: readonly Feeds[] })[],
  ): Promise<StepPart[]> {
    const done = await Promise.all(batches.map(({ task, feeds }) => runAll(task, feeds, arena.data)));
    return batches.map(({ task }, i): StepPart => {
      const { name, weight = 1, batchNorms } = tasks[task]!;
      const { runs, loss } = done[i]!;
      if (!Number.isFinite(loss))
        throw new InputError(
          `task "${name}": the loss is ${loss} at step ${state.step + 1}; lower the learning rate, clip the gradients or look for broken inputs`,
        );
      const slots = owned[task]!;
      const spans = slots.map(({ offset, length }) => ({ from: offset, to: offset + length }));
      const gradient = (spare[i] ??= zerosFor(arena));
      for (const [k, { plan, results }] of runs.entries()) {
        if (batchNorms) updateStatistics(state.statistics, batchNorms, results, options.momentum ?? 0.1);
        const into = k === 0 ? gradient : (added ??= zerosFor(arena));
        gather({ ...arena, slots }, into, (one) => results[plan.gradients.get(one)!]!.data as Float32Array);
        if (k > 0) for (const span of spans) blend(arena, gradient, 1, into, 1, span);
        spent.push(results);
      }
      const factor = weight / runs.length;
      if (factor !== 1) for (const span of spans) scale(arena, gradient, factor, span);
      state.total += loss;
      extra.sums![task]! += loss;
      extra.counts![task]! += 1;
      return { task, loss: loss * weight, gradient, slots };
    });
  }

  /** One step of the optimizer along the weighed sum of the gradients. */
  function update(parts: readonly StepPart[]): void {
    const step = { parts, tasks: tasks.length, epoch: state.epoch, step: state.step };
    const source = random(options.seed).fork(`weighting ${state.step}`);
    const factors = weighting.weigh({ ...step, random: source }, memory, options.weightingSettings);
    const present = new Set(parts.map(({ task }) => task));
    const touched = groups.map(({ owners }) => owners.some((task) => present.has(task)));
    const slots = groups.flatMap((group, g) => (touched[g] ? group.slots : []));
    const written = new Set<Slot>();
    for (const [i, { gradient, slots: own }] of parts.entries()) {
      const factor = factors[i]!;
      for (const slot of own) {
        const [from, to] = [slot.offset, slot.offset + slot.length];
        if (written.has(slot)) blend(arena, sum, 1, gradient, factor, { from, to });
        else {
          sum.set(gradient.subarray(from, to), from);
          if (factor !== 1) scale(arena, sum, factor, { from, to });
        }
        written.add(slot);
      }
    }
    if (options.clip !== undefined) clipNorm({ ...arena, slots }, sum, options.clip);
    const rate = options.rate * schedule(state.step);
    state.step++;
    for (const [g, group] of groups.entries()) {
      if (!touched[g]) continue;
      const at = { step: ++extra.times![g]!, rate };
      options.optimizer.step(
        { ...arena, slots: group.slots },
        sum,
        state.optimizer,
        options.settings ?? {},
        at,
      );
    }
    if (state.average && options.ema !== undefined) average(arena, state.average, options.ema);
    state.batch++;
  }

  async function closeEpoch(): Promise<void> {
    const means = tasks.map((_, k) =>
      extra.counts![k]! > 0 ? extra.sums![k]! / extra.counts![k]! : Number.NaN,
    );
    extra.trainLosses = Float64Array.of(...extra.trainLosses!, ...means);
    let each: readonly number[] = [];
    await endEpoch(
      state,
      arena,
      evaluate &&
        (async (parameters, epoch) => {
          const scored = await evaluate(parameters, epoch);
          each = scored.each;
          return scored.score;
        }),
    );
    extra.each = Float64Array.of(...extra.each!, ...each);
    extra.sums!.fill(0);
    extra.counts!.fill(0);
  }
}

/** The parameters of all tasks, by name. Throws an InputError where two tasks start one of them differently. */
function parametersOfAll(tasks: readonly TrainedTask[]): Map<string, Tensor> {
  const all = new Map<string, Tensor>();
  for (const { name: task, plan } of tasks)
    for (const [name, tensor] of plan.parameters) {
      const known = all.get(name);
      if (known && known.data !== tensor.data && known.data.toString() !== tensor.data.toString())
        throw new InputError(`task "${task}" starts the parameter "${name}" differently from another task`);
      if (!known) all.set(name, tensor);
    }
  return all;
}

/** Parameters that the same tasks have: they are updated in the same steps. */
interface SlotGroup {
  readonly owners: readonly number[];
  readonly slots: Slot[];
}

function slotGroups(arena: Arena, tasks: readonly TrainedTask[]): SlotGroup[] {
  const groups = new Map<string, SlotGroup>();
  for (const slot of arena.slots) {
    const owners = tasks.flatMap(({ plan }, task) => (plan.gradients.has(slot.name) ? [task] : []));
    const key = owners.join();
    const group = groups.get(key);
    if (group) group.slots.push(slot);
    else groups.set(key, { owners, slots: [slot] });
  }
  return [...groups.values()];
}

const MEMORY = "weighting/";

function startExtra(
  tasks: number,
  weighting: LossWeighting,
  settings?: Readonly<Record<string, unknown>>,
): Record<string, Float64Array> {
  const remembered = Object.entries(weighting.start(tasks, settings));
  return {
    sums: new Float64Array(tasks),
    counts: new Float64Array(tasks),
    trainLosses: new Float64Array(0),
    each: new Float64Array(0),
    ...Object.fromEntries(remembered.map(([name, values]) => [`${MEMORY}${name}`, values])),
  };
}

/** What the weighting remembers, over the same arrays. */
function memoryIn(extra: Record<string, Float64Array>): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(extra)
      .filter(([name]) => name.startsWith(MEMORY))
      .map(([name, values]) => [name.slice(MEMORY.length), values]),
  );
}

function range(i: number, length: number): [number, number] {
  return [i * length, (i + 1) * length];
}

function distance(a: Numbers, b: Numbers, slots: readonly Slot[]): number {
  let sum = 0;
  for (const { offset, length } of slots)
    for (let i = offset; i < offset + length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}

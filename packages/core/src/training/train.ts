import { InputError } from "../errors.ts";
import { writeModel } from "../onnx/write.ts";
import {
  type Arena,
  arenaOf,
  gather,
  type Numbers,
  type Training,
  tensorAt,
  zerosFor,
} from "../optim/arena.ts";
import { blend, scale } from "../optim/blend.ts";
import { clipNorm } from "../optim/clip.ts";
import { initialState, type Optimizer } from "../optim/optimizer.ts";
import { constant, type Schedule } from "../optim/schedules.ts";
import type { Feeds, Results, Runtime, Session } from "../runtime/runtime.ts";
import { float32, type Tensor } from "../tensor.ts";
import { ahead, inGroups } from "./ahead.ts";
import { type Statistics, type TrainedBatchNorms, updateStatistics } from "./batch-norms.ts";
import { idleOptimizers } from "./idle-optimizers.ts";
import { type Anchor, anchoring } from "./l2-sp.ts";
import { type Packing, packing } from "./packing.ts";
import type { TrainingPlan } from "./plan.ts";
import { copied, copyState, type Parameters, type TrainingState } from "./state.ts";

/** How a plan is trained. */
export interface TrainOptions {
  readonly runtime: Runtime;
  readonly optimizer: Optimizer;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The learning rate, times what the schedule says of a step. */
  readonly rate: number;
  readonly schedule?: Schedule;
  readonly epochs: number;
  /** The feeds of an epoch from batch `from` on. The same epoch must give the same batches. */
  batches(epoch: number, from: number): AsyncIterable<Feeds> | Iterable<Feeds>;
  /**
   * The plan for a batch, where batches have several shapes (lengths of texts): a session is kept for each
   * plan. All have the same parameters as the plan given first, which is taken where this is left out.
   */
  planFor?(batch: Feeds): TrainingPlan;
  /** How single parameters differ from the rest; see `arenaOf`. */
  readonly training?: (name: string, tensor: Tensor) => Training;
  /** Batches whose gradients are averaged to one step; 1 when left out. They run at once where the runtime has lanes. */
  readonly accumulate?: number;
  /** Greatest length of all gradients together. */
  readonly clip?: number;
  /** Share of the running average of parameters that stays at each step; none when left out. */
  readonly ema?: number;
  /**
   * Steps between two looks of the running average at the parameters, its share then to this power; 1 when
   * left out.
   */
  readonly emaEvery?: number;
  /** Keeps parameters near those of the source (L2-SP). */
  readonly anchor?: Anchor;
  /**
   * Batch normalizations whose running statistics are learnt, by this share of each batch's (PyTorch's
   * momentum, 0.1).
   */
  readonly batchNorms?: TrainedBatchNorms & { readonly momentum?: number };
  /** Score of the parameters after an epoch, higher is better. The best ones are given back. */
  evaluate?(parameters: Parameters, epoch: number): Promise<number>;
  /** Which parameters are given back where there are scores; the best epoch's when left out. */
  readonly keep?: "best" | "last";
  /** Epochs without a better score after which training stops. */
  readonly patience?: number;
  onStep?(event: StepEvent): void;
  onEpoch?(event: { epoch: number; loss: number; score: number | null }): void;
  /** Called after every `every` steps; the state is a copy. */
  readonly checkpoint?: { readonly every: number; save(state: TrainingState): Promise<void> };
  readonly resume?: TrainingState;
  /** Stops after the step that runs. */
  readonly signal?: { readonly aborted: boolean };
}

/**
 * What is known after a step. `loss` is the mean of its batches; `norm` the gradients' length where they are
 * clipped.
 */
export interface StepEvent {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly rate: number;
  readonly norm: number | null;
}

/** What training ends with. */
export interface Trained {
  /**
   * The best epoch's where there were scores, else the running average or the last ones; with the learnt
   * statistics.
   */
  readonly parameters: Parameters;
  /** The mean loss of each epoch. */
  readonly losses: readonly number[];
  readonly scores: readonly number[];
  readonly state: TrainingState;
  readonly reason: "epochs" | "patience" | "aborted";
}

/**
 * Trains a plan: one run of the runtime a batch gives loss and gradients, one call of the optimizer a step. The next
 * batches are made while one runs. Throws an InputError where the loss is no longer a number.
 */
export async function train(plan: TrainingPlan, options: TrainOptions): Promise<Trained> {
  const { accumulate = 1, schedule = constant(), evaluate, batchNorms, emaEvery = 1 } = options;
  const arena = arenaOf(plan.parameters, options.training);
  const state = options.resume
    ? resumed(arena, options, options.resume)
    : start(arena, options, batchNorms?.statistics);
  const sum = zerosFor(arena);
  const added = accumulate > 1 ? zerosFor(arena) : sum;
  arena.data.set(state.parameters);
  state.parameters = arena.data;
  const anchor = options.anchor ? anchoring(arena, options.anchor) : null;
  const executables = new Map<TrainingPlan, Promise<Executable>>();
  const executableOf = (one: TrainingPlan): Promise<Executable> => {
    let made = executables.get(one);
    if (!made) executables.set(one, (made = executable(one, arena, options.runtime)));
    return made;
  };
  const finish = (reason: Trained["reason"]): Trained => ({
    parameters:
      state.best && options.keep !== "last"
        ? parametersIn(arena, state.best.parameters, state.best.statistics)
        : parametersIn(arena, state.average ?? arena.data, state.statistics),
    losses: [...state.losses],
    scores: [...state.scores],
    state: copyState(state),
    reason,
  });
  const spent: Results[] = [];
  const runOf = async (batch: Feeds) => {
    const { session, packed } = await executableOf(options.planFor?.(batch) ?? plan);
    const into = spent.pop() ?? {};
    return { packed, results: await session.run({ ...packed.feeds(), ...batch }, undefined, { into }) };
  };
  const isWide = accumulate > 1 && (options.runtime.lanes ?? 1) > 1;
  async function* atOnce(batches: AsyncIterable<Feeds>) {
    for await (const group of inGroups(batches, isWide ? accumulate : 1))
      for (const run of await Promise.all(group.map(runOf))) yield run;
  }
  try {
    while (state.epoch < options.epochs) {
      let pending = 0;
      let loss = 0;
      const step = () => {
        if (pending > 1) scale(arena, sum, 1 / pending);
        anchor?.toGradient(sum);
        const norm = options.clip === undefined ? null : clipNorm(arena, sum, options.clip);
        const rate = options.rate * schedule(state.step);
        state.step++;
        const settings = options.settings ?? {};
        options.optimizer.step(arena, sum, state.optimizer, settings, { step: state.step, rate });
        anchor?.afterStep(rate);
        if (state.average && options.ema !== undefined && state.step % emaEvery === 0)
          average(arena, state.average, options.ema ** emaEvery);
        options.onStep?.({ step: state.step, epoch: state.epoch, loss: loss / pending, rate, norm });
        pending = 0;
        loss = 0;
      };
      const made = ahead(options.batches(state.epoch, state.batch), Math.max(BATCHES_AHEAD, accumulate));
      for await (const { packed, results } of atOnce(made)) {
        gather(arena, pending === 0 ? sum : added, packed.gradientOf(results));
        if (pending > 0) blend(arena, sum, 1, added, 1);
        const one = packed.loss(results);
        if (!Number.isFinite(one))
          throw new InputError(
            `the loss is ${one} at step ${state.step + 1}; lower the learning rate, clip the gradients or look for broken inputs`,
          );
        if (batchNorms)
          updateStatistics(state.statistics, batchNorms.norms, results, batchNorms.momentum ?? 0.1);
        spent.push(results);
        state.total += one;
        state.batch++;
        loss += one;
        pending++;
        if (pending < accumulate) continue;
        step();
        const { checkpoint } = options;
        if (checkpoint && state.step % checkpoint.every === 0) await checkpoint.save(copyState(state));
        if (options.signal?.aborted) return finish("aborted");
      }
      if (pending > 0) step();
      await endEpoch(state, arena, evaluate);
      const { losses, scores, best } = state;
      const score = evaluate ? scores.at(-1)! : null;
      options.onEpoch?.({ epoch: state.epoch - 1, loss: losses.at(-1)!, score });
      const isStale =
        best && options.patience !== undefined && state.epoch - 1 - best.epoch >= options.patience;
      if (isStale) return finish("patience");
      if (options.signal?.aborted) return finish("aborted");
    }
    return finish("epochs");
  } finally {
    for (const made of await Promise.allSettled(executables.values()))
      if (made.status === "fulfilled") await made.value.session.close();
  }
}

/** Batches made ready while others run. */
export const BATCHES_AHEAD = 2;

/** Closes the books of an epoch; the state then is that of the next one's beginning. */
export async function endEpoch(
  state: TrainingState,
  arena: Arena,
  evaluate: TrainOptions["evaluate"],
): Promise<void> {
  const { epoch, statistics } = state;
  const now = state.average ?? arena.data;
  state.losses.push(state.total / Math.max(1, state.batch));
  if (evaluate) {
    const score = await evaluate(parametersIn(arena, now, statistics), epoch);
    state.scores.push(score);
    if (!state.best || score > state.best.score)
      state.best = { score, epoch, parameters: now.slice(), statistics: copied(statistics) };
  }
  state.epoch++;
  state.batch = 0;
  state.total = 0;
}

/** A plan that runs. */
interface Executable {
  readonly session: Session;
  readonly packed: Packing;
}

async function executable(plan: TrainingPlan, arena: Arena, runtime: Runtime): Promise<Executable> {
  const packed = packing(plan, arena, runtime.device);
  const without = idleOptimizers(packed.model.graph);
  return { packed, session: await runtime.load(writeModel(packed.model), { without }) };
}

/** A copy of a state; what the optimizer remembers lies beside the arena. */
export function resumed(
  arena: Arena,
  { optimizer }: Pick<TrainOptions, "optimizer">,
  from: TrainingState,
): TrainingState {
  if (from.parameters.length !== arena.data.length)
    throw new InputError("the checkpoint is of another set of parameters; start anew or train the same ones");
  const remembered = initialState(optimizer, arena);
  for (const [name, array] of Object.entries(remembered)) array.set(from.optimizer[name]!);
  const average = from.average && beside(arena, from.average);
  return { ...copyState(from), optimizer: remembered, average };
}

/** A copy that vector instructions reach. */
function beside(arena: Arena, numbers: Numbers): Numbers {
  const copy = zerosFor(arena);
  copy.set(numbers);
  return copy;
}

/** The state that training begins with. */
export function start(
  arena: Arena,
  { optimizer, ema }: Pick<TrainOptions, "optimizer" | "ema">,
  learnt: ReadonlyMap<string, Tensor> = new Map(),
): TrainingState {
  const statistics: Statistics = {};
  for (const [name, { data }] of learnt) statistics[name] = (data as Float32Array).slice();
  return {
    step: 0,
    epoch: 0,
    batch: 0,
    total: 0,
    losses: [],
    scores: [],
    parameters: arena.data,
    optimizer: initialState(optimizer, arena),
    average: ema === undefined ? null : beside(arena, arena.data),
    statistics,
    best: null,
  };
}

/** kept ← share · kept + (1 − share) · what the parameters are now, in place. */
export function average(arena: Arena, kept: Numbers, share: number): void {
  blend(arena, kept, share, arena.data, 1 - share);
}

/** A copy of an arena's numbers, and of statistics, by name. */
export function parametersIn(arena: Arena, data: Numbers, statistics: Statistics): Parameters {
  const copy = data.slice();
  const trained = new Map(arena.slots.map((slot) => [slot.name, tensorAt(copy, slot)]));
  for (const [name, values] of Object.entries(statistics))
    trained.set(name, float32([values.length], values.slice()));
  return trained;
}

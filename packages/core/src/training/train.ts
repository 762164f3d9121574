import { InputError } from "../errors.ts";
import { writeModel } from "../onnx/write.ts";
import { type Arena, arenaOf, type Numbers, type Training, tensorAt, zerosFor } from "../optim/arena.ts";
import { clipNorm } from "../optim/clip.ts";
import { initialState, type Optimizer, type OptimizerState } from "../optim/optimizer.ts";
import { constant, type Schedule } from "../optim/schedules.ts";
import type { Feeds, Runtime, Session } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor.ts";
import type { TrainingPlan } from "./plan.ts";

/** Trained parameters by name. */
export type Parameters = ReadonlyMap<string, Tensor>;

/** Everything that goes on: training continued from it ends in the same bytes as training never stopped. */
export interface TrainingState {
  /** Optimizer steps done. */
  step: number;
  epoch: number;
  /** Batches of the epoch already used. */
  batch: number;
  parameters: Numbers;
  optimizer: OptimizerState;
  /** Running average of the parameters, where asked for. */
  average: Numbers | null;
  /** Score of the best epoch, and the parameters it had. */
  best: { score: number; epoch: number; parameters: Numbers } | null;
}

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
  /** How single parameters differ from the rest; see `arenaOf`. */
  readonly training?: (name: string, tensor: Tensor) => Training;
  /** Batches whose gradients are averaged to one step; 1 when left out. */
  readonly accumulate?: number;
  /** Greatest length of all gradients together. */
  readonly clip?: number;
  /** Share of the running average of parameters that stays at each step; none when left out. */
  readonly ema?: number;
  /** Score of the parameters after an epoch, higher is better. The best ones are given back. */
  evaluate?(parameters: Parameters, epoch: number): Promise<number>;
  /** Epochs without a better score after which training stops. */
  readonly patience?: number;
  onStep?(event: { step: number; epoch: number; loss: number; rate: number; norm: number | null }): void;
  onEpoch?(event: { epoch: number; loss: number; score: number | null }): void;
  /** Called after every `every` steps; the state is a copy. */
  readonly checkpoint?: { readonly every: number; save(state: TrainingState): Promise<void> };
  readonly resume?: TrainingState;
  /** Stops after the step that runs. */
  readonly signal?: { readonly aborted: boolean };
}

/** What training ends with. */
export interface Trained {
  readonly parameters: Parameters;
  /** The mean loss of each epoch that this call finished. */
  readonly losses: readonly number[];
  readonly scores: readonly number[];
  readonly state: TrainingState;
  readonly reason: "epochs" | "patience" | "aborted";
}

/**
 * Trains a plan: one run of the runtime a batch gives loss and gradients, one call of the optimizer a step. The next batch
 * is fetched while one runs. Throws an InputError where the loss is no longer a number.
 */
export async function train(plan: TrainingPlan, options: TrainOptions): Promise<Trained> {
  const { accumulate = 1, schedule = constant(), evaluate } = options;
  const arena = arenaOf(plan.parameters, options.training);
  const state = options.resume ? copyState(options.resume) : start(arena, options);
  if (state.parameters.length !== arena.data.length)
    throw new InputError("the checkpoint is of another set of parameters; start anew or train the same ones");
  arena.data.set(state.parameters);
  state.parameters = arena.data;
  const feeds = Object.fromEntries(arena.slots.map((slot) => [slot.name, tensorAt(arena.data, slot)]));
  const session = await options.runtime.load(writeModel(plan.model));
  const losses: number[] = [];
  const scores: number[] = [];
  const finish = (reason: Trained["reason"]): Trained => {
    const chosen = state.best?.parameters ?? state.average ?? arena.data;
    return { parameters: parametersOf(arena, chosen), losses, scores, state: copyState(state), reason };
  };
  try {
    for (; state.epoch < options.epochs; state.epoch++, state.batch = 0) {
      const sum = zerosFor(arena);
      let pending = 0;
      let total = 0;
      let count = 0;
      const step = () => {
        if (pending > 1) for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! / pending;
        const norm = options.clip === undefined ? null : clipNorm(arena, sum, options.clip);
        const rate = options.rate * schedule(state.step);
        state.step++;
        const settings = options.settings ?? {};
        options.optimizer.step(arena, sum, state.optimizer, settings, { step: state.step, rate });
        if (state.average && options.ema !== undefined) average(state.average, arena.data, options.ema);
        sum.fill(0);
        pending = 0;
        options.onStep?.({ step: state.step, epoch: state.epoch, loss: total / count, rate, norm });
      };
      for await (const batch of ahead(options.batches(state.epoch, state.batch))) {
        const loss = await accumulated(session, plan, arena, { ...feeds, ...batch }, sum);
        if (!Number.isFinite(loss))
          throw new InputError(
            `the loss is ${loss} at step ${state.step + 1}; lower the learning rate, clip the gradients or look for broken inputs`,
          );
        total += loss;
        count++;
        pending++;
        state.batch++;
        if (pending < accumulate) continue;
        step();
        const { checkpoint } = options;
        if (checkpoint && state.step % checkpoint.every === 0) await checkpoint.save(copyState(state));
        if (options.signal?.aborted) return finish("aborted");
      }
      if (pending > 0) step();
      if (count > 0) losses.push(total / count);
      const score = evaluate
        ? await evaluate(parametersOf(arena, state.average ?? arena.data), state.epoch)
        : null;
      if (score !== null) {
        scores.push(score);
        if (!state.best || score > state.best.score)
          state.best = { score, epoch: state.epoch, parameters: (state.average ?? arena.data).slice() };
      }
      options.onEpoch?.({ epoch: state.epoch, loss: total / Math.max(count, 1), score });
      if (
        state.best &&
        options.patience !== undefined &&
        state.epoch - state.best.epoch >= options.patience
      ) {
        state.epoch++;
        state.batch = 0;
        return finish("patience");
      }
    }
    return finish("epochs");
  } finally {
    await session.close();
  }
}

/** Adds the gradients of one batch to `sum`; returns its loss. */
async function accumulated(
  session: Session,
  plan: TrainingPlan,
  arena: Arena,
  feeds: Feeds,
  sum: Numbers,
): Promise<number> {
  const results = await session.run(feeds);
  for (const { name, offset, length } of arena.slots) {
    const gradient = results[plan.gradients.get(name)!]!.data as Float32Array;
    for (let i = 0; i < length; i++) sum[offset + i] = sum[offset + i]! + gradient[i]!;
  }
  return Number(results[plan.loss]!.data[0]);
}

/** The same elements, each asked for while the one before is in use. */
async function* ahead<T>(elements: AsyncIterable<T> | Iterable<T>): AsyncIterable<T> {
  const iterator =
    Symbol.asyncIterator in elements ? elements[Symbol.asyncIterator]() : elements[Symbol.iterator]();
  let next = Promise.resolve(iterator.next());
  try {
    for (;;) {
      const { value, done } = await next;
      if (done) return;
      next = Promise.resolve(iterator.next());
      next.catch(() => {}); // told when it is awaited
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}

function start(arena: Arena, { optimizer, ema }: TrainOptions): TrainingState {
  return {
    step: 0,
    epoch: 0,
    batch: 0,
    parameters: arena.data,
    optimizer: initialState(optimizer, arena),
    average: ema === undefined ? null : arena.data.slice(),
    best: null,
  };
}

function average(kept: Numbers, now: Numbers, share: number): void {
  for (let i = 0; i < kept.length; i++) kept[i] = share * kept[i]! + (1 - share) * now[i]!;
}

function parametersOf(arena: Arena, data: Numbers): Parameters {
  const copy = data.slice();
  return new Map(arena.slots.map((slot) => [slot.name, tensorAt(copy, slot)]));
}

function copyState(state: TrainingState): TrainingState {
  return {
    ...state,
    parameters: state.parameters.slice(),
    optimizer: Object.fromEntries(Object.entries(state.optimizer).map(([name, one]) => [name, one.slice()])),
    average: state.average?.slice() ?? null,
    best: state.best && { ...state.best, parameters: state.best.parameters.slice() },
  };
}

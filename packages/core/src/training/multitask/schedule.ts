import { InputError } from "../../errors.ts";
import { type Random, random as seeded } from "../../random.ts";
import type { TaskSampler } from "./samplers.ts";

/** One batch of a task: which pass over its rows, and which batch of that pass. */
export interface TaskBatch {
  readonly task: number;
  readonly pass: number;
  readonly index: number;
}

/** How steps are put together. */
export interface ScheduleOptions {
  /** Batches of one pass over each task's rows. */
  readonly sizes: readonly number[];
  readonly epochs: number;
  /** Whose turn it is; "together" puts a batch of every task into each step. */
  readonly sampling: TaskSampler | "together";
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Seed of the order of the tasks. */
  readonly seed: number;
}

/** The steps of every epoch, a function of the options alone. */
export interface JointSchedule {
  /** The steps of an epoch: each a list of batches. All epochs together have as many batches as all tasks alone. */
  steps(epoch: number): readonly (readonly TaskBatch[])[];
  /** Steps of all epochs. */
  readonly total: number;
}

/**
 * An epoch has as many batches as one pass over the rows of every task, so that joint training never costs
 * more than training each task alone for as many epochs; the shares say whose they are. Each task goes
 * through its own rows pass by pass, whatever the others do. With "together" an epoch has the mean number of
 * batches of a task, rounded down but at least 1.
 */
export function jointSchedule(options: ScheduleOptions): JointSchedule {
  const { sizes, epochs, sampling, settings = {}, seed } = options;
  if (sizes.length === 0 || sizes.some((size) => !Number.isInteger(size) || size < 1))
    throw new InputError(
      `a joint training needs tasks with a batch at least, got ${sizes.join(", ") || "none"}`,
    );
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const counts = Array.from({ length: epochs }, (_, epoch) => {
    if (sampling === "together") return sizes.map(() => Math.max(1, Math.floor(all / sizes.length)));
    return apportioned(sampling.shares(sizes, epochs > 1 ? epoch / (epochs - 1) : 0, settings), all);
  });
  /** Batches of each task before an epoch. */
  const before = (epoch: number) =>
    sizes.map((_, task) => counts.slice(0, epoch).reduce((sum, each) => sum + each[task]!, 0));
  const batchAt = (task: number, position: number): TaskBatch => ({
    task,
    pass: Math.floor(position / sizes[task]!),
    index: position % sizes[task]!,
  });
  return {
    total: counts.reduce((sum, each) => sum + (sampling === "together" ? each[0]! : all), 0),
    steps(epoch) {
      const start = before(epoch);
      const own = counts[epoch];
      if (!own) throw new InputError(`there is no epoch ${epoch} in a schedule of ${epochs}`);
      if (sampling === "together")
        return Array.from({ length: own[0]! }, (_, step) =>
          start.map((from, task) => batchAt(task, from + step)),
        );
      const turns = own.flatMap((count, task) => Array<number>(count).fill(task));
      const order = shuffled(turns, seeded(seed).fork(`turns ${epoch}`));
      const used = sizes.map(() => 0);
      return order.map((task) => [batchAt(task, start[task]! + used[task]!++)]);
    },
  };
}

function shuffled(turns: readonly number[], source: Random): number[] {
  return Array.from(source.permutation(turns.length), (i) => turns[i]!);
}

/** Whole numbers that add up to `total`, nearest to the shares by the largest remainders. */
function apportioned(shares: readonly number[], total: number): number[] {
  const exact = shares.map((share) => share * total);
  const counts = exact.map((one) => Math.floor(one + 1e-9));
  const left = total - counts.reduce((sum, one) => sum + one, 0);
  const byRemainder = [...shares.keys()].sort(
    (a, b) => exact[b]! - counts[b]! - (exact[a]! - counts[a]!) || a - b,
  );
  for (const task of byRemainder.slice(0, left)) counts[task]!++;
  return counts;
}

import { InputError } from "../../errors.ts";
import type { Arena, Numbers } from "../../optim/arena.ts";
import { innerProduct, type StepPart, sharedSlots } from "./weighting.ts";

/** How a step for one task changes the loss of another, [from][to]: 1 − after/before, so that above zero helps. */
export type AffinityTable = readonly (readonly number[])[];

/**
 * Looks ahead (Fifty et al. 2021, equation 1, https://arxiv.org/abs/2109.04617): moves the shared parameters
 * against the gradient of one task after the other, and sees what that does to the loss of every task on the
 * batches of this step. All moves are `stride` long, as the optimizer's own last one, and not as long as the
 * gradient: else the table would compare the scales of the losses. `lossOf` gives the loss of a part under
 * other parameters, which lie as in the arena.
 */
export async function lookahead(
  parts: readonly StepPart[],
  arena: Arena,
  stride: number,
  lossOf: (part: number, data: Numbers) => Promise<number>,
): Promise<AffinityTable> {
  const shared = sharedSlots(parts);
  const before: number[] = [];
  for (const i of parts.keys()) before.push(await lossOf(i, arena.data));
  const table: number[][] = [];
  for (const { gradient } of parts) {
    const length = Math.sqrt(innerProduct(gradient, gradient, shared));
    const moved = arena.data.slice() as Numbers;
    if (length > 0)
      for (const slot of shared)
        for (let k = slot.offset; k < slot.offset + slot.length; k++)
          moved[k] = moved[k]! - (stride / length) * gradient[k]!;
    const row: number[] = [];
    for (const j of parts.keys()) row.push(1 - (await lossOf(j, moved)) / before[j]!);
    table.push(row);
  }
  return table;
}

/** The mean of tables, with the standard error of each entry (0 for one table). */
export function meanAffinity(tables: readonly AffinityTable[]): {
  readonly mean: AffinityTable;
  readonly error: AffinityTable;
} {
  const [first] = tables;
  if (!first) throw new InputError("there is no affinity table to average; look ahead at one step at least");
  const n = tables.length;
  const mean = first.map((row, i) =>
    row.map((_, j) => tables.reduce((sum, table) => sum + table[i]![j]!, 0) / n),
  );
  const error = mean.map((row, i) =>
    row.map((centre, j) => {
      const squares = tables.reduce((sum, table) => sum + (table[i]![j]! - centre) ** 2, 0);
      return n > 1 ? Math.sqrt(squares / (n - 1) / n) : 0;
    }),
  );
  return { mean, error };
}

/** Tasks beyond which the ways to group them are too many to look at. */
const MOST = 9;

/**
 * The grouping of tasks with the greatest total affinity, of all there are: a task in company counts the mean
 * of what the others of its group do to it, a task alone 0. So tasks that only harm each other are left
 * alone.
 */
export function proposeGroups(table: AffinityTable): readonly (readonly number[])[] {
  const n = table.length;
  if (n > MOST) throw new InputError(`${n} tasks can be grouped in too many ways; look at ${MOST} at most`);
  let best: { groups: number[][]; total: number } = { groups: [], total: Number.NEGATIVE_INFINITY };
  const place = (task: number, groups: number[][]): void => {
    if (task === n) {
      const total = groups.reduce((sum, group) => sum + benefit(table, group), 0);
      if (total > best.total + 1e-12) best = { groups: groups.map((group) => [...group]), total };
      return;
    }
    for (const group of groups) {
      group.push(task);
      place(task + 1, groups);
      group.pop();
    }
    groups.push([task]);
    place(task + 1, groups);
    groups.pop();
  };
  place(0, []);
  return best.groups;
}

function benefit(table: AffinityTable, group: readonly number[]): number {
  if (group.length < 2) return 0;
  return group.reduce((sum, to) => {
    const others = group.filter((from) => from !== to);
    return sum + others.reduce((part, from) => part + table[from]![to]!, 0) / others.length;
  }, 0);
}

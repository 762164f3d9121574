import { readSafetensors, writeSafetensors } from "../data/safetensors.ts";
import { InputError } from "../errors.ts";
import type { Numbers } from "../optim/arena.ts";
import type { OptimizerState } from "../optim/optimizer.ts";
import type { Tensor } from "../tensor.ts";
import type { Statistics } from "./batch-norms.ts";

/** Trained parameters by name. */
export type Parameters = ReadonlyMap<string, Tensor>;

/** Everything that goes on: training continued from it ends in the same bytes as training never stopped. */
export interface TrainingState {
  /** Optimizer steps done. */
  step: number;
  epoch: number;
  /** Batches of the epoch already used. */
  batch: number;
  /** Sum of their losses. */
  total: number;
  /** Mean loss of each epoch that is done, and its score where there is one. */
  losses: number[];
  scores: number[];
  parameters: Numbers;
  optimizer: OptimizerState;
  /** Running average of the parameters, where asked for. */
  average: Numbers | null;
  /** Running statistics of the batch normalizations that learn them. */
  statistics: Statistics;
  /** Score of the best epoch, and the parameters it had. */
  best: { score: number; epoch: number; parameters: Numbers; statistics: Statistics } | null;
  /** What a training of its own kind remembers beside that, by name. */
  extra?: Record<string, Float64Array>;
}

/** A copy that later steps do not change. */
export function copyState(state: TrainingState): TrainingState {
  return {
    ...state,
    losses: [...state.losses],
    scores: [...state.scores],
    parameters: state.parameters.slice(),
    optimizer: copied(state.optimizer),
    average: state.average?.slice() ?? null,
    statistics: copied(state.statistics),
    ...(state.extra && { extra: copied(state.extra) }),
    best: state.best && {
      ...state.best,
      parameters: state.best.parameters.slice(),
      statistics: copied(state.best.statistics),
    },
  };
}

/** A copy of arrays by name. */
export function copied<T extends Numbers>(arrays: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(arrays).map(([name, one]) => [name, one.slice() as T]));
}

/**
 * A state as bytes, in the safetensors format. `about` is whatever must be the same when training goes on
 * (settings, data, model), as text; equal states with equal `about` give equal bytes.
 */
export function writeState(state: TrainingState, about = ""): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, Tensor>();
  const put = (name: string, data: Numbers) =>
    tensors.set(
      name,
      data instanceof Float64Array
        ? { dtype: "float64", shape: [data.length], data }
        : { dtype: "float32", shape: [data.length], data },
    );
  const { step, epoch, batch, best } = state;
  put("count", Float64Array.of(step, epoch, batch, state.total));
  put("losses", Float64Array.from(state.losses));
  put("scores", Float64Array.from(state.scores));
  put("parameters", state.parameters);
  for (const [name, data] of Object.entries(state.optimizer)) put(`optimizer/${name}`, data);
  for (const [name, data] of Object.entries(state.statistics)) put(`statistics/${name}`, data);
  for (const [name, data] of Object.entries(state.extra ?? {})) put(`extra/${name}`, data);
  if (state.average) put("average", state.average);
  if (best) {
    put("best", Float64Array.of(best.score, best.epoch));
    put("best/parameters", best.parameters);
    for (const [name, data] of Object.entries(best.statistics)) put(`best/statistics/${name}`, data);
  }
  return writeSafetensors(tensors, { format: FORMAT, about });
}

const FORMAT = "graft-training-1";

/**
 * Reads what `writeState` wrote. Throws an InputError where it is no such file, or where it is of another
 * `about` than the one given: training would go on differently from how it began.
 */
export function readState(bytes: Uint8Array, about?: string, where = "the checkpoint"): TrainingState {
  const { tensors, metadata } = readSafetensors(bytes, where);
  if (metadata.format !== FORMAT) throw new InputError(`${where} is no checkpoint of Graft's training`);
  if (about !== undefined && metadata.about !== about)
    throw new InputError(
      `${where} is of a training with other settings, data or model; use the same ones, or start anew in another folder`,
    );
  const numbers = (name: string): Numbers => {
    const tensor = tensors.get(name);
    if (!tensor) throw new InputError(`${where} has no "${name}"; it is damaged, start anew`);
    return tensor.data as Numbers;
  };
  const under = <T extends Numbers>(prefix: string): Record<string, T> =>
    Object.fromEntries(
      [...tensors]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { data }]) => [name.slice(prefix.length), data as unknown as T]),
    );
  const [step, epoch, batch, total] = numbers("count") as unknown as [number, number, number, number];
  const best = tensors.has("best") ? numbers("best") : null;
  const extra = under<Float64Array>("extra/");
  return {
    step,
    epoch,
    batch,
    total,
    losses: [...numbers("losses")],
    scores: [...numbers("scores")],
    parameters: numbers("parameters"),
    optimizer: under("optimizer/"),
    average: tensors.has("average") ? numbers("average") : null,
    statistics: under<Float32Array>("statistics/"),
    ...(Object.keys(extra).length > 0 && { extra }),
    best: best && {
      score: best[0]!,
      epoch: best[1]!,
      parameters: numbers("best/parameters"),
      statistics: under<Float32Array>("best/statistics/"),
    },
  };
}

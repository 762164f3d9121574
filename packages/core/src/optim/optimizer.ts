import type { Options } from "../options.ts";
import { resolveSettings, type Settings } from "../options.ts";
import { type Arena, type Numbers, type Slot, zerosFor } from "./arena.ts";
import type { KernelName } from "./kernels.ts";

/** What an optimizer remembers from step to step, each as long as the arena, by the names in `state`. */
export type OptimizerState = Record<string, Numbers>;

/** Which step it is. */
export interface Moment {
  /** 1 for the first step. */
  readonly step: number;
  /** The learning rate of this step. */
  readonly rate: number;
}

/** An update rule over all parameters at once. New ones: one export here and one line in `index.ts`. */
export interface Optimizer {
  readonly about: string;
  readonly options: Options;
  /** Names of what is remembered; zeros at the start. */
  readonly state: readonly string[];
  /** Changes `arena` and `state` in place. `gradients` has the arena's layout. */
  step(
    arena: Arena,
    gradients: Numbers,
    state: OptimizerState,
    settings: Readonly<Record<string, unknown>>,
    at: Moment,
  ): void;
}

/** The state an optimizer starts with. */
export function initialState(optimizer: Optimizer, arena: Arena): OptimizerState {
  return Object.fromEntries(optimizer.state.map((name) => [name, zerosFor(arena)]));
}

/** What an update of one parameter is given: its range in every array is [from, to). */
export interface Part<S> {
  readonly p: Numbers;
  readonly g: Numbers;
  readonly state: OptimizerState;
  readonly slot: Slot;
  readonly from: number;
  readonly to: number;
  readonly rate: number;
  readonly step: number;
  /** Weight decay of this parameter. */
  readonly decay: number;
  readonly settings: S;
}

/** Which kernel does an update, on which remembered arrays beside parameters and gradients, with which numbers. */
export interface Call {
  readonly kernel: KernelName;
  readonly arrays: readonly string[];
  readonly numbers: readonly number[];
}

/**
 * An optimizer out of the update of one parameter; its settings are checked at every step. `vectorised` says
 * which kernel does the same four elements at a time, where arrays lie in its memory; the rest of a parameter
 * is left to `update`.
 */
export function optimizer<const O extends Options>(
  about: string,
  options: O,
  state: readonly string[],
  update: (part: Part<Settings<O>>) => void,
  vectorised?: (part: Part<Settings<O>>) => Call,
): Optimizer {
  return {
    about,
    options,
    state,
    step(arena, g, remembered, given, at) {
      const settings = resolveSettings("optimizer", options, given);
      const weightDecay = (settings as { weightDecay?: number }).weightDecay ?? 0;
      const used = [arena.data, g, ...state.map((name) => remembered[name]!)];
      const { memory } = arena;
      const isReachable = memory && used.every(({ buffer }) => buffer === memory.buffer);
      for (const slot of arena.slots) {
        const part: Part<Settings<O>> = {
          p: arena.data,
          g,
          state: remembered,
          slot,
          from: slot.offset,
          to: slot.offset + slot.length,
          rate: at.rate * slot.rate,
          step: at.step,
          decay: weightDecay * slot.decay,
          settings,
        };
        if (!vectorised || !isReachable) {
          update(part);
          continue;
        }
        const rest = part.to - (slot.length % 4);
        const { kernel, arrays, numbers } = vectorised(part);
        const address = (array: Numbers, index: number) => array.byteOffset + index * 4;
        const starts = [arena.data, g, ...arrays.map((name) => remembered[name]!)];
        memory.kernels[kernel](
          ...starts.map((array) => address(array, slot.offset)),
          address(arena.data, rest),
          ...numbers,
        );
        if (rest < part.to) update({ ...part, from: rest });
      }
    },
  };
}

/** A number from 0 with a default. */
export const number = <const D extends number>(value: D, about: string) =>
  ({ type: "number", default: value as number, min: 0, about }) as const;
/** A switch that is off. */
export const flag = (about: string) => ({ type: "boolean", default: false as boolean, about }) as const;
/** The option every optimizer has. */
export const decayOption = number(0, "weight decay");

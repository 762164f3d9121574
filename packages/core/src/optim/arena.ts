import { InputError } from "../errors.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { type KernelMemory, kernelMemory } from "./kernels.ts";

/** Numbers of an arena: float32 in training, float64 where results are compared with a reference. */
export type Numbers = Float32Array | Float64Array;

/** One parameter's place in an arena. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  /** First element; a multiple of 16, so that every parameter starts on a cache line. */
  readonly offset: number;
  readonly length: number;
  /** Factors on the learning rate and on the weight decay of this parameter. */
  readonly rate: number;
  readonly decay: number;
}

/** All trained parameters in one flat array, so that an optimizer is one loop. */
export interface Arena {
  readonly data: Numbers;
  readonly slots: readonly Slot[];
  /** Where `data` and what belongs to it lie when vector instructions update it. */
  readonly memory?: KernelMemory | null;
}

/** How one parameter is trained, where that differs from the others. */
export interface Training {
  readonly rate?: number;
  readonly decay?: number;
}

/**
 * An arena with copies of parameters, by name. Weight decay leaves out vectors (biases, norms) unless `training` says
 * otherwise of a parameter.
 */
export function arenaOf(
  parameters: ReadonlyMap<string, Tensor>,
  training: (name: string, tensor: Tensor) => Training = () => ({}),
): Arena {
  const slots: Slot[] = [];
  let end = 0;
  let isDouble = false;
  for (const [name, tensor] of parameters) {
    if (tensor.dtype !== "float32" && tensor.dtype !== "float64")
      throw new InputError(`parameter "${name}" is ${tensor.dtype}; only float32 parameters are trained`);
    isDouble ||= tensor.dtype === "float64";
    const length = sizeOf(tensor.shape);
    const { rate = 1, decay = tensor.shape.length > 1 ? 1 : 0 } = training(name, tensor);
    slots.push({ name, shape: tensor.shape, offset: end, length, rate, decay });
    end += Math.ceil(length / 16) * 16;
  }
  // Small arenas are as fast without, and memory is not given out in small pieces.
  const memory = isDouble || end < LEAST ? null : kernelMemory(end * 4 * ARRAYS);
  const data = isDouble
    ? new Float64Array(end)
    : memory
      ? new Float32Array(memory.buffer, 0, end)
      : new Float32Array(end);
  for (const { name, offset } of slots) data.set(parameters.get(name)!.data as Numbers, offset);
  if (memory) taken.set(memory, 1);
  return { data, slots, memory };
}

const LEAST = 4096;
/**
 * Parameters, gradients and those to be added, up to three of an optimizer, a running average, one to spare.
 * What is never written takes no memory.
 */
const ARRAYS = 8;
/** How many arrays of a memory are in use. */
const taken = new WeakMap<KernelMemory, number>();

/** The part of `data` that belongs to a parameter, as a tensor over the same memory. */
export function tensorAt(data: Numbers, slot: Slot): Tensor {
  const part = data.subarray(slot.offset, slot.offset + slot.length);
  return part instanceof Float64Array
    ? { dtype: "float64", shape: slot.shape, data: part }
    : { dtype: "float32", shape: slot.shape, data: part };
}

/** Zeros as long as an arena; beside its parameters, where vector instructions reach them, while there is room. */
export function zerosFor(arena: Arena): Numbers {
  const { length } = arena.data;
  if (arena.data instanceof Float64Array) return new Float64Array(length);
  const used = arena.memory ? taken.get(arena.memory)! : ARRAYS;
  if (!arena.memory || used >= ARRAYS) return new Float32Array(length);
  taken.set(arena.memory, used + 1);
  return new Float32Array(arena.memory.buffer, used * length * 4, length);
}

/** Puts the gradients of a batch, by parameter, into `sum` [arena]. */
export function gather(arena: Arena, sum: Numbers, gradientOf: (name: string) => Numbers): void {
  for (const { name, offset } of arena.slots) sum.set(gradientOf(name), offset);
}

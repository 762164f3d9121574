import { type AttributeValue, ints, type Operand } from "../../packages/core/src/ir/build.ts";
import { sizeOf, type Tensor } from "../../packages/core/src/tensor.ts";

/** What an operator's gradient is tried on. */
export interface Sample {
  /** Shapes of the inputs that are differentiated. */
  readonly x: readonly (readonly number[])[];
  readonly rest?: readonly Operand[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
  readonly range?: readonly [number, number];
  readonly dtype?: "float32" | "float64";
  readonly opset?: number;
  /** Places of the first input that are 0. */
  readonly zeros?: readonly number[];
}

/** By operator. */
export type Samples = Readonly<Record<string, readonly Sample[]>>;

export const shapes = { x: [[2, 3]] };
export const positive = { ...shapes, range: [0.3, 2] as const };
export const inside = { ...shapes, range: [-0.8, 0.8] as const };
export const single = { ...shapes, dtype: "float32" as const };
export const pair = [
  {
    x: [
      [2, 3],
      [2, 3],
    ],
  },
  {
    x: [
      [2, 1, 3],
      [4, 1],
    ],
  },
  { x: [[3], [2, 3]] },
];
export const positivePair = pair.map((one) => ({ ...one, range: [0.3, 2] as const }));
export const reductions = [
  { x: [[2, 3, 2]], rest: [ints([1])], range: [0.3, 2] as const },
  { x: [[2, 3]], attributes: { keepdims: 0 }, range: [0.3, 2] as const },
  { x: [[2, 3, 2]], rest: [ints([0, -1])], attributes: { keepdims: 0 }, range: [0.3, 2] as const },
];
export const index = (values: number[], shape: number[]): Tensor => ({ ...ints(values), shape });
export const mask = (values: number[], shape: number[]): Tensor => ({
  dtype: "bool",
  shape,
  data: Uint8Array.from(values),
});

/** States before the first step. */
export function states(...shape: number[]): Tensor {
  return {
    dtype: "float32",
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => 0.3 - 0.2 * i),
  };
}

export function strings(...values: string[]): AttributeValue {
  return { type: "strings", value: values.map((value) => new TextEncoder().encode(value)) };
}

/** Convolutions have kernels in float32 only. */
export function conv(
  x: number[],
  w: number[],
  attributes: Sample["attributes"] & {},
  bias?: number[],
): Sample {
  return { x: bias ? [x, w, bias] : [x, w], attributes, dtype: "float32" };
}

export function norm(value: number): Tensor {
  return { dtype: "float64", shape: [3], data: Float64Array.of(value, value + 0.1, value + 0.2) };
}

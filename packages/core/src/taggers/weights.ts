import type { Builder } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import type { Random } from "../random.ts";
import { float32, sizeOf } from "../tensor.ts";

/** Draws the parameters of a network as they are appended, each from a source that its name says. */
export interface Weights {
  readonly builder: Builder;
  /** Normal with this deviation. */
  normal(name: string, shape: readonly number[], deviation: number): Value;
  /** Uniform in ±bound. */
  uniform(name: string, shape: readonly number[], bound: number): Value;
  constant(name: string, shape: readonly number[], value: number | ArrayLike<number>): Value;
}

/** Parameters appended to the graph of `builder`, drawn from `random`. */
export function weightsOf(builder: Builder, random: Random): Weights {
  const drawn = (name: string, shape: readonly number[], draw: (source: Random) => number) => {
    const source = random.fork(name);
    return builder.constant(
      float32(
        shape,
        Float32Array.from({ length: sizeOf(shape) }, () => draw(source)),
      ),
      name,
    );
  };
  return {
    builder,
    normal: (name, shape, deviation) => drawn(name, shape, (source) => deviation * source.normal()),
    uniform: (name, shape, bound) => drawn(name, shape, (source) => bound * (2 * source.uniform() - 1)),
    constant(name, shape, value) {
      const data =
        typeof value === "number" ? new Float32Array(sizeOf(shape)).fill(value) : Float32Array.from(value);
      return builder.constant(float32(shape, data), name);
    },
  };
}

/** x·W + b with W [from, to], as large on the way out as on the way in. */
export function dense(weights: Weights, x: Value, name: string, from: number, to: number): Value {
  const product = weights.builder.apply("MatMul", [
    x,
    weights.normal(`${name}.weight`, [from, to], 1 / Math.sqrt(from)),
  ]);
  return weights.builder.apply("Add", [product, weights.constant(`${name}.bias`, [to], 0)], {}, { name });
}

/** Layer normalization over the last axis (Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450). */
export function normalised(weights: Weights, x: Value, name: string, width: number): Value {
  const scale = weights.constant(`${name}.weight`, [width], 1);
  const shift = weights.constant(`${name}.bias`, [width], 0);
  return weights.builder.apply("LayerNormalization", [x, scale, shift], { axis: -1 }, { name });
}

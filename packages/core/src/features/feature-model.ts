import { InputError } from "../errors.ts";
import { type Builder, build, ints } from "../ir/build.ts";
import type { Model, Shape, Value } from "../ir/graph.ts";
import { printShape } from "../ir/print.ts";
import { prune } from "../ir/prune.ts";
import { sizeOf } from "../tensor.ts";
import { free } from "./batch.ts";
import { cutAt } from "./cut.ts";
import { defaultLayer } from "./layers.ts";
import { featureAxes } from "./layout.ts";

/**
 * How a layer becomes one row an item. "auto": the average over positions, of a text's real tokens alone;
 * "mean" the same; "max": the largest over positions; "cls": the first position of a sequence; "flatten":
 * every number in order.
 */
export type Pooling = (typeof POOLINGS)[number];

/** The names of the ways to pool. */
export const POOLINGS = ["auto", "mean", "max", "cls", "flatten"] as const;

/** Where and how features are taken. */
export interface FeatureOptions {
  /** A layer's name; the penultimate representation by default (see `defaultLayer`). */
  readonly layer?: string | null;
  readonly pooling?: Pooling;
}

/** A network that makes features. */
export interface FeatureModel {
  /** One output: "features", float32 [batch, dimension]; the batch is free. */
  readonly model: Model;
  readonly layer: string;
  readonly pooling: Pooling;
  readonly dimension: number;
  /** The inputs that are left to be fed. */
  readonly inputs: readonly Value[];
}

/**
 * The part of a network up to a layer, with its batch freed and its positions pooled: one row of `dimension`
 * numbers an item. Channels are found by what made the layer (axis 1 behind convolutions, the last behind
 * matrix products, moved by Transpose). Where the network takes an attention mask as long as the layer,
 * padding counts for nothing. Throws an InputError where the layer is not there, its rows cannot be told
 * apart or its width is not fixed.
 */
export function featureModel(model: Model, options: FeatureOptions = {}): FeatureModel {
  const { pooling = "auto" } = options;
  if (!POOLINGS.includes(pooling))
    throw new InputError(`pooling is "${pooling}"; it must be one of ${POOLINGS.join(", ")}`);
  const layer = options.layer ?? defaultLayer(model).name;
  const cut = cutAt(model, layer);
  // The mask is needed for the average although the layer may not depend on it.
  const masks = model.graph.inputs.filter(isMask).map((value) => value.name);
  for (const name of masks)
    if (!cut.graph.inputs.some((input) => input.name === name))
      cut.graph.inputs.push({ ...model.graph.inputs.find((input) => input.name === name)! });
  const freed = free(cut);
  const { graph } = freed.model;
  const value = graph.outputs[0]!;
  const rows = freed.rows.get(value);
  const where = `layer "${layer}"`;
  if (rows?.blocked) throw new InputError(`${where} gives no features: ${rows.blocked}`);
  const type = freed.types.get(value);
  if (!type?.shape)
    throw new InputError(`${where} gives no features: its shape is not known before the network runs`);
  if (!rows || rows.axis === null || type.shape[rows.axis] !== freed.symbol)
    throw new InputError(
      `${where} gives no features: its shape ${printShape(type.shape)} has no row for each item of the batch`,
    );
  if (!type.dtype || !["float32", "float64", "float16"].includes(type.dtype))
    throw new InputError(
      `${where} gives no features: it holds ${type.dtype ?? "unknown"} elements, not numbers`,
    );
  const channels = featureAxes(graph, freed.types).get(value);
  const position: Position = {
    shape: type.shape,
    batch: rows.axis,
    channels: channelsOf(type.shape, rows.axis, channels, where, pooling),
    opset: freed.model.opsets.get("") ?? 1,
  };
  const g = build(graph);
  const real = type.dtype === "float32" ? value : g.apply("Cast", [value], { to: 1 });
  const mask = maskFor(position, graph.inputs);
  const { features, dimension } = pool(g, real, position, pooling, mask, where);
  features.name = "features";
  features.dtype = "float32";
  features.shape = [freed.symbol, dimension];
  graph.outputs = [features];
  const made = { ...freed.model, graph: prune(graph, { inputs: true }) };
  return { model: made, layer, pooling, dimension, inputs: made.graph.inputs };
}

interface Position {
  readonly shape: Shape;
  readonly batch: number;
  readonly channels: number;
  readonly opset: number;
}

function pool(
  g: Builder,
  x: Value,
  { shape, batch, channels, opset }: Position,
  pooling: Pooling,
  mask: Value | null,
  where: string,
): { features: Value; dimension: number } {
  const rank = shape.length;
  if (rank === 1) return { features: shaped(g, x, [-1, 1]), dimension: 1 };
  // [batch, …positions, channels], or as it is where a map lies ready.
  const isMap = batch === 0 && channels === 1 && rank > 2;
  const positions = [...shape.keys()].filter((axis) => axis !== batch && axis !== channels);
  if (pooling === "flatten") {
    const inner = shape.filter((_, axis) => axis !== batch);
    if (!inner.every((extent) => typeof extent === "number"))
      throw new InputError(
        `${where} of shape ${printShape(shape)} cannot be flattened: its length differs from item to item; pool by mean`,
      );
    const order = [batch, ...[...shape.keys()].filter((axis) => axis !== batch)];
    const dimension = sizeOf(inner as number[]);
    return { features: shaped(g, turned(g, x, order), [-1, dimension]), dimension };
  }
  const dimension = shape[channels] as number;
  if (pooling === "cls") {
    if (rank !== 3)
      throw new InputError(
        `${where} of shape ${printShape(shape)} is no sequence, so it has no first position`,
      );
    const sequence = turned(g, x, [batch, positions[0]!, channels]);
    const first = g.apply(
      "Gather",
      [sequence, g.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(0n) })],
      {
        axis: 1,
      },
    );
    return { features: shaped(g, first, [-1, dimension]), dimension };
  }
  if (rank === 2) return { features: shaped(g, turned(g, x, [batch, channels]), [-1, dimension]), dimension };
  if (isMap && !mask) {
    const pooled = g.apply(pooling === "max" ? "GlobalMaxPool" : "GlobalAveragePool", [x]);
    return { features: shaped(g, pooled, [-1, dimension]), dimension };
  }
  const ready = turned(g, x, [batch, ...positions, channels]);
  const axes = positions.map((_, i) => i + 1);
  const reduce = (operator: "ReduceMean" | "ReduceMax" | "ReduceSum", value: Value) =>
    opset >= (operator === "ReduceSum" ? 13 : 18)
      ? g.apply(operator, [value, ints(axes)], { keepdims: 0 })
      : g.apply(operator, [value], { axes, keepdims: 0 });
  if (!mask) {
    const features = reduce(pooling === "max" ? "ReduceMax" : "ReduceMean", ready);
    return { features: shaped(g, features, [-1, dimension]), dimension };
  }
  const flags = g.apply("Cast", [mask], { to: 1 });
  const column =
    opset >= 13 ? g.apply("Unsqueeze", [flags, ints([2])]) : g.apply("Unsqueeze", [flags], { axes: [2] });
  if (pooling === "max") {
    const hidden = g.apply("Mul", [g.apply("Sub", [1, column]), 1e30]);
    return {
      features: shaped(g, reduce("ReduceMax", g.apply("Sub", [ready, hidden])), [-1, dimension]),
      dimension,
    };
  }
  const total = reduce("ReduceSum", g.apply("Mul", [ready, column]));
  const count = g.apply("Max", [reduce("ReduceSum", column), 1]);
  return { features: g.apply("Div", [total, count]), dimension };
}

function shaped(g: Builder, x: Value, shape: readonly number[]): Value {
  return g.apply("Reshape", [x, ints(shape)]);
}

function turned(g: Builder, x: Value, order: readonly number[]): Value {
  return order.every((axis, i) => axis === i) ? x : g.apply("Transpose", [x], { perm: order });
}

/** The axis of the features: where the network's nodes put it, as far as its length is known. */
function channelsOf(
  shape: Shape,
  batch: number,
  traced: number | undefined,
  where: string,
  pooling: Pooling,
): number {
  if (shape.length === 1) return 0;
  const known = (axis: number | undefined) =>
    axis !== undefined && axis !== batch && typeof shape[axis] === "number";
  const usual = shape.length === 3 ? 2 : 1;
  const others = [...shape.keys()].filter((axis) => known(axis));
  const axis = [traced, usual, ...others].find(known);
  if (axis === undefined && pooling === "flatten") return batch === 0 ? 1 : 0;
  if (axis === undefined)
    throw new InputError(
      `${where} of shape ${printShape(shape)} gives no features: no axis has a fixed length`,
    );
  return axis;
}

/** The mask over the positions of a sequence, [batch, positions]. */
function maskFor({ shape, batch, channels }: Position, inputs: readonly Value[]): Value | null {
  if (shape.length !== 3) return null;
  const length = shape[3 - batch - channels];
  return inputs.find((input) => isMask(input) && input.shape![1] === length && length !== null) ?? null;
}

function isMask({ name, dtype, shape }: Value): boolean {
  return /mask/i.test(name) && shape?.length === 2 && dtype !== "string";
}

import {
  type Builder,
  build,
  cloneModel,
  float32,
  InputError,
  initialise,
  ints,
  type Model,
  type Random,
  rowWeights,
  sizeOf,
  squaredError,
  type Tensor,
  type Value,
  withParameters,
} from "@graft-ml/core";
import type { Objective, PretrainingTask, TaskContext } from "./task.ts";

/** An image from its own features: these must hold what the image shows (Hinton and Salakhutdinov 2006). */
export const autoencode: Objective = {
  about: "images from their own features, by mean squared error",
  open: (context) => reconstruction(context, null),
};

/**
 * An image from the features of a damaged copy (Vincent et al. 2008,
 * https://doi.org/10.1145/1390156.1390294): noise is added and squares are hidden.
 */
export const denoise: Objective = {
  about: "images from the features of copies with noise and hidden squares, by mean squared error",
  open: (context) => reconstruction(context, damaged),
};

type Damage = (
  pixels: Float32Array,
  shape: ImageShape,
  settings: TaskContext["settings"],
  random: Random,
) => void;
type ImageShape = readonly [channels: number, height: number, width: number];

const INPUT = "pixel_values";
/** Rows whose mean image the baseline is. */
const MEAN_OF = 512;

function reconstruction(context: TaskContext, damage: Damage | null): PretrainingTask {
  const { opened, inputs, settings, random } = context;
  const { model, backbone } = opened;
  if (backbone.modality !== "image")
    throw new InputError(
      `${backbone.name} takes texts, and autoencode and denoise are for images; take the objective mlm with transformer-small`,
    );
  const shape = model.graph.inputs[0]!.shape!.slice(1) as unknown as ImageShape;
  const columns = sizeOf(shape);
  const clean = async (rows: Int32Array, epoch: number | null) =>
    (await inputs.feeds(rows, epoch))[INPUT]!.data as Float32Array;
  return {
    model: withDecoder(model, shape, random),
    loss(g, graph, input) {
      const [rows, all] = [graph.inputs[0]!.shape![0]!, columns];
      const targets = input("targets", "float32", [rows, all]);
      return squaredError(g, graph.outputs[0]!, targets, input("weights", "float32", [rows, all]));
    },
    async feeds(rows, count, epoch) {
      const targets = await clean(rows, epoch);
      const seen = targets.slice();
      const source = random.fork(epoch === null ? "held out" : `epoch ${epoch}`);
      if (damage)
        for (const [i, row] of rows.entries())
          damage(seen.subarray(i * columns, (i + 1) * columns), shape, settings, source.fork(`row ${row}`));
      return {
        [INPUT]: float32([rows.length, ...shape], seen),
        targets: float32([rows.length, columns], targets),
        weights: rowWeights(count, columns, rows.length),
      };
    },
    measure: "mean squared error of a pixel, pixels from -1 to 1",
    baseline: {
      about: "the mean training image, whatever is shown",
      async loss(train, heldOut) {
        const mean = new Float64Array(columns);
        const some = train.subarray(0, MEAN_OF);
        for (const row of some)
          for (const [i, value] of (await clean(Int32Array.of(row), null)).entries())
            mean[i] = mean[i]! + value / some.length;
        let sum = 0;
        for (const row of heldOut)
          for (const [i, value] of (await clean(Int32Array.of(row), null)).entries())
            sum += (value - mean[i]!) ** 2;
        return sum / (heldOut.length * columns);
      },
    },
  };
}

/**
 * The network with a decoder behind its features [batch, D]: a product to a small map, then transposed
 * convolutions, each of twice the side. One output, `reconstruction` [batch, channels · height · width].
 */
function withDecoder(model: Model, shape: ImageShape, random: Random): Model {
  const copy = cloneModel(model);
  const b = build(copy.graph);
  const features = copy.graph.outputs[0]!;
  const dimension = features.shape![1] as number;
  const [channels, height, width] = shape;
  let doublings = 0;
  while (doublings < 3 && height % 2 ** (doublings + 1) === 0 && width % 2 ** (doublings + 1) === 0)
    doublings++;
  const narrow = Math.max(8, Math.round(dimension / 2 ** doublings));
  const [rows, columns] = [height / 2 ** doublings, width / 2 ** doublings];
  let from = doublings === 0 ? channels : narrow * 2 ** (doublings - 1);
  const flat = from * rows * columns;
  let x = b.apply("MatMul", [features, parameter(b, "decoder.0.weight", [dimension, flat])]);
  x = b.apply("Add", [x, parameter(b, "decoder.0.bias", [flat])]);
  x = b.apply("Reshape", [x, ints([-1, from, rows, columns])]);
  for (let step = 1; step <= doublings; step++) {
    const to = step === doublings ? channels : from / 2;
    const name = `decoder.${step}`;
    x = b.apply(
      "ConvTranspose",
      [
        b.apply("Relu", [x]),
        parameter(b, `${name}.weight`, [from, to, 4, 4]),
        parameter(b, `${name}.bias`, [to]),
      ],
      { kernel_shape: [4, 4], strides: [2, 2], pads: [1, 1, 1, 1] },
    );
    from = to;
  }
  const made = b.apply("Reshape", [x, ints([-1, sizeOf(shape)])], {}, { name: "reconstruction" });
  copy.graph.outputs = [Object.assign(made, { dtype: "float32", shape: ["batch", sizeOf(shape)] })];
  const drawn = initialise(copy, random.fork("decoder"));
  return withParameters(copy, new Map([...drawn].filter(([name]) => name.startsWith("decoder."))));
}

function parameter(b: Builder, name: string, shape: readonly number[]): Value {
  const tensor: Tensor = float32(shape, new Float32Array(sizeOf(shape)));
  return b.constant(tensor, name);
}

const damaged: Damage = (pixels, [channels, height, width], { noise, hidden }, random) => {
  for (let i = 0; i < pixels.length; i++) pixels[i] = pixels[i]! + noise * random.normal();
  const side = Math.max(1, Math.round(Math.min(height, width) / 8));
  const [down, across] = [Math.ceil(height / side), Math.ceil(width / side)];
  const squares = random.permutation(down * across).subarray(0, Math.round(hidden * down * across));
  for (const square of squares) {
    const [top, left] = [Math.floor(square / across) * side, (square % across) * side];
    for (let c = 0; c < channels; c++)
      for (let y = top; y < Math.min(height, top + side); y++) {
        const line = (c * height + y) * width;
        pixels.fill(0, line + left, line + Math.min(width, left + side));
      }
  }
};

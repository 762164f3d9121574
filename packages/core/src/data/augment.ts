import { InputError } from "../errors.ts";
import type { Random } from "../random.ts";
import { float32, type Tensor } from "../tensor.ts";
import {
  brightened,
  contrasted,
  equalised,
  flipped,
  hueTurned,
  mapped,
  type Pixels,
  type PixelWindow,
  painted,
  saturated,
  stretched,
  table,
  warped,
} from "./pixels.ts";

/** What is done to training images, and how much of it. Left out: nothing. */
export interface AugmentOptions {
  /** A random part of the image, this least and most share of its area, of a ratio from 3/4 to 4/3. */
  readonly crop?: readonly [least: number, most: number];
  /** Left and right exchanged in half of the images. */
  readonly flip?: boolean;
  /** Brightness, contrast and saturation times 1 ± this; hue turned by up to a tenth of this. */
  readonly colour?: number;
  /** RandAugment: so many operations, of this strength from 0 to 1. */
  readonly operations?: { readonly count: number; readonly strength: number };
  /** A grey square of this share of the shorter side, at a random place. */
  readonly cutout?: number;
}

/** Changes images at random; which way is said by the given source of random numbers alone. */
export interface Augmentation {
  /** Differs where settings differ. */
  readonly fingerprint: string;
  /** The part of an image of this size that is taken; null where nothing is cropped. */
  window(size: { readonly width: number; readonly height: number }, random: Random): PixelWindow | null;
  /** Changes an image that has the network's size. */
  change(image: Pixels, random: Random): Pixels;
}

/**
 * An augmentation. Crops are those of Szegedy et al. 2015 (https://arxiv.org/abs/1409.4842, section 6),
 * operations those of RandAugment (Cubuk et al. 2020, https://arxiv.org/abs/1909.13719) but for sharpness,
 * squares those of DeVries and Taylor 2017 (https://arxiv.org/abs/1708.04552). Give each image its own
 * source, `random(seed).fork(epoch).fork(row)`: then the result depends on neither batches nor threads.
 * Throws an InputError for a setting out of range.
 */
export function augmentation(options: AugmentOptions): Augmentation {
  const { crop, flip = false, colour = 0, operations, cutout = 0 } = options;
  if (crop && !(crop[0] > 0 && crop[0] <= crop[1] && crop[1] <= 1))
    throw new InputError(`crop must be two shares of the area from above 0 to 1, got ${crop.join(", ")}`);
  for (const [name, value] of Object.entries({ colour, cutout, strength: operations?.strength ?? 0 }))
    if (!(value >= 0 && value <= 1)) throw new InputError(`${name} must be from 0 to 1, got ${value}`);
  return {
    fingerprint: JSON.stringify([1, crop ?? null, flip, colour, operations ?? null, cutout]),
    window: (size, random) => (crop ? cropOf(size, crop, random.fork("crop")) : null),
    change(image, random) {
      let made = image;
      if (flip && random.fork("flip").uniform() < 0.5) made = flipped(made);
      if (colour > 0) made = jittered(made, colour, random.fork("colour"));
      if (operations) {
        const source = random.fork("operations");
        for (let i = 0; i < operations.count; i++)
          made = OPERATIONS[source.integer(OPERATIONS.length)]!(made, operations.strength, source);
      }
      if (cutout > 0) {
        const source = random.fork("cutout");
        const side = Math.round(cutout * Math.min(made.width, made.height));
        const [x, y] = [source.integer(made.width), source.integer(made.height)];
        made = painted(made, { left: x - (side >> 1), top: y - (side >> 1), width: side, height: side });
      }
      return made;
    },
  };
}

function cropOf(
  { width, height }: { readonly width: number; readonly height: number },
  [least, most]: readonly [number, number],
  random: Random,
): PixelWindow {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * (least + (most - least) * random.uniform());
    const ratio = Math.exp(Math.log(3 / 4) + Math.log(16 / 9) * random.uniform());
    const [w, h] = [Math.round(Math.sqrt(area * ratio)), Math.round(Math.sqrt(area / ratio))];
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { left: random.integer(width - w + 1), top: random.integer(height - h + 1), width: w, height: h };
  }
  // A very long image: its middle.
  const [w, h] = [
    Math.min(width, Math.round((height * 4) / 3)),
    Math.min(height, Math.round((width * 4) / 3)),
  ];
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
}

function jittered(image: Pixels, amount: number, random: Random): Pixels {
  const factor = () => 1 + amount * (2 * random.uniform() - 1);
  const [light, contrast, colour] = [factor(), factor(), factor()];
  const turned = hueTurned(image, 0.1 * amount * (2 * random.uniform() - 1));
  return saturated(contrasted(brightened(turned, light), contrast), colour);
}

type Operation = (image: Pixels, strength: number, random: Random) => Pixels;
const sign = (random: Random) => (random.uniform() < 0.5 ? -1 : 1);
const factor = (strength: number, random: Random) => 1 + sign(random) * 0.9 * strength;

const OPERATIONS: readonly Operation[] = [
  (image) => image,
  (image) => stretched(image),
  (image) => equalised(image),
  (image, strength, random) => brightened(image, factor(strength, random)),
  (image, strength, random) => contrasted(image, factor(strength, random)),
  (image, strength, random) => saturated(image, factor(strength, random)),
  (image, strength) =>
    mapped(image, [table((pixel) => (pixel >= 256 * (1 - strength) ? 255 - pixel : pixel))]),
  (image, strength) => {
    const bits = 0xff << Math.round(4 * strength);
    return mapped(image, [table((pixel) => pixel & bits)]);
  },
  (image, strength, random) => {
    const angle = (sign(random) * strength * Math.PI) / 6;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return warped(image, [cos, sin, 0, -sin, cos, 0]);
  },
  (image, strength, random) => warped(image, [1, sign(random) * 0.3 * strength, 0, 0, 1, 0]),
  (image, strength, random) => warped(image, [1, 0, 0, sign(random) * 0.3 * strength, 1, 0]),
  (image, strength, random) => warped(image, [1, 0, sign(random) * 0.3 * strength * image.width, 0, 1, 0]),
  (image, strength, random) => warped(image, [1, 0, 0, 0, 1, sign(random) * 0.3 * strength * image.height]),
];

/** A batch mixed with itself in another order. */
export interface Mixed {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly targets: Tensor;
}

/**
 * Mixup: λ·x + (1 − λ)·x′ for the first `count` rows of inputs and targets, x′ the same rows in a random
 * order, λ from Beta(α, α) once for the batch (Zhang et al. 2018, https://arxiv.org/abs/1710.09412). Inputs
 * that are not float32 are refused.
 */
export function mixup(
  inputs: Readonly<Record<string, Tensor>>,
  targets: Tensor,
  { alpha, random, count }: { readonly alpha: number; readonly random: Random; readonly count: number },
): Mixed {
  const share = beta(alpha, random);
  const partner = random.permutation(count);
  const mixed = (name: string, tensor: Tensor): Tensor => {
    if (tensor.dtype !== "float32")
      throw new InputError(`mixup mixes numbers, but the input "${name}" is ${tensor.dtype}; switch it off`);
    const from = tensor.data as Float32Array;
    const data = from.slice();
    const size = from.length / tensor.shape[0]!;
    for (let n = 0; n < count; n++)
      for (let i = 0; i < size; i++)
        data[n * size + i] = share * from[n * size + i]! + (1 - share) * from[partner[n]! * size + i]!;
    return float32(tensor.shape, data);
  };
  return {
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, mixed(name, tensor)])),
    targets: mixed("targets", targets),
  };
}

/** Jöhnk 1964: Beta(α, α) from two powers of uniform numbers. */
function beta(alpha: number, random: Random): number {
  if (!(alpha > 0 && alpha <= 2))
    throw new InputError(`mixup's alpha must be from above 0 to 2, got ${alpha}`);
  for (;;) {
    const [x, y] = [random.uniform() ** (1 / alpha), random.uniform() ** (1 / alpha)];
    if (x + y <= 1 && x + y > 0) return x / (x + y);
  }
}

import { createHash } from "node:crypto";
import { type Change, type Feeds, type Input, InputError, type Preprocessor } from "@graft-ml/core";
import sharp from "sharp";
import type { ImageInput, JsonObject } from "../backbones/index.ts";
import { decode, type Size } from "./decode.ts";
import { crop, type Pixels, resample, type Window } from "./resample.ts";
import { cropWindow, type ImageSettings, imageSettings, resizedTo } from "./settings.ts";

export interface ImagePreprocessing {
  /** preprocessor_config.json; beyond the hub's keys, `alpha_background` is "white" (the default) or "black". */
  readonly config: JsonObject;
  /** The network's input. */
  readonly input: ImageInput;
  /** Element type of that input. */
  readonly dtype?: "float32" | "float64" | "uint8";
}

/** Changes when the same settings come to give other numbers. */
const VERSION = 2;
/** Images decoded at a time; measured fastest with one thread each. */
const IN_FLIGHT = 4;

/**
 * Feeds images as preprocessor_config.json says, with the numbers that transformers' image processors over
 * Pillow make. Throws an InputError where the file asks for what is not supported.
 */
export function imagePreprocessor({ config, input, dtype = "float32" }: ImagePreprocessing): Preprocessor {
  const settings = imageSettings(config, input);
  const tables = valueTables(settings, dtype);
  const { width, height } = settings.size;
  const extent = width * height * settings.channels;
  const shape =
    input.layout === "NCHW" ? [settings.channels, height, width] : [height, width, settings.channels];
  sharp.concurrency(1);
  sharp.cache(false); // of operations: no image comes twice
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([VERSION, settings, dtype, input.layout, input.name, sharp.versions]))
    .digest("hex");
  const made = (read: Read): Preprocessor => ({
    kind: "image",
    fingerprint,
    async prepare(inputs: readonly Input[], change?: Change): Promise<Feeds> {
      const data = new tables.Values(inputs.length * extent);
      await each(inputs, async (one, i) => {
        const pixels = change ? await changed(one, settings, read, change, i) : await read.framed(one);
        write(pixels, settings, tables.values, input.layout, data, i * extent);
      });
      return { [input.name]: { dtype, shape: [inputs.length, ...shape], data } };
    },
    keeping: (bytes) => made(kept(read, bytes)),
    files: () => ({ "preprocessor_config.json": `${JSON.stringify(config, null, 2)}\n` }),
  });
  return made({
    framed: (one) => framed(one, settings, input),
    decoded: async (one, size) => coloured(await decode(one, () => size), settings),
  });
}

/** How images are read. */
interface Read {
  /** Ready for the network but for its numbers. */
  framed(one: Input): Promise<Pixels>;
  /** Whole, in the network's channels; large ones reduced to what `size` needs. */
  decoded(one: Input, size: Size): Promise<Pixels>;
}

/** Reads each file once, as long as there is room for what comes of it; what is there stays. */
function kept(read: Read, bytes: number): Read {
  let left = bytes;
  const keep = <More extends unknown[]>(of: (one: Input, ...more: More) => Promise<Pixels>) => {
    const known = new Map<string, Pixels>();
    return async (one: Input, ...more: More): Promise<Pixels> => {
      const path = one.kind === "image" ? one.path : null;
      const before = path === null ? undefined : known.get(path);
      if (before) return before;
      const pixels = await of(one, ...more);
      if (path !== null && !known.has(path) && pixels.data.byteLength <= left) {
        left -= pixels.data.byteLength;
        known.set(path, pixels);
      }
      return pixels;
    };
  };
  return { framed: keep(read.framed), decoded: keep(read.decoded) };
}

/** Raw pixels as features, for the backbone "none": {pixels: [n, channels, size, size]} from 0 to 1. */
export function rawPixels({
  size = 32,
  channels = 3,
}: {
  size?: number;
  channels?: 1 | 3;
} = {}): Preprocessor {
  return imagePreprocessor({
    config: {
      ...(channels === 1 ? { do_convert_grayscale: true } : {}),
      do_resize: true,
      size: { height: size, width: size },
      resample: 2,
      do_rescale: true,
      rescale_factor: 1 / 255,
      do_normalize: false,
    },
    input: { name: "pixels", layout: "NCHW", channels, height: size, width: size },
  });
}

/** Decoded, coloured, resized and cut to the size the network takes, [height, width, channels]. */
async function framed(one: Input, settings: ImageSettings, network: ImageInput): Promise<Pixels> {
  const decoded = await decode(one, (size) => resizedTo(settings, size));
  const source = coloured(decoded, settings);
  const target = resizedTo(settings, source);
  if (target.width < 1 || target.height < 1) throw mismatch(one, target, settings.size);
  const window = settings.crop === null ? whole(target) : cropWindow(settings.crop, target);
  const made = resample(source, target.width, target.height, settings.filter, inside(window, target));
  const placed = settings.crop === null ? made : padded(made, window);
  const { width, height } = settings.size;
  const isSize = placed.width === width && placed.height === height;
  const fits = (network.width ?? width) === width && (network.height ?? height) === height;
  if (!isSize || !fits) throw mismatch(one, placed, settings.size);
  return placed;
}

/** As `framed`, but of a random part of the image and changed at random, both as `change` says. */
async function changed(
  one: Input,
  settings: ImageSettings,
  read: Read,
  { augmentation, random }: Change,
  index: number,
): Promise<Pixels> {
  const source = random(index);
  const { width, height } = settings.size;
  // A window needs more pixels than the whole: twice as many each way, so that half the width still has them all.
  const wanted = { width: 2 * width, height: 2 * height };
  const decoded = augmentation.window(wanted, source) ? await read.decoded(one, wanted) : null;
  const window = decoded && augmentation.window(decoded, source);
  if (!decoded || !window) return augmentation.change(await read.framed(one), source);
  const part = crop(decoded, window);
  return augmentation.change(resample(part, width, height, settings.filter), source);
}

function mismatch(one: Input, got: Size, { width, height }: Size): InputError {
  const name = one.kind === "text" ? "a text" : one.path;
  return new InputError(
    `${name} becomes ${got.width} × ${got.height} pixels, but the network takes ${width} × ${height}; correct preprocessor_config.json (do_resize, size, crop_size)`,
  );
}

const whole = ({ width, height }: Size): Window => ({ left: 0, top: 0, width, height });

function inside({ left, top, width, height }: Window, size: Size): Window {
  const [x, y] = [Math.max(0, left), Math.max(0, top)];
  return {
    left: x,
    top: y,
    width: Math.min(size.width, left + width) - x,
    height: Math.min(size.height, top + height) - y,
  };
}

/** Zeros around an image that is smaller than the crop. */
function padded(image: Pixels, window: Window): Pixels {
  const { width, height } = window;
  if (image.width === width && image.height === height) return image;
  const { channels } = image;
  const data = new Uint8Array(width * height * channels);
  const [left, top] = [Math.max(0, -window.left), Math.max(0, -window.top)];
  for (let y = 0; y < image.height; y++) {
    const line = crop(image, { left: 0, top: y, width: image.width, height: 1 });
    data.set(line.data, ((top + y) * width + left) * channels);
  }
  return { width, height, channels, data };
}

/**
 * One or three channels: alpha over the background, grey by ITU-R 601 in Pillow's fixed point, inverted where
 * asked.
 */
function coloured(source: Pixels, { channels, invert, background }: ImageSettings): Pixels {
  const from = source.channels;
  if (from === channels && !invert) return source;
  const count = source.width * source.height;
  const data = new Uint8Array(count * channels);
  const input = source.data;
  const hasAlpha = from === 2 || from === 4;
  const isColour = from >= 3;
  for (let i = 0; i < count; i++) {
    const at = i * from;
    let red = input[at]!;
    let green = isColour ? input[at + 1]! : red;
    let blue = isColour ? input[at + 2]! : red;
    if (hasAlpha) {
      const alpha = input[at + from - 1]!;
      red = over(red, alpha, background);
      green = over(green, alpha, background);
      blue = over(blue, alpha, background);
    }
    if (channels === 1) {
      const grey = isColour ? (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16 : red;
      data[i] = invert ? 255 - grey : grey;
      continue;
    }
    data[i * 3] = invert ? 255 - red : red;
    data[i * 3 + 1] = invert ? 255 - green : green;
    data[i * 3 + 2] = invert ? 255 - blue : blue;
  }
  return { ...source, channels, data };
}

function over(value: number, alpha: number, background: number): number {
  return Math.round((value * alpha + background * (255 - alpha)) / 255);
}

type Values = Float32Array | Float64Array | Uint8Array;

/** What each of the 256 values of a pixel becomes, by channel, with numpy's float32 arithmetic. */
function valueTables(settings: ImageSettings, dtype: NonNullable<ImagePreprocessing["dtype"]>) {
  const { channels, factor, offset, mean, deviation, dividesTwice } = settings;
  if (dtype === "uint8" && (factor !== null || mean !== null))
    throw new InputError(
      'the network takes bytes, but preprocessor_config.json rescales or normalises; set "do_rescale" and "do_normalize" to false',
    );
  const Values = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array }[dtype];
  const f = Math.fround;
  const values = Array.from({ length: channels }, (_, c) => {
    const table = new Values(256);
    for (let pixel = 0; pixel < 256; pixel++) {
      let value = factor === null ? pixel : f(pixel * factor);
      if (offset !== 0) value = f(value + offset);
      if (mean !== null && deviation !== null) {
        value = f(f(value - f(mean[c]!)) / f(deviation[c]!));
        if (dividesTwice) value = f(value / f(deviation[c]!));
      }
      table[pixel] = value;
    }
    return table;
  });
  return { Values, values };
}

function write(
  { data, channels, width, height }: Pixels,
  { flipped }: ImageSettings,
  tables: readonly Values[],
  layout: ImageInput["layout"],
  into: Values,
  start: number,
): void {
  const count = width * height;
  const [step, stride] = layout === "NCHW" ? [1, count] : [channels, 1];
  for (let c = 0; c < channels; c++) {
    // The mean and deviation are listed in the order of the channels that the network sees.
    const table = tables[c]!;
    const channel = flipped ? channels - 1 - c : c;
    for (let i = 0, at = channel, to = start + c * stride; i < count; i++, at += channels, to += step)
      into[to] = table[data[at]!]!;
  }
}

/** Runs `work` on every item, a few at a time; the first failure in the order of the items is thrown. */
async function each<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  const failures = new Map<number, unknown>();
  let next = 0;
  const lane = async () => {
    while (next < items.length && failures.size === 0) {
      const index = next++;
      await work(items[index]!, index).catch((error: unknown) => failures.set(index, error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, items.length) }, lane));
  if (failures.size > 0) throw failures.get(Math.min(...failures.keys()));
}

import { PRECISION, twoPasses, type Weights } from "./passes.ts";

/** Pixels in rows from the top, channels side by side: [height, width, channels]. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** A part of an image, in pixels. */
export interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The filters of Pillow by the number that preprocessor_config.json gives as `resample`. */
export const filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;
/** The name of a filter. */
export type Filter = (typeof filters)[number];

interface Kernel {
  /** Half the width over which the filter is not zero, at scale 1. */
  readonly support: number;
  weight(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const kernels: Readonly<Record<Exclude<Filter, "nearest">, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))),
  },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys 1981 with a = −1/2, as Pillow has it. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/**
 * An image at another size, [height, width, channels], of which only `window` is computed. The numbers are
 * those of Pillow's `Image.resize` on 8-bit images to the last bit (libImaging/Resample.c: two passes, rows
 * first, with weights in fixed point of 22 bits and 8 bits in between), which is what most networks were
 * trained on. Pillow 13 takes columns first where the height shrinks much more than the width
 * (https://github.com/python-pillow/Pillow/pull/9549); pixels of such images then differ from those here, and
 * from Pillow 12's, by one of 255.
 */
export function resample(
  source: Pixels,
  width: number,
  height: number,
  filter: Filter,
  window: Window = { left: 0, top: 0, width, height },
): Pixels {
  if (width === source.width && height === source.height) return crop(source, window);
  if (filter === "nearest") return nearest(source, width, height, window);
  const kernel = kernels[filter];
  const across = weights(source.width, width, kernel, window.left, window.width);
  const down = weights(source.height, height, kernel, window.top, window.height);
  const isFlat = height === source.height; // without a second pass, the rows are those of the window
  const first = isFlat ? window.top : down.starts[0]!;
  const bottom = window.height - 1;
  const last = isFlat ? first + window.height : down.starts[bottom]! + down.counts[bottom]!;
  const rows: Window = { left: 0, top: first, width: source.width, height: last - first };
  if (source.channels === 3 && width !== source.width && !isFlat) {
    const starts = down.starts.map((start) => start - first);
    const lines = source.data.subarray(first * source.width * 3, last * source.width * 3);
    const data = twoPasses({
      data: lines,
      width: source.width,
      height: last - first,
      across,
      down: { ...down, starts },
    });
    return { width: window.width, height: window.height, channels: 3, data };
  }
  const narrowed =
    width === source.width
      ? crop(source, { ...rows, left: window.left, width: window.width })
      : horizontal(source, rows, across);
  if (isFlat) return narrowed;
  return vertical(narrowed, first, down);
}

/** The part of an image that `window` names; it must lie inside. */
export function crop(source: Pixels, { left, top, width, height }: Window): Pixels {
  if (left === 0 && top === 0 && width === source.width && height === source.height) return source;
  const { channels } = source;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * source.width + left) * channels;
    data.set(source.data.subarray(from, from + width * channels), y * width * channels);
  }
  return { width, height, channels, data };
}

const HALF = 1 << (PRECISION - 1);

function weights(input: number, output: number, kernel: Kernel, from: number, count: number): Weights {
  const scale = input / output;
  const spread = Math.max(1, scale);
  const support = kernel.support * spread;
  const size = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const values = new Int32Array(count * size);
  const exact = new Float64Array(size);
  for (let i = 0; i < count; i++) {
    const center = (from + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const taps = Math.min(input, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < taps; k++) sum += exact[k] = kernel.weight((k + start - center + 0.5) * (1 / spread));
    for (let k = 0; k < taps; k++) {
      const weight = (sum === 0 ? exact[k]! : exact[k]! / sum) * (1 << PRECISION);
      values[i * size + k] = Math.trunc(weight + (weight < 0 ? -0.5 : 0.5));
    }
    starts[i] = start;
    counts[i] = taps;
  }
  return { starts, counts, values, size };
}

function horizontal(source: Pixels, rows: Window, { starts, counts, values, size }: Weights): Pixels {
  const { channels } = source;
  const width = starts.length;
  const data = new Uint8Array(width * rows.height * channels);
  const input = source.data;
  let to = 0;
  for (let y = 0; y < rows.height; y++) {
    const line = (rows.top + y) * source.width * channels;
    for (let x = 0; x < width; x++) {
      const begin = line + starts[x]! * channels;
      const weight = x * size;
      const taps = counts[x]!;
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        for (let k = 0; k < taps; k++)
          sum = (sum + Math.imul(input[begin + k * channels + c]!, values[weight + k]!)) | 0;
        data[to++] = clamped(sum >> PRECISION);
      }
    }
  }
  return { width, height: rows.height, channels, data };
}

function vertical(source: Pixels, first: number, { starts, counts, values, size }: Weights): Pixels {
  const height = starts.length;
  const stride = source.width * source.channels;
  const data = new Uint8Array(height * stride);
  const sums = new Int32Array(stride);
  const input = source.data;
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    const taps = counts[y]!;
    const weight = y * size;
    let line = (starts[y]! - first) * stride;
    let k = 0;
    // Two lines at a time: half the traffic of the sums.
    for (; k + 1 < taps; k += 2, line += 2 * stride) {
      const a = values[weight + k]!;
      const b = values[weight + k + 1]!;
      const below = line + stride;
      for (let x = 0; x < stride; x++)
        sums[x] = (sums[x]! + Math.imul(input[line + x]!, a) + Math.imul(input[below + x]!, b)) | 0;
    }
    const last = k < taps ? values[weight + k]! : 0;
    const to = y * stride;
    if (last === 0) for (let x = 0; x < stride; x++) data[to + x] = clamped(sums[x]! >> PRECISION);
    else
      for (let x = 0; x < stride; x++)
        data[to + x] = clamped((sums[x]! + Math.imul(input[line + x]!, last)) >> PRECISION);
  }
  return { ...source, height, data };
}

function nearest(source: Pixels, width: number, height: number, window: Window): Pixels {
  const { channels } = source;
  const data = new Uint8Array(window.width * window.height * channels);
  let to = 0;
  for (let y = 0; y < window.height; y++) {
    const line = Math.floor(((window.top + y + 0.5) * source.height) / height) * source.width;
    for (let x = 0; x < window.width; x++) {
      const at = (line + Math.floor(((window.left + x + 0.5) * source.width) / width)) * channels;
      for (let c = 0; c < channels; c++) data[to++] = source.data[at + c]!;
    }
  }
  return { width: window.width, height: window.height, channels, data };
}

function clamped(value: number): number {
  return Math.min(255, Math.max(0, value));
}

import { InputError } from "@graft-ml/core";
import type { ImageInput, Json, JsonObject } from "../backbones/index.ts";
import type { Size } from "./decode.ts";
import { type Filter, filters, type Window } from "./resample.ts";

/** What preprocessor_config.json says, checked, with nothing left open. */
export interface ImageSettings {
  readonly channels: 1 | 3;
  readonly invert: boolean;
  /** Channels as blue, green, red. */
  readonly flipped: boolean;
  /** What shows behind transparent pixels: 0 black, 255 white. */
  readonly background: 0 | 255;
  readonly filter: Filter;
  readonly resize:
    | { readonly kind: "none" }
    | { readonly kind: "exact"; readonly size: Size }
    | { readonly kind: "shortest"; readonly edge: number; readonly longest: number | null };
  readonly crop: Size | null;
  /** Value = (pixel · factor + offset − mean) / deviation, in float32. */
  readonly factor: number | null;
  readonly offset: number;
  readonly mean: readonly number[] | null;
  readonly deviation: readonly number[] | null;
  /** EfficientNet's second division by the deviation. */
  readonly dividesTwice: boolean;
  /** Size of what comes out. */
  readonly size: Size;
}

/** Flags that change nothing for whole images, or are dealt with below. */
const KNOWN = [
  "do_resize",
  "do_center_crop",
  "do_rescale",
  "do_normalize",
  "do_convert_rgb",
  "do_convert_grayscale",
  "do_grayscale",
  "do_invert",
  "do_flip_channel_order",
  "do_reduce_labels",
];

/** Processors that resize with bicubic where the file does not say (transformers, image_processing_*.py). */
const BICUBIC = /^(CLIP|DeiT|Bit|Levit|Siglip|Blip|ChineseCLIP|PoolFormer)/i;

/**
 * Reads preprocessor_config.json with the meaning that transformers' image processors give it. A `size` that
 * is one number is the shorter side where a centre crop follows, else both sides. Throws an InputError that
 * names the key where a value is missing, contradictory or of a kind that is not supported.
 */
export function imageSettings(config: JsonObject, input: ImageInput): ImageSettings {
  const type = String(config.image_processor_type ?? config.feature_extractor_type ?? "");
  const unknown = Object.keys(config).find(
    (key) => key.startsWith("do_") && config[key] === true && !KNOWN.includes(key),
  );
  if (unknown !== undefined) refuse(unknown, config[unknown], "is not supported; false is");
  const channels = channelsOf(config, input);
  const crops = config.do_center_crop === true;
  const given = config.do_resize === false ? { kind: "none" as const } : resizeOf(config.size, crops);
  const crop = crops ? sizeOf("crop_size", config.crop_size) : null;
  const { resize, crop: final } = special(type, config, given, crop);
  const out = final ?? (resize.kind === "exact" ? resize.size : fixedSize(input));
  if (out === null) {
    throw new InputError(
      'preprocessor_config.json makes images of differing sizes, which do not fit into one tensor; give "size" as {"height", "width"}, or "do_center_crop" with "crop_size"',
    );
  }
  const code = config.resample ?? (BICUBIC.test(type) ? 3 : 2);
  const filter = typeof code === "number" ? filters[code] : undefined;
  if (filter === undefined) return refuse("resample", code, "must be Pillow's number of a filter, 0 to 5");
  const normalizes = config.do_normalize === true;
  const factor =
    config.do_rescale === false ? null : numberOf("rescale_factor", config.rescale_factor ?? 1 / 255);
  const isShifted = config.rescale_offset === true || config.offset === true;
  return {
    channels,
    invert: config.do_invert === true,
    flipped: config.do_flip_channel_order === true,
    background: backgroundOf(config.alpha_background),
    filter,
    resize,
    crop: final,
    factor,
    offset: isShifted && factor !== null ? -1 : 0,
    mean: normalizes ? perChannel("image_mean", config.image_mean, channels) : null,
    deviation: normalizes ? perChannel("image_std", config.image_std, channels) : null,
    dividesTwice: normalizes && /^EfficientNet/.test(type) && config.include_top !== false,
    size: out,
  };
}

/** Size an image is resampled to. */
export function resizedTo({ resize }: ImageSettings, { width, height }: Size): Size {
  if (resize.kind === "none") return { width, height };
  if (resize.kind === "exact") return resize.size;
  const [short, long] = width <= height ? [width, height] : [height, width];
  let edge = resize.edge;
  let other = Math.trunc((resize.edge * long) / short);
  if (resize.longest !== null && other > resize.longest) {
    edge = Math.trunc((resize.longest * edge) / other);
    other = resize.longest;
  }
  return width <= height ? { width: edge, height: other } : { width: other, height: edge };
}

/** The part of an image that a centre crop keeps; sides may lie outside, where zeros stand. */
export function cropWindow(crop: Size, { width, height }: Size): Window {
  // transformers pads first, one more on the left and top where the number is odd, then cuts.
  const start = (have: number, want: number) =>
    have >= want ? Math.floor((have - want) / 2) : -Math.ceil((want - have) / 2);
  return { left: start(width, crop.width), top: start(height, crop.height), ...crop };
}

type Resize = ImageSettings["resize"];

/** Processors whose code differs from what their file says. */
function special(type: string, config: JsonObject, resize: Resize, crop: Size | null) {
  if (resize.kind !== "shortest") return { resize, crop };
  const square = (edge: number): Size => ({ width: edge, height: edge });
  const { edge } = resize;
  if (/^Convnext/i.test(type) && crop === null) {
    const share = numberOf("crop_pct", config.crop_pct ?? 224 / 256);
    if (edge >= 384) return { resize: { kind: "exact" as const, size: square(edge) }, crop };
    return { resize: { ...resize, edge: Math.trunc(edge / share) }, crop: square(edge) };
  }
  if (/^Levit/i.test(type)) return { resize: { ...resize, edge: Math.trunc((256 / 224) * edge) }, crop };
  if (config.crop_pct !== undefined && config.crop_pct !== null)
    refuse(
      "crop_pct",
      config.crop_pct,
      `is not supported for ${type || "a file without image_processor_type"}`,
    );
  return { resize, crop };
}

function resizeOf(size: Json | undefined, crops: boolean): Resize {
  if (typeof size === "number" && crops)
    return { kind: "shortest", edge: whole("size", size), longest: null };
  if (typeof size === "object" && size !== null && !Array.isArray(size)) {
    const { shortest_edge: edge, longest_edge: longest } = size as JsonObject;
    if (edge !== undefined && edge !== null)
      return {
        kind: "shortest",
        edge: whole("size.shortest_edge", edge),
        longest: longest === undefined || longest === null ? null : whole("size.longest_edge", longest),
      };
  }
  return { kind: "exact", size: sizeOf("size", size) };
}

function sizeOf(key: string, size: Json | undefined): Size {
  if (typeof size === "number") return { width: whole(key, size), height: whole(key, size) };
  if (typeof size === "object" && size !== null && !Array.isArray(size)) {
    const { height, width } = size as JsonObject;
    return { width: whole(`${key}.width`, width), height: whole(`${key}.height`, height) };
  }
  return refuse(key, size, 'must be a number, {"height", "width"} or, for "size", {"shortest_edge"}');
}

function fixedSize({ width, height }: ImageInput): Size | null {
  return width === null || height === null ? null : { width, height };
}

function channelsOf(config: JsonObject, input: ImageInput): 1 | 3 {
  const grey = config.do_convert_grayscale === true || config.do_grayscale === true;
  const channels = input.channels ?? (grey ? 1 : 3);
  if (channels !== 1 && channels !== 3)
    throw new InputError(
      `the network takes images of ${channels} channels; 1 (grey) and 3 (colour) are made`,
    );
  if (grey && channels === 3)
    return refuse("do_convert_grayscale", true, "contradicts the network, which takes three channels");
  return channels;
}

function backgroundOf(value: Json | undefined): 0 | 255 {
  if (value === undefined || value === "white") return 255;
  return value === "black" ? 0 : refuse("alpha_background", value, 'must be "white" or "black"');
}

function perChannel(key: string, value: Json | undefined, channels: number): number[] {
  const list = typeof value === "number" ? Array<Json>(channels).fill(value) : value;
  if (!Array.isArray(list) || list.length !== channels || !list.every((one) => typeof one === "number"))
    return refuse(key, value, `must be ${channels} number${channels === 1 ? "" : "s"}`);
  if (key === "image_std" && list.includes(0)) refuse(key, value, "must not be zero");
  return list as number[];
}

function numberOf(key: string, value: Json | undefined): number {
  return typeof value === "number" && value > 0 ? value : refuse(key, value, "must be a number above 0");
}

function whole(key: string, value: Json | undefined): number {
  const isSide = typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 16_384;
  return isSide ? value : refuse(key, value, "must be a whole number of pixels from 1 to 16384");
}

function refuse(key: string, value: Json | undefined, problem: string): never {
  throw new InputError(`preprocessor_config.json: "${key}" ${problem}, got ${JSON.stringify(value ?? null)}`);
}

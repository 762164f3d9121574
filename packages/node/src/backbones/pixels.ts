import { InputError } from "@graft-ml/core";
import type { Assumption, ImageInput } from "./backbone.ts";
import type { Json, JsonObject } from "./json.ts";

/** How networks without a stated preprocessing may have been trained; the words of `--assume`. */
export const assumptions: Readonly<Record<Assumption, string>> = {
  imagenet:
    "shorter side to 8/7 of the input, centre crop, ImageNet's mean and standard deviation (torchvision)",
  symmetric: "resized to the input, pixels from -1 to 1 (TensorFlow's MobileNet and Inception, ViT)",
  unit: "resized to the input, pixels from 0 to 1",
  bytes: "resized to the input, pixels from 0 to 255",
};

const DEFAULT_SIZE = 224;

/** What preprocessor_config.json would say, from what else is known; `note` tells people where it comes from. */
export function inferPreprocessing(
  where: string,
  input: ImageInput,
  config: JsonObject | null,
  assume: Assumption | undefined,
): { config: JsonObject; note: string } {
  const stated = fromTimm(config);
  if (stated !== null) {
    return { config: stated, note: `${where}: preprocessing as config.json states it (pretrained_cfg)` };
  }
  const size = sizeOf(input, config);
  if (assume === undefined) {
    const example = JSON.stringify(assumed("imagenet", size, input.channels ?? 3));
    throw new InputError(
      `${where} has no preprocessor_config.json, and the network says only that it takes ${shapeOf(input)}, not how pixels are scaled. ` +
        `Write that file beside the model as the network was trained, for example ${example}, or pass --assume ${Object.keys(assumptions).join("|")}`,
    );
  }
  if (assume === "imagenet" && input.channels === 1) {
    throw new InputError(
      `${where} takes grey images, which ImageNet's mean has no value for; pass --assume symmetric|unit|bytes`,
    );
  }
  const free =
    input.height === null ? `, ${size.height}×${size.width} because the network leaves the size open` : "";
  return {
    config: assumed(assume, size, input.channels ?? 3),
    note: `${where}: preprocessing is assumed, not stated: ${assumptions[assume]}${free}`,
  };
}

/** Throws where the stated preprocessing makes images of another size than a network of fixed size takes. */
export function requireSameSize(where: string, input: ImageInput, config: JsonObject): void {
  const isCropped = config.do_center_crop === true;
  if (!isCropped && config.do_resize === false) return;
  const made = extents(isCropped ? config.crop_size : config.size);
  if (made === null) return; // given by its shorter side: known once the image is
  const isSame = (input.height ?? made.height) === made.height && (input.width ?? made.width) === made.width;
  if (isSame) return;
  throw new InputError(
    `${where}: preprocessor_config.json makes images of ${made.height}×${made.width}, but the network takes ${shapeOf(input)}; correct one of them`,
  );
}

interface Size {
  readonly height: number;
  readonly width: number;
}

function assumed(assume: Assumption, { height, width }: Size, channels: number): JsonObject {
  const constant = (value: number) => Array<number>(channels).fill(value);
  const colour = channels === 1 ? { do_convert_grayscale: true } : {};
  const common = { ...colour, do_resize: true, resample: 2 };
  const rescaled = { do_rescale: true, rescale_factor: 1 / 255 };
  const whole = { size: { height, width } };
  switch (assume) {
    case "imagenet":
      return {
        ...common,
        size: { shortest_edge: Math.round((Math.min(height, width) * 8) / 7) },
        do_center_crop: true,
        crop_size: { height, width },
        ...rescaled,
        do_normalize: true,
        image_mean: [0.485, 0.456, 0.406],
        image_std: [0.229, 0.224, 0.225],
      };
    case "symmetric":
      return {
        ...common,
        ...whole,
        ...rescaled,
        do_normalize: true,
        image_mean: constant(0.5),
        image_std: constant(0.5),
      };
    case "unit":
      return { ...common, ...whole, ...rescaled, do_normalize: false };
    case "bytes":
      return { ...common, ...whole, do_rescale: false, do_normalize: false };
  }
}

/** timm writes into config.json how its models were evaluated: input size, share of the crop, mean, deviation. */
function fromTimm(config: JsonObject | null): JsonObject | null {
  const stated = config?.pretrained_cfg;
  if (typeof stated !== "object" || stated === null || Array.isArray(stated)) return null;
  const { input_size, mean, std, interpolation, crop_pct, crop_mode } = stated as JsonObject;
  const resample = { nearest: 0, lanczos: 1, bilinear: 2, bicubic: 3 }[String(interpolation)];
  if (!isNumbers(input_size) || !isNumbers(mean) || !isNumbers(std) || resample === undefined) return null;
  const [, height, width] = input_size;
  if (input_size.length !== 3 || height !== width || (crop_mode ?? "center") !== "center") return null;
  const share = typeof crop_pct === "number" && crop_pct > 0 ? crop_pct : 1;
  return {
    do_resize: true,
    size: { shortest_edge: Math.floor(height! / share) },
    resample,
    do_center_crop: true,
    crop_size: { height: height!, width: width! },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  };
}

/** The graph's own size; else config.json's; else the commonest. */
function sizeOf({ height, width }: ImageInput, config: JsonObject | null): Size {
  const stated = typeof config?.image_size === "number" ? config.image_size : DEFAULT_SIZE;
  return { height: height ?? stated, width: width ?? stated };
}

function extents(size: Json | undefined): Size | null {
  if (typeof size === "number") return { height: size, width: size };
  if (typeof size !== "object" || size === null || Array.isArray(size)) return null;
  const { height, width } = size as JsonObject;
  return typeof height === "number" && typeof width === "number" ? { height, width } : null;
}

function shapeOf({ layout, channels, height, width }: ImageInput): string {
  const [c, h, w] = [channels ?? "any", height ?? "any", width ?? "any"];
  return `[N, ${layout === "NCHW" ? `${c}, ${h}, ${w}` : `${h}, ${w}, ${c}`}]`;
}

function isNumbers(value: Json | undefined): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "number");
}

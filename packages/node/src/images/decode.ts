import { readFile } from "node:fs/promises";
import { type Input, InputError } from "@graft-ml/core";
import sharp, { type Sharp } from "sharp";
import { decodeBmp, isBmp } from "./bmp.ts";
import { jpegFrame } from "./jpeg.ts";
import { readRawImage } from "./raw.ts";
import type { Pixels } from "./resample.ts";

/** 134 million pixels: more than any camera, fewer than a decompression bomb. */
const MOST_PIXELS = 2 ** 27;
/**
 * From here on an image is reduced while it is decoded, to SMALLEST times the size wanted; Pillow calls it
 * reducing gap.
 */
const LARGE = 6;
const SMALLEST = 3;

/**
 * Decodes an image upright (EXIF orientation applied) to 8 bits a channel, as many channels as it has. Colour
 * profiles are not applied, as Pillow does not apply them. `wanted` says to what size it will be resampled:
 * an image at least six times as large both ways is reduced to three times that size on the way, which spares
 * most of the work; it may be asked of an image's size lying and upright. Throws an InputError
 * that names the file.
 */
export async function decode(input: Input, wanted: (size: Size) => Size = (size) => size): Promise<Decoded> {
  if (input.kind === "text")
    throw new InputError(`an image was expected, got the text ${JSON.stringify(input.text.slice(0, 40))}`);
  if (input.kind === "raw") {
    const { width, height, channels } = input;
    return whole({ width, height, channels, data: await readRawImage(input) });
  }
  const { path } = input;
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new InputError(
      error.code === "ENOENT"
        ? `${path}: there is no such file; correct the path or take the row out`
        : `${path} cannot be read: ${error.message}`,
    );
  });
  if (isBmp(bytes)) return whole(decodeBmp(bytes, path));
  try {
    return await decodeWithSharp(bytes, wanted);
  } catch (error) {
    throw new InputError(
      `${path} is not an image that can be read (${bytes.length === 0 ? "it is empty" : firstLine(error)}); replace it or take it out`,
      { cause: error },
    );
  }
}

/** An image and how large it was before it was reduced. */
export interface Decoded extends Pixels {
  /** Upright. */
  readonly original: Size;
}

/** Extents of an image in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

function whole(pixels: Pixels): Decoded {
  return { ...pixels, original: { width: pixels.width, height: pixels.height } };
}

async function decodeWithSharp(bytes: Uint8Array, wanted: (size: Size) => Size): Promise<Decoded> {
  const image = sharp(bytes, {
    failOn: "warning",
    limitInputPixels: MOST_PIXELS,
    ignoreIcc: true,
  }).autoOrient();
  const reducing = isPlain(bytes, wanted) ? null : await reductionOf(image, wanted);
  if (reducing !== null)
    image.resize(reducing.to.width, reducing.to.height, { fit: "fill", kernel: "linear" });
  const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { width, height, channels, data, original: reducing?.from ?? { width, height } };
}

/** Whether an image is a JPEG in colour that is not large, so that there is nothing to ask before it is decoded. */
function isPlain(bytes: Uint8Array, wanted: (size: Size) => Size): boolean {
  const frame = jpegFrame(bytes);
  if (frame === null || frame.components !== 3) return false;
  const turned = { width: frame.height, height: frame.width };
  return [frame, turned].every((size) => timesLarger(size, wanted(size)) < LARGE);
}

/** The sizes to reduce an image from and to while it is decoded, or null; grey stays grey, all else becomes sRGB. */
async function reductionOf(
  image: Sharp,
  wanted: (size: Size) => Size,
): Promise<{ readonly from: Size; readonly to: Size } | null> {
  const { autoOrient: from, space } = await image.metadata();
  if (space !== "b-w") image.toColourspace("srgb");
  const target = wanted(from);
  if (timesLarger(from, target) < LARGE) return null;
  return { from, to: { width: target.width * SMALLEST, height: target.height * SMALLEST } };
}

function timesLarger(size: Size, target: Size): number {
  return Math.min(size.width / target.width, size.height / target.height);
}

function firstLine(error: unknown): string {
  return (error as Error).message.trim().split("\n")[0]!;
}

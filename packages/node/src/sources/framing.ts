import type { Json, JsonObject } from "../backbones/json.ts";

/**
 * Which part of an image a network sees. "stated": as preprocessor_config.json says; "crop": where that
 * squeezes the whole image into the network's size, the centre of the image in its own proportions instead;
 * "auto": both, to choose from.
 */
export type Framing = (typeof FRAMINGS)[number];

/** The names of the framings, the default first. */
export const FRAMINGS = ["stated", "crop", "auto"] as const;

/** Shorter side over the crop's: 256 to 224, how networks for ImageNet are mostly tested (Krizhevsky et al. 2012). */
const MARGIN = 8 / 7;

/**
 * A preprocessor_config.json that cuts the centre out of the image at the size that `config` squeezes all of
 * it into. Null where that one keeps proportions already, or makes no fixed size.
 */
export function centreCropped(config: JsonObject): JsonObject | null {
  if (config.do_resize === false || config.do_center_crop === true) return null;
  const size = extents(config.size);
  if (size === null) return null;
  const edge = Math.round(Math.max(size.height, size.width) * MARGIN);
  return { ...config, size: { shortest_edge: edge }, do_center_crop: true, crop_size: size };
}

function extents(size: Json | undefined): { height: number; width: number } | null {
  if (typeof size === "number") return { height: size, width: size };
  if (typeof size !== "object" || size === null || Array.isArray(size)) return null;
  const { height, width } = size as JsonObject;
  return typeof height === "number" && typeof width === "number" ? { height, width } : null;
}

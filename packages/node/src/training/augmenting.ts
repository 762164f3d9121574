import { type Augmentation, augmentation, InputError, type Preprocessor } from "@graft-ml/core";
import type { FineTuneSettings } from "./methods.ts";

/** Settings that say how training images are changed. */
export type AugmentationSettings = Pick<
  FineTuneSettings,
  "flip" | "crop" | "colour" | "operations" | "cutout"
>;

/** The augmentation that settings ask for; null for none. Throws an InputError where texts were to be augmented. */
export function augmentationOf(settings: AugmentationSettings, { kind }: Preprocessor): Augmentation | null {
  const { flip, crop, colour, operations, cutout } = settings;
  if (!flip && crop === 1 && colour === 0 && operations === 0 && cutout === 0) return null;
  if (kind !== "image")
    throw new InputError("flip, crop, colour, operations and cutout change images; these rows are texts");
  return augmentation({
    flip,
    colour,
    cutout,
    ...(crop < 1 && { crop: [crop, 1] }),
    ...(operations > 0 && { operations: { count: operations, strength: 0.5 } }),
  });
}

import type { Augmentation } from "../data/augment.ts";
import type { Input } from "../data/dataset.ts";
import type { Random } from "../random.ts";
import type { Feeds } from "../runtime/runtime.ts";

/** How training images are changed at random. Preprocessors of texts refuse one. */
export interface Change {
  readonly augmentation: Augmentation;
  /** The source of random numbers of each input of the call. */
  random(index: number): Random;
}

/** Turns raw inputs into what a network is fed, always the same way. */
export interface Preprocessor {
  readonly kind: "image" | "text";
  /** Differs wherever a setting differs that changes what is fed; part of every cache key. */
  readonly fingerprint: string;
  /**
   * Tensors [n, …] by input name for n inputs, in order. A row's numbers depend on its own input alone, given
   * that all inputs of one call have the same `extentOf`. Throws an InputError that names the input that
   * cannot be read.
   */
  prepare(inputs: readonly Input[], change?: Change): Promise<Feeds>;
  /**
   * Extent an input is padded to (tokens of a text, rounded up); left out where all inputs have one extent.
   * Only inputs of equal extents may share a call of `prepare`.
   */
  extentOf?(input: Input): number;
  /**
   * The same preprocessor, which keeps up to so many bytes of what it read and decoded, for inputs that are
   * asked for again and again; left out where reading costs nothing.
   */
  keeping?(bytes: number): Preprocessor;
  /** What an artefact must hold to make this preprocessor again, by file name. */
  files(): Readonly<Record<string, string | Uint8Array>>;
}

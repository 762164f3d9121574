import { elementwise } from "./elementwise.ts";
import { images } from "./images.ts";
import { normalization } from "./normalization.ts";
import { products } from "./products.ts";
import { recurrent } from "./recurrent.ts";
import type { Samples } from "./sample.ts";
import { shaping } from "./shaping.ts";

export { microsoft } from "./microsoft.ts";
export type { Sample } from "./sample.ts";

/** What every rule of ai.onnx is tried on. */
export const samples: Samples = {
  ...elementwise,
  ...images,
  ...normalization,
  ...products,
  ...recurrent,
  ...shaping,
};

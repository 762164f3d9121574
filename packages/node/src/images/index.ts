export { decode, type Size } from "./decode.ts";
export { type ImagePreprocessing, imagePreprocessor, rawPixels } from "./preprocessor.ts";
export { readRawImage } from "./raw.ts";
export { type Filter, type Pixels, resample } from "./resample.ts";

export * from "@graft-ml/core";
export * from "./backbones/index.ts";
export { cacheFolder, featureCache } from "./cache.ts";
export * from "./check/index.ts";
export * from "./data/index.ts";
export * from "./extract/index.ts";
export {
  type HubReference,
  type HubSettings,
  hubSettings,
  openSnapshot,
  parseHubReference,
  type Snapshot,
} from "./hub/index.ts";
export { type ImagePreprocessing, imagePreprocessor, rawPixels, readRawImage } from "./images/index.ts";
export * from "./multitask/index.ts";
export * from "./pretrain/index.ts";
export * from "./report/index.ts";
export * from "./runs/index.ts";
export * from "./runtime/index.ts";
export * from "./sources/index.ts";
export * from "./tagging/index.ts";
export * from "./texts/index.ts";
export * from "./training/index.ts";
export { VERSION } from "./version.ts";
export * from "./words/index.ts";

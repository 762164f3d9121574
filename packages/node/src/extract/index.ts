export { contentHash } from "./content.ts";
export { batchOf, type ExtractedFeatures, type ExtractOptions, extractFeatures } from "./extract.ts";
export { npyBlocks } from "./npy-blocks.ts";
export type { FeatureFormat } from "./output.ts";

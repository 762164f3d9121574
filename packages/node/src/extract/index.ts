export { contentHash } from "./content.ts";
export { type ExtractedFeatures, type ExtractOptions, extractFeatures } from "./extract.ts";
export type { FeatureFormat } from "./output.ts";

export { openSource, openSources, type SourceOptions } from "./open.ts";
export type { ReadingOptions, Source, SourceFeatures } from "./source.ts";

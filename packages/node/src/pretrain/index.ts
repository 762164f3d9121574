export { OBJECTIVES, type PretrainedRun, type PretrainRunOptions, pretrainRun } from "./pretrain-run.ts";
export { type PretrainSettings, pretrainOptions } from "./settings.ts";
export type { PretrainMetrics } from "./write-pretraining.ts";

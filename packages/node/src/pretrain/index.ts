export {
  OBJECTIVES,
  type PretrainedRun,
  type PretrainMetrics,
  type PretrainRunOptions,
  pretrainRun,
} from "./pretrain-run.ts";
export { type PretrainSettings, pretrainOptions } from "./settings.ts";

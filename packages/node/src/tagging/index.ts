export { firstTagging, readTaggerConfig, type TaggerConfig, taskOf } from "./config.ts";
export { ENCODER_METHODS, type EncoderMethod } from "./learn-pretrained.ts";
export type { TaggingMetrics, TaggingTest, TaggingTransfer } from "./metrics.ts";
export {
  openTaggerRun,
  type TaggedSentence,
  type TaggerRun,
  type TaggingReplay,
  type TagRunOptions,
} from "./open-tagger-run.ts";
export {
  type FoundSpan,
  foundSpans,
  predictionLine,
  type TaggedForm,
  taggedForm,
  taggedText,
} from "./predictions.ts";
export type { EncoderOptions } from "./pretrained-trunk.ts";
export { renderTaggingReport, rivalOf, type TaggingReport } from "./report.ts";
export type { Sentence } from "./sentences.ts";
export { TAGGER_NAMES, taggerOptions } from "./settings.ts";
export { type TrainedTaggerRun, type TrainTaggerRunOptions, trainTaggerRun } from "./train-tagger-run.ts";
export { writeTaggingReport } from "./write-report.ts";

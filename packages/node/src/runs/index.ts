export { classesOf, type RunConfig, readRunConfig, tasksOf } from "./config.ts";
export type { Baselines, Chosen, Metrics, Timing } from "./metrics.ts";
export { type Evaluated, openRun, type Predicted, type Run } from "./open-run.ts";
export { csvOf, type Prediction, predictionForm } from "./predictions.ts";
export type { Golden, GoldenRow, Replay } from "./replay.ts";
export type { MultitaskConfig, TaskConfig } from "./task-config.ts";
export { type TrainedRun, type TrainRunOptions, trainRun } from "./train-run.ts";
export { verifyRun } from "./verify.ts";
export { writeReport } from "./write-report.ts";

export type { KindContext, OpenTask, TaskKind } from "./kind.ts";
export * as taskKinds from "./kinds/index.ts";
export type { AuxiliaryMetrics, MultitaskMetrics, TaskMetrics } from "./metrics.ts";
export { type MultitaskOptions, type MultitaskRun, multitaskRun } from "./multitask-run.ts";
export type { MultitaskReport } from "./page.ts";
export { readTasksFile, type TasksFile, tasksFile, trainingOptions } from "./tasks-file.ts";

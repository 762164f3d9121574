export type * from "./data/dataset.ts";
export * from "./errors.ts";
export type * from "./heads/head.ts";
export * from "./ir/build.ts";
export type * from "./ir/graph.ts";
export * from "./options.ts";
export * from "./random.ts";
export type * from "./runtime/runtime.ts";
export * from "./tensor.ts";

export * from "./bootstrap.ts";
export * from "./calibration.ts";
export * from "./compare.ts";
export * from "./interval.ts";
export * from "./map.ts";
export * from "./repeated.ts";
export * from "./scores.ts";
export * from "./transfer.ts";

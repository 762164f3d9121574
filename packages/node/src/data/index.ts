export { dataOptions } from "./format.ts";
export { type ReadOptions, readDataset } from "./read.ts";

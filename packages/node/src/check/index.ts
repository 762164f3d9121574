export { type CheckOptions, checkDataset, nearDuplicateGroups } from "./check.ts";
export { writeCheck } from "./output.ts";

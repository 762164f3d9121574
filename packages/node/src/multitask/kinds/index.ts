// Kinds of tasks that can share a trunk, a line each; the export's name is what TASKS.json calls it.
export { classification } from "./classification.ts";
export { keep } from "./keep.ts";
export { mlm } from "./mlm.ts";
export { tagging } from "./tagging.ts";
export { wordFrequency as "word-frequency" } from "./word-frequency.ts";

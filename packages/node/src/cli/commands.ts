// Every command of the program, a line each; the export's name is the command's.
export { check } from "./check.ts";
export { embed } from "./embed.ts";
export { evaluate } from "./evaluate.ts";
export { extract } from "./extract.ts";
export { layers } from "./layers.ts";
export { multitask } from "./multitask.ts";
export { predict } from "./predict.ts";
export { pretrain } from "./pretrain.ts";
export { report } from "./report.ts";
export { train } from "./train.ts";
export { vectors } from "./vectors.ts";
export { verify } from "./verify.ts";

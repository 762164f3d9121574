// Every command of the program, a line each; the export's name is the command's.
export { check } from "./check.ts";
export { layers } from "./layers.ts";

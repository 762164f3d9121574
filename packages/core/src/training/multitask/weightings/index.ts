// How the losses of tasks are weighed against each other, a line each; the export's name is the weighting's.
export { dwa } from "./dwa.ts";
export { famo } from "./famo.ts";
export { fixed } from "./fixed.ts";
export { gradnorm } from "./gradnorm.ts";
export { pcgrad } from "./pcgrad.ts";
export { uncertainty } from "./uncertainty.ts";

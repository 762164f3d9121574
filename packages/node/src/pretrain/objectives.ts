// What can be learnt without labels, a line each; the export's name is the objective's.
export { autoencode, denoise } from "./autoencode.ts";
export { mlm } from "./mlm.ts";

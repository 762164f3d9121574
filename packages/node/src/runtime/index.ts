export { coresIn, physicalCores } from "./cores.ts";
export { type Device, type OrtRuntime, type OrtRuntimeOptions, ortRuntime } from "./ort-runtime.ts";
export { takingOwn } from "./taking-own.ts";

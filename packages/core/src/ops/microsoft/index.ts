export * from "./activations.ts";
export * from "./attention.ts";
export * from "./norms.ts";
export * from "./rotary.ts";

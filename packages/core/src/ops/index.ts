export * from "./activations.ts";
export * from "./arithmetic.ts";
export { Conv, ConvTranspose } from "./convolution.ts";
export * from "./linear.ts";
export * from "./normalization.ts";
export * from "./pooling.ts";
export * from "./reduction.ts";
export * from "./shaping.ts";

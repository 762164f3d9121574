export * from "./activations.ts";
export * from "./arithmetic.ts";
export { Attention } from "./attention.ts";
export { Conv, ConvTranspose } from "./convolution.ts";
export {
  GroupNormalization,
  InstanceNormalization,
  LpNormalization,
  LRN,
  MeanVarianceNormalization,
  RMSNormalization,
  SimplifiedLayerNormalization,
} from "./groups.ts";
export { Einsum, Gemm, MatMul } from "./linear.ts";
export * from "./normalization.ts";
export * from "./placing.ts";
export * from "./pooling.ts";
export * from "./recurrent.ts";
export * from "./reduction.ts";
export { RotaryEmbedding } from "./rotary.ts";
export {
  Compress,
  Concat,
  DepthToSpace,
  Expand,
  Flatten,
  Gather,
  GatherElements,
  GatherND,
  Reshape,
  ReverseSequence,
  Slice,
  SpaceToDepth,
  Split,
  Squeeze,
  Tile,
  Transpose,
  Unsqueeze,
} from "./shaping.ts";

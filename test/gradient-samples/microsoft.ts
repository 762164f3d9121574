import { conv, type Samples, single } from "./sample.ts";

/** Operators of com.microsoft. */
export const microsoft: Samples = {
  Gelu: [single],
  BiasGelu: [{ x: [[2, 3], [3]], dtype: "float32" }],
  QuickGelu: [single],
  FastGelu: [single, { x: [[2, 3], [3]], dtype: "float32" }],
  FusedMatMul: [
    {
      x: [
        [2, 3, 2],
        [2, 3, 4],
      ],
      attributes: { transA: 1, alpha: 0.5 },
      dtype: "float32",
    },
    {
      x: [
        [2, 3],
        [4, 3],
      ],
      attributes: { transB: 1 },
      dtype: "float32",
    },
  ],
  FusedConv: [conv([1, 2, 4, 4], [2, 2, 3, 3], { activation: "Tanh", pads: [1, 1, 1, 1] }, [2])],
  FusedGemm: [{ x: [[2, 3], [3, 4], [4]], attributes: { activation: "Tanh" }, dtype: "float32" }],
  SkipLayerNormalization: [{ x: [[1, 2, 4], [1, 2, 4], [4], [4], [4]], dtype: "float32" }],
  SkipSimplifiedLayerNormalization: [{ x: [[1, 2, 4], [1, 2, 4], [4], [4]], dtype: "float32" }],
  EmbedLayerNormalization: [],
  RotaryEmbedding: [],
  Attention: [
    {
      x: [[2, 3, 4], [4, 12], [12]],
      rest: [{ dtype: "int32", shape: [2], data: Int32Array.of(3, 2) }],
      attributes: { num_heads: 2 },
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [[1, 3, 4], [4, 12], [12]],
      rest: [{ dtype: "int32", shape: [1, 3, 3], data: Int32Array.of(1, 1, 0, 1, 0, 1, 0, 1, 1) }],
      attributes: { num_heads: 2, scale: 0.4 },
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [[1, 3, 4], [4, 12], [12]],
      attributes: { num_heads: 2, unidirectional: 1 },
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [[1, 3, 4], [4, 12], [12]],
      rest: [{ dtype: "int32", shape: [1, 3], data: Int32Array.of(1, 1, 0) }],
      attributes: { num_heads: 2 },
      dtype: "float32",
      range: [-1, 1],
    },
  ],
  MultiHeadAttention: [
    {
      x: [
        [1, 3, 4],
        [1, 3, 4],
        [1, 3, 4],
      ],
      attributes: { num_heads: 2, unidirectional: 1 },
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [[1, 2, 4], [1, 3, 4], [1, 3, 4], [12]],
      attributes: { num_heads: 2 },
      dtype: "float32",
      range: [-1, 1],
    },
  ],
};

import { float, ints } from "../../packages/core/src/ir/build.ts";
import { index, mask, reductions, type Samples, shapes } from "./sample.ts";

/** Products, reductions, softmax and attention. */
export const products: Samples = {
  Softmax: [{ x: [[2, 3, 2]], attributes: { axis: 0 } }, shapes, { x: [[2, 3, 2]], attributes: { axis: 1 } }],
  LogSoftmax: [shapes, { x: [[2, 3, 2]], attributes: { axis: 1 } }],
  MatMul: [
    {
      x: [
        [2, 3],
        [3, 4],
      ],
    },
    {
      x: [
        [2, 2, 3],
        [3, 4],
      ],
    },
    {
      x: [
        [2, 2, 3],
        [2, 3, 4],
      ],
    },
    {
      x: [
        [2, 1, 2, 3],
        [3, 3, 4],
      ],
    },
    { x: [[3], [3, 4]] },
    { x: [[2, 3], [3]] },
    { x: [[3], [3]] },
    { x: [[2, 2, 3], [3]] },
    { x: [[3], [2, 3, 4]] },
  ],
  Gemm: [
    { x: [[2, 3], [3, 4], [4]] },
    {
      x: [
        [3, 2],
        [4, 3],
        [2, 1],
      ],
      attributes: { transA: 1, transB: 1, alpha: 0.5, beta: float(2) },
    },
    {
      x: [
        [3, 2],
        [3, 4],
      ],
      attributes: { transA: 1 },
    },
    {
      x: [
        [2, 3],
        [4, 3],
        [2, 4],
      ],
      attributes: { transB: 1 },
    },
  ],
  Einsum: [
    {
      x: [
        [2, 3, 2],
        [2, 2, 4],
        [4, 3],
      ],
      attributes: { equation: "bij,bjk,kl->bil" },
    },
    { x: [[3], [4]], attributes: { equation: "i,j->ij" } },
    {
      x: [
        [2, 3],
        [3, 4],
      ],
      attributes: { equation: "ij,jk->ik" },
    },
    { x: [[2, 3]], attributes: { equation: "ij->j" } },
    {
      x: [
        [2, 3, 2],
        [2, 4, 2],
      ],
      attributes: { equation: "bqd,bkd->bqk" },
    },
  ],
  ReduceSum: reductions,
  ReduceMean: reductions,
  ReduceMax: reductions,
  ReduceMin: reductions,
  ReduceL1: reductions.map((one) => ({ ...one, dtype: "float32" as const })),
  ReduceL2: reductions.map((one) => ({ ...one, dtype: "float32" as const })),
  ReduceSumSquare: reductions,
  ReduceLogSum: reductions.map((one) => ({ ...one, dtype: "float32" as const })),
  ReduceLogSumExp: reductions,
  ReduceProd: [
    ...reductions.map((one) => ({ ...one, dtype: "float32" as const })),
    { x: [[3, 3]], rest: [ints([1])], dtype: "float32", zeros: [1, 3, 4] },
  ],
  Attention: [
    {
      x: [
        [2, 2, 3, 4],
        [2, 2, 5, 4],
        [2, 2, 5, 2],
      ],
      dtype: "float32",
      opset: 23,
      range: [-1, 1],
    },
    {
      x: [
        [1, 3, 8],
        [1, 3, 4],
        [1, 3, 4],
      ],
      rest: [mask([1, 0, 1, 1, 1, 0, 0, 1, 1], [3, 3])],
      attributes: { q_num_heads: 4, kv_num_heads: 2, scale: 0.3 },
      dtype: "float32",
      opset: 23,
      range: [-1, 1],
    },
    {
      x: [
        [1, 2, 3, 4],
        [1, 2, 3, 4],
        [1, 2, 3, 4],
        [2, 3, 3],
      ],
      attributes: { is_causal: 1 },
      dtype: "float32",
      opset: 23,
      range: [-1, 1],
    },
    {
      x: [
        [1, 2, 3, 4],
        [1, 2, 3, 4],
        [1, 2, 3, 4],
      ],
      attributes: { softcap: 1.5, is_causal: 1 },
      dtype: "float32",
      opset: 23,
      range: [-1, 1],
    },
  ],
  RotaryEmbedding: [
    {
      x: [
        [1, 2, 3, 4],
        [6, 2],
        [6, 2],
      ],
      rest: [index([0, 2, 5], [1, 3])],
      dtype: "float32",
      opset: 23,
    },
    {
      x: [
        [1, 3, 12],
        [1, 3, 2],
        [1, 3, 2],
      ],
      attributes: { num_heads: 2, interleaved: 1, rotary_embedding_dim: 4 },
      dtype: "float32",
      opset: 23,
    },
  ],
};

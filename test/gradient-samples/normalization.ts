import { float } from "../../packages/core/src/ir/build.ts";
import { norm, type Samples } from "./sample.ts";

/** Normalizations. */
export const normalization: Samples = {
  LayerNormalization: [
    { x: [[2, 3, 4], [4], [4]], dtype: "float32" },
    {
      x: [
        [2, 3, 4],
        [3, 4],
      ],
      attributes: { axis: 1 },
      dtype: "float32",
    },
  ],
  InstanceNormalization: [
    { x: [[2, 3, 4], [3], [3]], dtype: "float32" },
    { x: [[1, 2, 3, 2], [2], [2]], attributes: { epsilon: float(0.01) }, dtype: "float32" },
  ],
  LRN: [
    { x: [[1, 5, 2, 1]], attributes: { size: 3, alpha: 0.5, beta: 0.75, bias: float(2) }, dtype: "float32" },
    { x: [[1, 4, 2, 2]], attributes: { size: 5, alpha: 0.5 }, dtype: "float32" },
  ],
  MeanVarianceNormalization: [{ x: [[2, 2, 3, 2]], dtype: "float32" }],
  GroupNormalization: [
    { x: [[2, 4, 3], [4], [4]], attributes: { num_groups: 2 }, dtype: "float32", opset: 21 },
  ],
  RMSNormalization: [{ x: [[2, 3, 4], [4]], dtype: "float32", opset: 23 }],
  SimplifiedLayerNormalization: [{ x: [[2, 3, 4], [4]], dtype: "float32" }],
  LpNormalization: [
    { x: [[2, 3]], dtype: "float32" },
    { x: [[2, 3]], attributes: { p: 1, axis: 0 }, dtype: "float32" },
  ],
  BatchNormalization: [
    { x: [[2, 3, 2], [3], [3]], rest: [norm(0.1), norm(0.8)] },
    { x: [[4, 3], [3], [3]], rest: [norm(0.1), norm(0.8)] },
    { x: [[2, 3, 2, 2], [3], [3]], rest: [norm(0), norm(1)], attributes: { training_mode: 1 }, outputs: 3 },
  ],
};

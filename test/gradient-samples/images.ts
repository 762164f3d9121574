import { ints } from "../../packages/core/src/ir/build.ts";
import { conv, type Samples } from "./sample.ts";

/** Convolutions, pooling, resizing. */
export const images: Samples = {
  Resize: [
    {
      x: [[1, 2, 3, 4]],
      rest: [null, { dtype: "float32", shape: [4], data: Float32Array.of(1, 1, 2, 2) }],
      attributes: { mode: "linear" },
      dtype: "float32",
    },
    {
      x: [[1, 2, 3, 4]],
      rest: [null, { dtype: "float32", shape: [4], data: Float32Array.of(1, 1, 2, 3) }],
      attributes: { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
      dtype: "float32",
    },
    {
      x: [[1, 1, 4, 5]],
      rest: [null, null, ints([1, 1, 7, 3])],
      attributes: { mode: "linear", coordinate_transformation_mode: "align_corners" },
      dtype: "float32",
    },
    {
      x: [[1, 1, 4, 5]],
      rest: [null, null, ints([1, 1, 6, 8])],
      attributes: { mode: "cubic" },
      dtype: "float32",
    },
    {
      x: [[1, 1, 4, 5]],
      rest: [null, { dtype: "float32", shape: [4], data: Float32Array.of(1, 1, 2, 2) }],
      attributes: {
        mode: "cubic",
        coordinate_transformation_mode: "pytorch_half_pixel",
        cubic_coeff_a: -0.75,
      },
      dtype: "float32",
    },
    {
      x: [[1, 1, 6, 5]],
      rest: [null, null, ints([1, 1, 3, 8])],
      attributes: { mode: "linear", coordinate_transformation_mode: "pytorch_half_pixel" },
      dtype: "float32",
    },
    {
      x: [[1, 2, 4, 4]],
      rest: [null, null, ints([1, 2, 7, 6])],
      attributes: { mode: "nearest" },
      dtype: "float32",
    },
    {
      x: [[1, 1, 6, 6]],
      rest: [null, null, ints([1, 1, 3, 4])],
      attributes: { mode: "linear", antialias: 1 },
      dtype: "float32",
      opset: 18,
    },
    {
      x: [[2, 2, 5]],
      rest: [null, { dtype: "float32", shape: [3], data: Float32Array.of(1, 1, 2) }],
      attributes: { mode: "linear" },
      dtype: "float32",
    },
  ],
  Conv: [
    conv([2, 3, 5, 6], [4, 3, 3, 3], { pads: [1, 1, 1, 1] }, [4]),
    conv([2, 3, 7, 6], [4, 3, 3, 3], { pads: [1, 0, 2, 1], strides: [2, 3] }, [4]),
    conv([2, 4, 6, 6], [4, 1, 3, 3], { pads: [1, 1, 1, 1], group: 4 }),
    conv([2, 4, 6, 6], [8, 1, 3, 3], { pads: [1, 1, 1, 1], group: 4, strides: [2, 2] }),
    conv([2, 4, 6, 6], [6, 2, 3, 3], { dilations: [2, 2], pads: [2, 2, 2, 2], group: 2 }),
    conv([2, 3, 4, 4], [5, 3, 1, 1], {}),
    conv([2, 3, 5, 4], [5, 3, 1, 1], { strides: [2, 2] }),
    conv([2, 2, 9, 8], [3, 2, 5, 5], { strides: [2, 2], pads: [2, 2, 2, 2] }),
    conv([2, 3, 8], [4, 3, 3], { pads: [1, 1] }),
    conv([2, 3, 5, 6], [4, 3, 3, 2], { auto_pad: "SAME_UPPER", strides: [2, 2] }),
    conv([1, 2, 5, 5], [2, 2, 2, 2], { auto_pad: "SAME_LOWER" }),
  ],
  ConvTranspose: [
    conv([1, 2, 3, 4], [2, 3, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] }, [3]),
    conv([2, 4, 3, 3], [4, 2, 2, 2], { strides: [2, 2], group: 2 }),
    conv([1, 2, 5], [2, 3, 3], { dilations: [2] }),
  ],
  MaxPool: [
    { x: [[2, 2, 4, 6]], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
    { x: [[1, 2, 5, 5]], attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } },
    { x: [[1, 2, 7]], attributes: { kernel_shape: [3], strides: [2], ceil_mode: 1 } },
  ],
  AveragePool: [
    { x: [[2, 2, 4, 6]], attributes: { kernel_shape: [2, 2], strides: [2, 2] }, dtype: "float32" },
    {
      x: [[1, 2, 5, 5]],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
      dtype: "float32",
    },
    {
      x: [[1, 2, 6, 6]],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], count_include_pad: 1 },
      dtype: "float32",
    },
  ],
  GlobalAveragePool: [{ x: [[2, 3, 2, 4]], dtype: "float32" }],
  GlobalMaxPool: [{ x: [[2, 3, 2, 4]], dtype: "float32" }],
};

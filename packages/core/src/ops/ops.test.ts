import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/gradients.ts";
import { type AttributeValue, build, emptyGraph, float, ints, type Operand } from "../ir/build.ts";
import type { Graph, Model } from "../ir/graph.ts";
import { inferShapes } from "../ir/shapes.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import * as ops from "./index.ts";
import * as microsoft from "./microsoft/index.ts";
import type { Op } from "./op.ts";

interface Sample {
  /** Shapes of the inputs that are differentiated. */
  readonly x: readonly (readonly number[])[];
  readonly rest?: readonly Operand[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
  readonly range?: readonly [number, number];
  readonly dtype?: "float32" | "float64";
  readonly opset?: number;
  /** Places of the first input that are 0. */
  readonly zeros?: readonly number[];
}

const shapes = { x: [[2, 3]] };
const positive = { ...shapes, range: [0.3, 2] as const };
const inside = { ...shapes, range: [-0.8, 0.8] as const };
const single = { ...shapes, dtype: "float32" as const };
const pair = [
  {
    x: [
      [2, 3],
      [2, 3],
    ],
  },
  {
    x: [
      [2, 1, 3],
      [4, 1],
    ],
  },
  { x: [[3], [2, 3]] },
];
const positivePair = pair.map((one) => ({ ...one, range: [0.3, 2] as const }));
const reductions = [
  { x: [[2, 3, 2]], rest: [ints([1])], range: [0.3, 2] as const },
  { x: [[2, 3]], attributes: { keepdims: 0 }, range: [0.3, 2] as const },
  { x: [[2, 3, 2]], rest: [ints([0, -1])], attributes: { keepdims: 0 }, range: [0.3, 2] as const },
];
const index = (values: number[], shape: number[]): Tensor => ({ ...ints(values), shape });
const mask = (values: number[], shape: number[]): Tensor => ({
  dtype: "bool",
  shape,
  data: Uint8Array.from(values),
});

const SAMPLES: Record<string, readonly Sample[]> = {
  Add: pair,
  Sub: pair,
  Mul: pair,
  Div: positivePair,
  Pow: [
    ...positivePair,
    { ...shapes, rest: [{ dtype: "float64", shape: [], data: Float64Array.of(2) }] },
    { ...shapes, rest: [{ dtype: "int64", shape: [], data: BigInt64Array.of(3n) }] },
  ],
  Min: [...pair, { x: [[2, 3], [3], [2, 1]] }],
  Max: [...pair, { x: [[2, 3], [3], [2, 1]] }],
  Sum: pair,
  Mean: pair.map((one) => ({ ...one, dtype: "float32" as const })),
  Mod: [
    {
      x: [[2, 3]],
      rest: [{ dtype: "float64", shape: [], data: Float64Array.of(10) }],
      attributes: { fmod: 1 },
    },
  ],
  Identity: [shapes],
  Neg: [shapes],
  Abs: [shapes],
  Reciprocal: [positive],
  Sqrt: [positive],
  Exp: [shapes],
  Log: [positive],
  Sin: [single],
  Cos: [single],
  Tan: [{ ...inside, dtype: "float32" }],
  Asin: [{ ...inside, dtype: "float32" }],
  Acos: [{ ...inside, dtype: "float32" }],
  Atan: [single],
  Asinh: [single],
  Acosh: [{ ...single, range: [1.3, 3] }],
  Atanh: [{ ...inside, dtype: "float32" }],
  Sinh: [single],
  Cosh: [single],
  Erf: [single],
  Clip: [{ ...shapes, rest: [{ dtype: "float64", shape: [], data: Float64Array.of(-0.5) }] }],
  Cast: [{ ...shapes, attributes: { to: 11 } }],
  CastLike: [{ ...shapes, rest: [{ dtype: "float64", shape: [], data: Float64Array.of(0) }] }],
  Dropout: [single],
  Relu: [shapes],
  LeakyRelu: [{ ...single, attributes: { alpha: 0.1 } }, single],
  PRelu: [
    {
      x: [
        [2, 3, 2],
        [3, 1],
      ],
    },
  ],
  ThresholdedRelu: [{ ...single, attributes: { alpha: 0.5 } }],
  Shrink: [{ ...single, attributes: { lambd: 0.7, bias: 0.3 } }],
  Sigmoid: [shapes],
  Tanh: [shapes],
  Softsign: [single],
  Softplus: [single],
  HardSigmoid: [single, { ...single, attributes: { alpha: 0.4, beta: 0.3 } }],
  HardSwish: [{ ...single, range: [-5, 5] }],
  Elu: [single, { ...single, attributes: { alpha: 0.3 } }],
  Selu: [single, { ...single, attributes: { alpha: 1.3, gamma: 0.8 } }],
  Celu: [single, { ...single, attributes: { alpha: 0.7 } }],
  Mish: [single],
  Swish: [],
  Gelu: [],
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
  Reshape: [{ x: [[2, 3]], rest: [ints([3, -1])] }],
  Flatten: [{ x: [[2, 3, 2]] }],
  Squeeze: [{ x: [[2, 1, 3]], rest: [ints([1])] }],
  Unsqueeze: [{ x: [[2, 3]], rest: [ints([1])] }],
  Transpose: [{ x: [[2, 3, 4]], attributes: { perm: [1, 2, 0] } }, shapes],
  Expand: [{ x: [[3, 1]], rest: [ints([2, 3, 4])] }],
  Concat: [
    {
      x: [
        [2, 3],
        [2, 1],
      ],
      attributes: { axis: 1 },
    },
    {
      x: [
        [2, 3],
        [1, 3],
      ],
      attributes: { axis: -2 },
    },
  ],
  Split: [{ x: [[2, 5]], rest: [ints([2, 3])], attributes: { axis: 1 }, outputs: 2 }],
  Gather: [
    { x: [[4, 3]], rest: [index([1, 3, 1, -1], [2, 2])] },
    { x: [[2, 3]], rest: [index([2, 0], [2])], attributes: { axis: 1 } },
    { x: [[2, 3, 2]], rest: [index([-2], [])], attributes: { axis: 1 } },
    { x: [[2, 3]], rest: [index([2], [1])], attributes: { axis: -1 } },
    { x: [[4, 2, 3]], rest: [index([3, 0, 3], [3])] },
    { x: [[4]], rest: [index([3, 0, 3], [3])] },
  ],
  Compress: [
    { x: [[2, 3]], rest: [mask([1, 0, 1], [3])], attributes: { axis: 1 } },
    { x: [[2, 3]], rest: [mask([0, 1, 1, 0, 1], [5])] },
  ],
  ReverseSequence: [
    { x: [[4, 2]], rest: [index([3, 2], [2])] },
    { x: [[2, 4]], rest: [index([4, 2], [2])], attributes: { batch_axis: 0, time_axis: 1 } },
  ],
  GatherElements: [{ x: [[2, 3]], rest: [index([1, 0, 1], [1, 3])] }],
  GatherND: [
    { x: [[2, 3, 2]], rest: [index([1, 0], [2, 1])], attributes: { batch_dims: 1 } },
    { x: [[2, 3, 2]], rest: [index([1, 2, 0, 0, 1, 2], [3, 2])] },
  ],
  Slice: [
    { x: [[4, 5]], rest: [ints([1]), ints([4]), ints([1])] },
    { x: [[4, 5]], rest: [ints([-1, 0]), ints([-100, 5]), ints([0, 1]), ints([-2, 2])] },
    { x: [[4, 5]], rest: [ints([-3, 0]), ints([100, -2]), ints([-1, 0])] },
    { x: [[4, 5]], rest: [ints([1]), ints([3])] },
    { x: [[4, 5]], rest: [ints([2]), ints([2 ** 31 - 1]), ints([1]), ints([1])] },
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
  Tile: [
    { x: [[2, 3]], rest: [ints([2, 1])] },
    { x: [[2, 1, 3]], rest: [ints([2, 3, 2])] },
  ],
  DepthToSpace: [
    { x: [[1, 8, 1, 2]], attributes: { blocksize: 2 }, dtype: "float32" },
    { x: [[2, 18, 1, 2]], attributes: { blocksize: 3, mode: "CRD" }, dtype: "float32" },
  ],
  SpaceToDepth: [{ x: [[1, 2, 2, 4]], attributes: { blocksize: 2 }, dtype: "float32" }],
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
  LSTM: [
    ...["forward", "reverse", "bidirectional"].map((direction) => ({
      x: [
        [4, 2, 3],
        [direction === "bidirectional" ? 2 : 1, 8, 3],
        [direction === "bidirectional" ? 2 : 1, 8, 2],
        [direction === "bidirectional" ? 2 : 1, 16],
      ],
      rest: [{ dtype: "int32" as const, shape: [2], data: Int32Array.of(4, 2) }],
      attributes: { hidden_size: 2, direction },
      dtype: "float32" as const,
      range: [-1, 1] as const,
    })),
    {
      x: [
        [1, 3, 2],
        [2, 8, 2],
        [2, 8, 2],
      ],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [2, 2, 3],
        [1, 8, 3],
        [1, 8, 2],
        [1, 16],
      ],
      rest: [null, states(1, 2, 2), states(1, 2, 2)],
      attributes: { hidden_size: 2, direction: "reverse" },
      outputs: 3,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 12, 2],
        [1, 12, 3],
        [1, 24],
      ],
      attributes: { hidden_size: 3 },
      outputs: 3,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [2, 8, 2],
        [2, 8, 2],
        [2, 16],
      ],
      rest: [{ dtype: "int32", shape: [2], data: Int32Array.of(3, 2) }],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      outputs: 3,
      dtype: "float32",
      range: [-1, 1],
    },
  ],
  GRU: [
    {
      x: [
        [3, 2, 2],
        [2, 6, 2],
        [2, 6, 2],
        [2, 12],
      ],
      rest: [{ dtype: "int32", shape: [2], data: Int32Array.of(3, 1) }, states(2, 2, 2)],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 9, 2],
        [1, 9, 3],
        [1, 18],
      ],
      attributes: { hidden_size: 3, linear_before_reset: 1 },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [2, 2, 2],
        [1, 6, 2],
        [1, 6, 2],
      ],
      attributes: { hidden_size: 2, direction: "reverse" },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
  ],
  RNN: [
    {
      x: [
        [2, 3, 2],
        [2, 2, 2],
        [2, 2, 2],
      ],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 3, 2],
        [1, 3, 3],
        [1, 6],
      ],
      attributes: { hidden_size: 3, activations: strings("Relu") },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 3, 2],
        [1, 3, 3],
        [1, 6],
      ],
      attributes: { hidden_size: 3 },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
  ],
  Pad: [
    { x: [[2, 3]], rest: [ints([1, 0, 0, 2])] },
    { x: [[3, 4]], rest: [ints([1, 2, 1, 0])], attributes: { mode: "reflect" } },
    { x: [[3, 4]], rest: [ints([1, 2, 1, 0])], attributes: { mode: "edge" } },
    { x: [[3, 4]], rest: [ints([2, 1]), null, ints([-1])], opset: 18 },
    { x: [[3, 4]], rest: [ints([1, 2, 1, 0])], attributes: { mode: "wrap" }, opset: 19 },
  ],
  ScatterND: [],
  ScatterElements: [],
  TopK: [
    { x: [[2, 5]], rest: [ints([2])], outputs: 2 },
    { x: [[4, 3]], rest: [ints([2])], attributes: { axis: 0, largest: 0, sorted: 0 }, outputs: 2 },
  ],
  CumSum: [
    { x: [[2, 4]], rest: [{ ...ints([1]), shape: [] }] },
    { x: [[2, 4]], rest: [{ ...ints([0]), shape: [] }], attributes: { exclusive: 1, reverse: 1 } },
  ],
  Trilu: [{ x: [[3, 3]] }, { x: [[3, 3]], attributes: { upper: 0 } }],
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
  BatchNormalization: [
    { x: [[2, 3, 2], [3], [3]], rest: [norm(0.1), norm(0.8)] },
    { x: [[4, 3], [3], [3]], rest: [norm(0.1), norm(0.8)] },
    { x: [[2, 3, 2, 2], [3], [3]], rest: [norm(0), norm(1)], attributes: { training_mode: 1 }, outputs: 3 },
  ],
};

const MICROSOFT: Record<string, readonly Sample[]> = {
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

/** Operators whose kernels or forms the runtime has only in other operator sets or types, with the reason. */
const UNSAMPLED: Record<string, string> = {
  Where: "its first input is a condition: tested apart below",
  Swish: "of operator set 24, which this runtime has no kernel for: tested apart below",
  ScatterND: "its indices stand between: tested apart below",
  ScatterElements: "its indices stand between: tested apart below",
  Gelu: "of operator set 20: tested apart below",
};

/** States before the first step. */
function states(...shape: number[]): Tensor {
  return {
    dtype: "float32",
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => 0.3 - 0.2 * i),
  };
}

function strings(...values: string[]): AttributeValue {
  return { type: "strings", value: values.map((value) => new TextEncoder().encode(value)) };
}

/** Convolutions have kernels in float32 only. */
function conv(x: number[], w: number[], attributes: Sample["attributes"] & {}, bias?: number[]): Sample {
  return { x: bias ? [x, w, bias] : [x, w], attributes, dtype: "float32" };
}

function norm(value: number): Tensor {
  return { dtype: "float64", shape: [3], data: Float64Array.of(value, value + 0.1, value + 0.2) };
}

const runtime = ort(module as never);

describe("gradient rules against central differences", () => {
  const differentiable = Object.entries(ops as Record<string, Op>).filter(
    ([, op]) => op.gradient !== null || op.decompose,
  );
  it.each(differentiable.map(([name]) => name))("%s", async (name) => {
    const samples = SAMPLES[name] ?? [];
    if (name in UNSAMPLED) return;
    expect(samples.length, `${name} needs a sample`).toBeGreaterThan(0);
    for (const [i, sample] of samples.entries()) await check(name, sample, i, sample.opset);
  });
  it.each(Object.keys(microsoft))("com.microsoft %s", async (name) => {
    if (["EmbedLayerNormalization", "RotaryEmbedding"].includes(name)) return; // integers between: tested apart below
    expect(MICROSOFT[name]?.length, `${name} needs a sample`).toBeGreaterThan(0);
    for (const [i, sample] of MICROSOFT[name]!.entries())
      await check(name, sample, i, 17, [], null, "com.microsoft");
  });
  it("com.microsoft EmbedLayerNormalization", async () => {
    const integers = (values: number[]): Tensor => ({
      dtype: "int32",
      shape: [1, 3],
      data: Int32Array.from(values),
    });
    const sample = { x: [[5, 4], [4, 4], [2, 4], [4], [4]], outputs: 2, dtype: "float32" as const };
    await check(
      "EmbedLayerNormalization",
      sample,
      0,
      17,
      [integers([1, 4, 1]), integers([0, 1, 1])],
      null,
      "com.microsoft",
    );
  });
  it("com.microsoft RotaryEmbedding", async () => {
    const table = [4, 2];
    const sample = (shape: number[], attributes = {}): Sample => ({
      x: [shape, table, table],
      attributes,
      dtype: "float32",
    });
    const ids = index([0, 3, 1], [1, 3]);
    const run = (one: Sample, places: Tensor) =>
      check("RotaryEmbedding", one, 0, 17, [], places, "com.microsoft");
    await run(sample([1, 3, 8]), ids);
    await run(sample([1, 2, 3, 4], { interleaved: 1 }), ids);
    await run(sample([2, 3, 8]), index([1], [1]));
    await run(sample([1, 3, 12], { num_heads: 2, rotary_embedding_dim: 4 }), ids);
  });
  it("Swish, without its own kernel", async () => {
    for (const alpha of [1, 0.6]) {
      const graph = emptyGraph("swish");
      const b = build(graph);
      const x = b.input("x", "float64", [5]);
      const loss = b.apply("ReduceSum", [b.apply("Swish", [x], { alpha: float(alpha) })], { keepdims: 0 });
      graph.outputs.push(loss);
      const { graph: whole, gradients: found } = gradients(graph, loss, [x]);
      const session = await runtime.load(writeModel(modelOf(whole, 17)));
      const data = Float64Array.of(-3, -0.5, 0.1, 1.2, 4);
      const results = await session.run({ x: { dtype: "float64", shape: [5], data } });
      const f = (at: number) => at / (1 + Math.exp(-alpha * at));
      const dx = results[found.get(x)!.name]!.data as Float64Array;
      expect(results[loss.name]!.data[0]).toBeCloseTo(
        data.reduce((sum, at) => sum + f(at), 0),
        10,
      );
      data.forEach((at, i) => void expect(dx[i]).toBeCloseTo((f(at + 1e-5) - f(at - 1e-5)) / 2e-5, 8));
      await session.close();
    }
  });
  it("Dropout, on: its gradient is what its mask makes of the output", async () => {
    for (const isOn of [1, 0]) {
      const graph = emptyGraph("dropout");
      const b = build(graph);
      const x = b.input("x", "float32", [6, 7]);
      const on: Tensor = { dtype: "bool", shape: [], data: Uint8Array.of(isOn) };
      const ratio: Tensor = { dtype: "float32", shape: [], data: Float32Array.of(0.4) };
      const y = b.apply("Dropout", [x, ratio, on]);
      const loss = b.apply("ReduceSum", [b.apply("Mul", [y, y])], { keepdims: 0 });
      graph.outputs.push(y, loss);
      const { graph: whole, gradients: found } = gradients(graph, loss, [x]);
      const session = await runtime.load(writeModel(modelOf(whole, 17)));
      const data = Float32Array.from({ length: 42 }, (_, i) => Math.sin(i + 1));
      const results = await session.run({ x: { dtype: "float32", shape: [6, 7], data } });
      const [out, dx] = [y, found.get(x)!].map((value) =>
        Array.from(results[value.name]!.data as Float32Array),
      );
      expect(out!.filter((value) => value === 0).length > 0).toBe(isOn === 1);
      // y = s·x, dx = 2·y·s: what was dropped has s = 0, what was kept 1/(1 − 0.4).
      out!.forEach((value, i) => void expect(dx![i]! * data[i]!).toBeCloseTo(2 * value * value, 4));
      await session.close();
    }
  });
  it("lets equal extremes share the gradient", async () => {
    for (const opType of ["ReduceMax", "ReduceMin", "GlobalMaxPool"]) {
      const graph = emptyGraph("ties");
      const b = build(graph);
      const x = b.input("x", "float32", [1, 1, 4]);
      const loss = b.apply("ReduceSum", [b.apply(opType, [x])], { keepdims: 0 });
      graph.outputs.push(loss);
      const { graph: whole, gradients: found } = gradients(graph, loss, [x]);
      const session = await runtime.load(writeModel(modelOf(whole, 17)));
      const sign = opType === "ReduceMin" ? -1 : 1;
      const data = Float32Array.of(1, 2, 0, 2).map((value) => sign * value);
      const results = await session.run({ x: { dtype: "float32", shape: [1, 1, 4], data } });
      expect(Array.from(results[found.get(x)!.name]!.data as Float32Array)).toEqual([0, 0.5, 0, 0.5]);
      await session.close();
    }
  });
  it("Gelu", () => check("Gelu", { ...single }, 0, 20));
  it("Gelu by tanh", () => check("Gelu", { ...single, attributes: { approximate: "tanh" } }, 0, 20));
  it("ScatterND and ScatterElements", async () => {
    for (const reduction of ["none", "add"]) {
      await check(
        "ScatterND",
        {
          x: [
            [4, 2],
            [2, 2],
          ],
          attributes: { reduction },
        },
        0,
        17,
        [],
        index([2, 0], [2, 1]),
      );
      await check(
        "ScatterElements",
        {
          x: [
            [2, 3],
            [1, 3],
          ],
          attributes: { reduction },
        },
        0,
        17,
        [],
        index([1, 0, 1], [1, 3]),
      );
    }
  });
  it("Where", async () => {
    const condition: Tensor = { dtype: "bool", shape: [2, 1], data: Uint8Array.of(1, 0) };
    await check("Where", { x: [[2, 3], [3]] }, 0, 17, [condition]);
  });
});

function modelOf(graph: Graph, opset: number): Model {
  return {
    graph,
    opsets: new Map([
      ["", opset],
      ["com.microsoft", 1],
    ]),
    irVersion: 9,
    producer: { name: "", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}

async function check(
  name: string,
  sample: Sample,
  seed: number,
  opset = 17,
  before: Operand[] = [],
  between: Operand | null = null,
  domain = "",
) {
  const { x: extents, rest = [], attributes = {}, outputs = 1, range = [-2, 2], dtype = "float64" } = sample;
  const version = name.startsWith("Reduce") ? 18 : name === "Mish" || name === "HardSwish" ? 18 : opset;
  const source = random(seed + 1);
  const array = (length: number, low: number, high: number) => {
    const values = Array.from({ length }, () => low + (high - low) * source.uniform());
    return dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values);
  };
  const graph = emptyGraph(name);
  const b = build(graph);
  const tensors = extents.map(
    (shape): Tensor => ({ dtype, shape, data: array(sizeOf(shape), range[0], range[1]) }),
  );
  for (const place of sample.zeros ?? []) (tensors[0]!.data as Float32Array)[place] = 0;
  const inputs = tensors.map((tensor, i) => b.input(`x${i}`, dtype, tensor.shape));
  const operands = between ? [inputs[0]!, between, ...inputs.slice(1)] : [...before, ...inputs, ...rest];
  const made = b.applyMany(name, operands, attributes, outputs, { domain });
  const types = inferShapes(graph);
  const used =
    name === "BatchNormalization" || name === "TopK" || name.startsWith("Embed") ? made.slice(0, 1) : made;
  const parts = used.map((y) => {
    const shape = types.get(y)!.shape as number[];
    const weighted = b.apply("Mul", [y, { dtype, shape, data: array(sizeOf(shape), -1, 1) }]);
    return b.apply("ReduceSum", [weighted], { keepdims: 0 });
  });
  const loss = b.apply("Sum", parts);
  graph.outputs.push(loss);
  const { graph: whole, gradients: found } = gradients(graph, loss, inputs, { opset: version });
  const model = modelOf(whole, version);
  const session = await runtime.load(writeModel(model)).catch((error: Error) => {
    throw new Error(`${name} ${JSON.stringify(extents)}: ${error.message}`);
  });
  const feeds = Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));
  const results = await session.run(feeds);
  // What stands in a fused operator's place gives what it gave.
  const untouched = await runtime.load(writeModel({ ...model, graph }));
  const plain = (await untouched.run(feeds))[loss.name]!.data[0];
  await untouched.close();
  expect(Math.abs(Number(results[loss.name]!.data[0]) - Number(plain)), name).toBeLessThan(
    2e-5 * Math.max(1, Math.abs(Number(plain))),
  );
  const lossAt = async () => Number((await session.run(feeds, [loss.name]))[loss.name]!.data[0]);
  // Convolutions are linear in each input, so a large step has no error but rounding.
  const isLinear = name.startsWith("Conv") || name === "AveragePool";
  const step = dtype === "float64" ? 1e-5 : isLinear ? 1 : 1e-2;
  const tolerance = dtype === "float64" ? 1e-6 : isLinear ? 1e-4 : 3e-3;
  for (const [i, tensor] of tensors.entries()) {
    const given = results[found.get(inputs[i]!)!.name]!;
    expect(given.shape, `${name}: shape of the gradient of x${i}`).toEqual(tensor.shape);
    const data = tensor.data as Float64Array;
    for (let at = 0; at < data.length; at++) {
      const value = data[at]!;
      data[at] = value + step;
      const above = await lossAt();
      data[at] = value - step;
      const below = await lossAt();
      data[at] = value;
      const expected = (above - below) / (2 * step);
      const error = Math.abs(Number(given.data[at]) - expected) / Math.max(1, Math.abs(expected));
      expect(
        error,
        `${name} ${JSON.stringify(extents)} x${i}[${at}]: ${given.data[at]}, not ${expected}`,
      ).toBeLessThan(tolerance);
    }
  }
  await session.close();
}

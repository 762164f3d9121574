import { ints } from "../../packages/core/src/ir/build.ts";
import { index, mask, type Samples, shapes } from "./sample.ts";

/** What moves, selects and gathers numbers. */
export const shaping: Samples = {
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
  Tile: [
    { x: [[2, 3]], rest: [ints([2, 1])] },
    { x: [[2, 1, 3]], rest: [ints([2, 3, 2])] },
  ],
  DepthToSpace: [
    { x: [[1, 8, 1, 2]], attributes: { blocksize: 2 }, dtype: "float32" },
    { x: [[2, 18, 1, 2]], attributes: { blocksize: 3, mode: "CRD" }, dtype: "float32" },
  ],
  SpaceToDepth: [{ x: [[1, 2, 2, 4]], attributes: { blocksize: 2 }, dtype: "float32" }],
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
};

import type { Builder } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import { blank } from "./blank.ts";

/** Of a square convolution. */
export interface Convolution {
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly group?: number;
}

/**
 * A convolution without bias, of the same padding on all sides, and its normalization in the form of
 * inference. Parameters are zeros until `drawn`; names are PyTorch's.
 */
export function convolved(b: Builder, x: Value, name: string, shape: Convolution): Value {
  const { from, to, kernel, stride = 1, group = 1 } = shape;
  const weight = b.constant(blank([to, from / group, kernel, kernel]), `${name}.conv.weight`);
  const margin = (kernel - 1) / 2;
  const made = b.apply(
    "Conv",
    [x, weight],
    {
      kernel_shape: [kernel, kernel],
      pads: [margin, margin, margin, margin],
      strides: [stride, stride],
      group,
    },
    { name: `${name}.conv` },
  );
  const learnt = ["weight", "bias", "running_mean", "running_var"].map((end) =>
    b.constant(blank([to]), `${name}.norm.${end}`),
  );
  return b.apply("BatchNormalization", [made, ...learnt], {}, { name: `${name}.norm` });
}

/** The mean over positions of a map, as the graph's one output `pooled` [batch, width]. */
export function pooled(b: Builder, x: Value, width: number): void {
  const mean = b.apply("GlobalAveragePool", [x], {}, { name: "average" });
  const rows = b.apply("Flatten", [mean], { axis: 1 }, { name: "pooled" });
  b.graph.outputs.push(Object.assign(rows, { dtype: "float32", shape: ["batch", width] }));
}

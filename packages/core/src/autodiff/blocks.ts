import type { Attributes, Graph, Value } from "../ir/graph.ts";
import { inferShapes } from "../ir/shapes.ts";

/**
 * Whether blocks make a graph faster. Depthwise convolutions are 3 to 5 times as fast in them. Without any,
 * blocks of 8 gain on the convolutions what laying out the weights anew at each step costs, or less; of 16
 * (AVX-512) more.
 */
export function gainsFromBlocks(graph: Graph, block: number): boolean {
  if (block >= 16) return true;
  return graph.nodes.some(
    ({ opType, domain, inputs: [, w], attributes }) =>
      opType === "Conv" &&
      domain === "" &&
      w?.shape?.[1] === 1 &&
      integer(attributes, "group", 1) > 1 &&
      !graph.initializers.has(w),
  );
}

/** Operators that images are given back to as they were, which takes longer from behind channels. */
const takesPlain = new Set(
  `AveragePool BatchNormalization Concat ConvTranspose InstanceNormalization LayerNormalization MaxPool Pad Resize Slice Split
   Transpose`.split(/\s+/),
);

/**
 * Whether channels are to lie in front of the images of a graph that is yet to be differentiated: [C/block,
 * N, H, W, block]. 1×1 convolutions then see all images as one, depthwise ones N·C channels of one image, and
 * weight gradients, sums over all pixels, need no turning. Other convolutions of blocked images want one
 * image after the other, as do operators that read them plain, such as batch norms of the batch's own
 * statistics.
 */
export function foldsImages(graph: Graph, block: number): boolean {
  const types = inferShapes(graph);
  return graph.nodes.every(({ opType, domain, inputs: [x, w], attributes }) => {
    if (takesPlain.has(opType)) return types.get(x!)?.shape?.length !== 4;
    if (opType !== "Conv" || domain !== "" || graph.initializers.has(w!)) return true;
    const shape = types.get(w!)?.shape ?? null;
    return (shape?.[1] as number) < block || isPoint(shape, attributes);
  });
}

/** Whether a convolution looks at single pixels, or at each channel alone. */
export function isPoint(weights: Value["shape"], attributes: Attributes): boolean {
  if (!weights) return false;
  const groups = integer(attributes, "group", 1);
  if (groups > 1) return weights[1] === 1 && weights[0] === groups;
  const isOne = (name: string) => list(attributes, name)?.every((n) => n === 1) ?? true;
  const isUnpadded = list(attributes, "pads")?.every((n) => n === 0) ?? true;
  return weights.slice(2).every((extent) => extent === 1) && isOne("strides") && isUnpadded;
}

/** An attribute that is a whole number. */
export function integer(attributes: Attributes, name: string, otherwise: number): number {
  const value = attributes.get(name);
  return value?.type === "int" ? Number(value.value) : otherwise;
}

/** An attribute that is a list of whole numbers. */
export function list(attributes: Attributes, name: string): readonly number[] | null {
  const value = attributes.get(name);
  return value?.type === "ints" ? value.value.map(Number) : null;
}

import { build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";

/**
 * The trunk of the backbone "none": input `pixels` [batch, channels, size, size], output `features` [batch,
 * channels · size²].
 */
export function rawPixelTrunk({ size = 32, channels = 3 }: { size?: number; channels?: number } = {}): Model {
  const graph = emptyGraph("pixels");
  const b = build(graph);
  const pixels = b.input("pixels", "float32", ["batch", channels, size, size]);
  const features = b.apply("Flatten", [pixels], { axis: 1 }, { name: "features" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", channels * size * size] }));
  return modelOf(graph);
}

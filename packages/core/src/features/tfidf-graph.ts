import { build, emptyGraph, ints, modelOf } from "../ir/build.ts";
import type { Model } from "../ir/graph.ts";
import { float32 } from "../tensor.ts";

/**
 * The graph from `feature_ids` int64 and `feature_weights` float32, both [batch, terms], to `features` [batch, size]. Scatters
 * weights into rows of size + 1 zeros, the last column taking the padding, and cuts that column off. Within a row every id
 * but the padding's occurs once, so that nothing is summed and a row's bits do not depend on its batch.
 */
export function tfidfTrunk(size: number): Model {
  const graph = emptyGraph("tfidf");
  const b = build(graph);
  const ids = b.input("feature_ids", "int64", ["batch", "terms"]);
  const weights = b.input("feature_weights", "float32", ["batch", "terms"]);
  const batch = b.apply("Shape", [ids], { start: 0, end: 1 });
  const shape = b.apply("Concat", [batch, ints([size + 1])], { axis: 0 });
  const zeros = b.apply("ConstantOfShape", [shape], { value: float32([1], [0]) });
  const rows = b.apply("ScatterElements", [zeros, ids, weights], { axis: 1 });
  const features = b.apply("Slice", [rows, ints([0]), ints([size]), ints([1])], {}, { name: "features" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", size] }));
  return modelOf(graph);
}

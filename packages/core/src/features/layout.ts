import type { Graph, Value } from "../ir/graph.ts";
import type { Inferred } from "../ir/shapes.ts";

/** Make maps with the channels at axis 1. */
const SPATIAL =
  words(`Conv ConvTranspose ConvInteger FusedConv QLinearConv MaxPool AveragePool LpPool BatchNormalization
  InstanceNormalization GroupNormalization GlobalAveragePool GlobalMaxPool LRN DepthToSpace SpaceToDepth Upsample Resize`);
/** Make vectors of features along the last axis. */
const DENSE =
  words(`MatMul Gemm LayerNormalization SkipLayerNormalization SimplifiedLayerNormalization RMSNormalization Gather
  EmbedLayerNormalization FusedMatMul MatMulInteger`);

/**
 * The axis of each value that counts its features (channels): 1 behind convolutions and pooling, the last
 * behind matrix products, embeddings and layer normalisation; moved by Transpose, kept by what keeps the
 * rank. Values whose axis does not follow are absent.
 */
export function featureAxes(graph: Graph, types: ReadonlyMap<Value, Inferred>): Map<Value, number> {
  const axes = new Map<Value, number>();
  const rankOf = (value: Value | null | undefined) => (value ? types.get(value)?.shape?.length : undefined);
  for (const node of graph.nodes) {
    const source = node.inputs.find((input) => input && axes.has(input)) ?? null;
    for (const output of node.outputs) {
      const rank = rankOf(output);
      if (!output || rank === undefined) continue;
      if (SPATIAL.has(node.opType) && rank > 2) axes.set(output, 1);
      else if (DENSE.has(node.opType) && rank > 0) axes.set(output, rank - 1);
      else if (node.opType === "Transpose") {
        const order = node.attributes.get("perm");
        const from = source && axes.get(source);
        if (order?.type === "ints" && typeof from === "number") {
          const at = order.value.indexOf(BigInt(from));
          if (at >= 0) axes.set(output, at);
        }
      } else if (source && rankOf(source) === rank && node.opType !== "Reshape")
        axes.set(output, axes.get(source)!);
    }
  }
  return axes;
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

import type { Graph } from "../ir/graph.ts";

/** Optimizers of ONNX Runtime 1.30 (its own names) by the operators without which they find nothing. */
const needs: readonly (readonly [operators: RegExp, optimizers: string])[] = [
  [
    /Quantize|Integer|^QLinear|NBits$|Bnb4$/,
    `DoubleQDQPairsRemover QDQPropagationTransformer WeightBiasQuantization EnsureUniqueDQForNodeUnit WhereDummyDq
     QDQS8ToU8Transformer QDQSelectorActionTransformer QDQFinalCleanupTransformer MatMulIntegerToFloatFusion
     DynamicQuantizeMatMulFusion MatMulNBitsFusion`,
  ],
  [/^GroupQueryAttention$/, "GroupQueryAttentionFusion GroupQueryAttentionPreNormFusion"],
  [/^Softmax$/, "AttentionFusion BiasSoftmaxFusion"],
  [/^Gather$/, "EmbedLayerNormFusion GatherSliceToSplitFusion GatherToSliceFusion"],
  [/^(Erf|Gelu)$/, "GeluFusionL1 GeluFusionL2 BiasGeluFusion"],
  [/^(Tanh|Gelu)$/, "FastGeluFusion"],
  [/^Sigmoid$/, "QuickGeluFusion"],
  [/^Dropout$/, "BiasDropoutFusion"],
  [/^(Pow|Sqrt)$/, "LayerNormFusionL1 LayerNormFusionL2 SimplifiedLayerNormFusion"],
  [
    /Conv/,
    "ConvActivationFusion ConvAddActivationFusion SliceConcatToSpaceToDepthFusion NchwcTransformer NhwcTransformer",
  ],
  [/^Transpose$/, "TransposeOptimizer MatmulTransposeFusion"],
  [/^IsInf$/, "IsInfReduceSumFusion"],
  [/^Gather$/, "GatherToSplitFusion"],
  [/^Slice$/, "ConcatSliceElimination"],
];

/**
 * Left out in any case: equal constants of a gradient are made one when it is built; and an activation within
 * a Gemm saves less in a step than it takes to look through a large graph once more.
 */
const always = ["ConstantSharing", "GemmActivationFusion"];

/**
 * The optimizers that would look through a graph with gradients for what it does not have. Each takes 1 µs a
 * node, and there are dozens: of a graph of 10 000 nodes a session is made in two thirds of the time without
 * them.
 */
export function idleOptimizers(graph: Graph): string[] {
  const operators = [...new Set(graph.nodes.map(({ opType }) => opType))];
  const idle = needs.flatMap(([operator, optimizers]) =>
    operators.some((one) => operator.test(one)) ? [] : optimizers.split(/\s+/),
  );
  return [...always, ...idle];
}

import { expect, it } from "vitest";
import { build, emptyGraph } from "../ir/build.ts";
import { idleOptimizers } from "./idle-optimizers.ts";

it("leaves out the optimizers of operators that a graph does not have, and no other", () => {
  const graph = emptyGraph();
  const b = build(graph);
  graph.outputs.push(b.apply("Conv", [b.input("x", "float32", [1, 1, 4, 4]), null]));
  expect(idleOptimizers(graph)).toContain("GeluFusionL2");
  expect(idleOptimizers(graph)).toContain("QDQSelectorActionTransformer");
  expect(idleOptimizers(graph)).not.toContain("ConvActivationFusion");
  graph.outputs.push(b.apply("QuantizeLinear", [graph.outputs[0]!]), b.apply("Erf", [graph.outputs[0]!]));
  expect(idleOptimizers(graph)).not.toContain("GeluFusionL2");
  expect(idleOptimizers(graph)).not.toContain("QDQSelectorActionTransformer");
});

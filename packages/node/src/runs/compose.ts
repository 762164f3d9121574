import {
  build,
  type Classifier,
  cloneModel,
  gatherTerms,
  irVersionFor,
  type Model,
  opsetOf,
  raiseOpset,
  type Value,
} from "@graft-ml/core";

/** Names of the outputs of a RUN's model.onnx. */
export const modelOutputs = { probabilities: "probabilities", features: "features" } as const;

/** Heads are written in this operator set; older trunks are raised to it. */
const OPSET = 17;

/**
 * Trunk and head in one model: its inputs are the trunk's, its outputs `probabilities` [batch, C] and
 * `features` [batch, D]. The trunk has one output, the features. TF-IDF under a linear head has
 * `probabilities` alone: its features, a wide row of zeros a text, are never made (see `gatherTerms`).
 */
export function composeModel(trunk: Model, classifier: Classifier, version: string): Model {
  const raised = opsetOf(trunk) < OPSET ? raiseOpset(trunk, OPSET) : trunk;
  const model = cloneModel(raised);
  const { graph } = model;
  const features = graph.outputs[0]!;
  const probabilities = classifier.append(graph, features);
  graph.outputs = [named(graph, probabilities, modelOutputs.probabilities, classifier.classes), features];
  return gatherTerms({
    ...model,
    irVersion: Math.max(model.irVersion, irVersionFor(opsetOf(model))),
    producer: { name: "graft", version },
  });
}

/** Gives a value its public name and shape. */
function named(graph: Model["graph"], value: Value, name: string, classes: number): Value {
  const output = build(graph).apply("Identity", [value], {}, { name });
  output.dtype = "float32";
  output.shape = ["batch", classes];
  return output;
}

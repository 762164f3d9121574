import {
  build,
  classTargets,
  cloneModel,
  crossEntropy,
  featureModel,
  float32,
  InputError,
  irVersionFor,
  opsetOf,
  raiseOpset,
} from "@graft-ml/core";
import type { KindContext, OpenTask, TaskKind } from "../kind.ts";

const options = {
  smoothing: {
    type: "number",
    default: 0,
    min: 0,
    max: 0.9,
    about: "share of a label spread over all classes",
  },
} as const;

/** A class for each row, image or text: a linear head on pooled features, by cross-entropy. */
export const classification: TaskKind = {
  about: "a class for each text or image, by a linear head on pooled features",
  options,
  labels: "required",
  modality: null,
  open: opened,
};

const OPSET = 17;

function opened({ name, trunk, layer, settings, rows, trained, classes, inputs }: KindContext): OpenTask {
  const smoothing = Number(settings.smoothing ?? 0);
  const made = featureModel(trunk.model, { layer: layer ?? trunk.layer });
  const model = opsetOf(made.model) < OPSET ? raiseOpset(made.model, OPSET) : cloneModel(made.model);
  const b = build(model.graph);
  const zeros = (shape: readonly [number] | readonly [number, number]) =>
    float32(shape, new Float32Array(shape[0] * (shape[1] ?? 1)));
  const weight = b.constant(zeros([made.dimension, classes.length]), `heads.${name}.weight`);
  const product = b.apply("MatMul", [model.graph.outputs[0]!, weight]);
  const bias = b.constant(zeros([classes.length]), `heads.${name}.bias`);
  const scores = b.apply("Add", [product, bias], {}, { name: `heads.${name}.scores` });
  const probabilities = b.apply("Softmax", [scores], { axis: 1 }, { name: `heads.${name}.probabilities` });
  model.graph.outputs = [
    Object.assign(probabilities, { dtype: "float32", shape: ["batch", classes.length] }),
  ];
  const number = new Map(classes.map((label, i) => [label, i]));
  const labels = Int32Array.from(rows, ({ label, where }) => {
    const found = number.get(label!);
    if (found === undefined) throw new InputError(`${where}: class "${label}" has no training row`);
    return found;
  });
  return {
    model: { ...model, irVersion: Math.max(model.irVersion, irVersionFor(opsetOf(model))) },
    layer: made.layer,
    measure: "mean cross-entropy of a row, in nats",
    loss(g, graph, input) {
      const logits = graph.nodes.flatMap(({ outputs }) => outputs).find((one) => one?.name === scores.name)!;
      const batch = graph.inputs[0]!.shape![0]!;
      return crossEntropy(g, logits, input("targets", "float32", [batch, classes.length]));
    },
    async feeds(members, count, epoch) {
      const of = Array.from(members.subarray(0, count));
      const targets = classTargets(
        of.map((row) => labels[row]!),
        classes.length,
        {
          rows: members.length,
          weights: of.map((row) => rows[row]!.weight),
          ...(epoch !== null && { smoothing }),
        },
      );
      return { ...(await inputs.feeds(members, epoch)), targets };
    },
    async baseline() {
      const counts = new Float64Array(classes.length).fill(1);
      for (const label of labels.subarray(0, trained)) counts[label]!++;
      const total = counts.reduce((sum, count) => sum + count, 0);
      const held = labels.subarray(trained);
      return (
        held.reduce((sum, label) => sum - Math.log(counts[label]! / total), 0) / Math.max(1, held.length)
      );
    },
  };
}

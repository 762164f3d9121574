import {
  type Builder,
  build,
  classTargets,
  cloneModel,
  crossEntropy,
  featureModel,
  float32,
  InputError,
  irVersionFor,
  type Model,
  opsetOf,
  raiseOpset,
  type Value,
} from "@graft-ml/core";
import type { KindContext, OpenTask, TaskKind } from "../kind.ts";
import { pooledSentences } from "../pooled-sentences.ts";
import { proveClasses } from "../prove-classes.ts";
import { learntNames, type SentenceTrunk, sentenceModel } from "../sentence-trunk.ts";

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

function opened(context: KindContext): OpenTask {
  const { name, trunk, layer, settings, rows, trained, classes, inputs } = context;
  const smoothing = Number(settings.smoothing ?? 0);
  const scores = `heads.${name}.scores`;
  const { sentences } = trunk;
  const network = sentences ? onSentences(context, sentences) : onNetwork(context, layer ?? trunk.layer);
  const number = new Map(classes.map((label, i) => [label, i]));
  const labels = Int32Array.from(rows, ({ label, where }) => {
    const found = number.get(label!);
    if (found === undefined) throw new InputError(`${where}: class "${label}" has no training row`);
    return found;
  });
  return {
    ...network,
    measure: "mean cross-entropy of a row, in nats",
    loss(g, graph, input) {
      const logits = graph.nodes.flatMap(({ outputs }) => outputs).find((one) => one?.name === scores)!;
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
    prove: proveClasses,
  };
}

/** A network up to a layer with the head on its pooled features. */
function onNetwork({ name, trunk, classes }: KindContext, layer: string): Pick<OpenTask, "model" | "layer"> {
  const made = featureModel(trunk.model, { layer });
  const model = opsetOf(made.model) < OPSET ? raiseOpset(made.model, OPSET) : cloneModel(made.model);
  model.graph.outputs = [
    appendHead(build(model.graph), model.graph.outputs[0]!, made.dimension, name, classes),
  ];
  return {
    model: { ...model, irVersion: Math.max(model.irVersion, irVersionFor(opsetOf(model))) },
    layer: made.layer,
  };
}

/** A tagger's trunk with the head on the mean and the greatest of a sentence's states. */
function onSentences({ name, layer, classes }: KindContext, sentences: SentenceTrunk) {
  const network = (training: boolean): { model: Model; layer: string } => {
    const opened = sentences.open(layer, training);
    const { builder, at } = opened;
    const { features, width } = pooledSentences(opened);
    builder.graph.outputs = [appendHead(builder, features, width, name, classes)];
    return { model: sentenceModel(opened, sentences), layer: at.name };
  };
  const training = network(true).model;
  return { ...network(false), training, learns: learntNames(training, sentences) };
}

function appendHead(
  b: Builder,
  features: Value,
  width: number,
  name: string,
  classes: readonly string[],
): Value {
  const zeros = (shape: readonly [number] | readonly [number, number]) =>
    float32(shape, new Float32Array(shape[0] * (shape[1] ?? 1)));
  const weight = b.constant(zeros([width, classes.length]), `heads.${name}.weight`);
  const product = b.apply("MatMul", [features, weight]);
  const bias = b.constant(zeros([classes.length]), `heads.${name}.bias`);
  const scores = b.apply("Add", [product, bias], {}, { name: `heads.${name}.scores` });
  const probabilities = b.apply("Softmax", [scores], { axis: 1 }, { name: `heads.${name}.probabilities` });
  return Object.assign(probabilities, { dtype: "float32" as const, shape: ["batch", classes.length] });
}

import {
  type Adapter,
  adapterParameters,
  addLora,
  build,
  type Classifier,
  cloneModel,
  type Graph,
  InputError,
  initialise,
  layerGroups,
  layerRates,
  type Model,
  mergeLora,
  type Parameters,
  parametersOf,
  type Random,
  type Training,
  unfreezingStages,
  type Value,
  withParameters,
} from "@graft-ml/core";
import { composeModel } from "../runs/compose.ts";
import { VERSION } from "../version.ts";
import type { FineTuneSettings, Method } from "./methods.ts";

/** What is trained of a network, and how it becomes one model again. */
export interface TrainedParts {
  /** The network, with adapters where the method has them. */
  readonly model: Model;
  /** Names of the trained parameters, stage by stage; all methods but gradual have one stage. */
  readonly stages: readonly (readonly string[])[];
  /** Blocks of the trunk that are trained. */
  readonly depth: number;
  readonly adapter: Adapter | null;
  readonly training: (name: string) => Training;
  /** The model with what was learnt, without adapters. */
  finish(parameters: Parameters): Model;
}

/**
 * A trunk with a head and, where the method has them, adapters. Outputs: probabilities [batch, C] and
 * features [batch, D].
 */
export interface TrainedNetwork extends TrainedParts {
  /** The value before the last Softmax. */
  readonly logits: string;
}

interface PartsOptions {
  readonly method: Method;
  readonly trunk: Model;
  readonly settings: Pick<FineTuneSettings, "decay" | "rank" | "alpha">;
  /** Blocks trained from the top; null for all. */
  readonly depth: number | null;
  /** Parameters that a first stage leaves as they are. */
  readonly late?: readonly string[];
  readonly random: Random;
}

export interface NetworkOptions extends PartsOptions {
  /** One output, `features` [batch, D]. */
  readonly trunk: Model;
  readonly head: Classifier;
  readonly settings: FineTuneSettings;
}

/** Puts trunk and head together and chooses what is trained. */
export function trainedNetwork(options: NetworkOptions): TrainedNetwork {
  const { method, random } = options;
  const trunk =
    method === "scratch"
      ? withParameters(options.trunk, initialise(options.trunk, random.fork("initialise")))
      : options.trunk;
  const composed = composeModel(trunk, options.head, VERSION);
  return { ...trainedParts({ ...options, trunk, composed }), logits: logitsOf(composed.graph) };
}

/** Chooses what a method trains of a network: `composed` is the trunk with a head on it, whatever the head's kind. */
export function trainedParts(options: PartsOptions & { readonly composed: Model }): TrainedParts {
  const { method, trunk, composed, settings, depth, random } = options;
  const names = new Set(parametersOf(trunk).map(({ name }) => name));
  const headNames = parametersOf(composed)
    .map(({ name }) => name)
    .filter((name) => !names.has(name));
  if (headNames.length === 0)
    throw new InputError("the head has no weights that could be trained further; take the logistic head");
  const groups = layerGroups(trunk);
  const blocks = Math.min(depth ?? groups.length, groups.length);
  const top = groups.slice(groups.length - blocks).flatMap(({ parameters }) => parameters);
  const trainable = top.filter(({ role }) => role !== "statistic");
  const rates = layerRates(trunk, settings.decay);
  const base = { depth: blocks, training: rates };
  const plain = (stages: readonly (readonly string[])[]): TrainedParts => ({
    ...base,
    model: composed,
    stages,
    adapter: null,
    finish: (parameters) => withParameters(composed, parameters),
  });
  switch (method) {
    case "probe":
      return plain([headNames]);
    case "bitfit":
      return plain([
        [
          ...trainable.filter(({ role }) => role === "bias" || role === "shift").map(({ name }) => name),
          ...headNames,
        ],
      ]);
    case "lora": {
      const targets = top.filter(
        ({ role, operator }) => role === "weight" && /^(MatMul|Gemm|Conv)$/.test(operator),
      );
      const able = adaptable(composed, new Set(targets.map(({ name }) => name)));
      const { model, adapter } = addLora(composed, {
        rank: settings.rank,
        alpha: settings.alpha,
        targets: able,
        random: random.fork("lora"),
      });
      return {
        ...base,
        model,
        stages: [[...adapterParameters(adapter), ...headNames]],
        adapter,
        training: () => ({}),
        finish(parameters) {
          const heads = new Map([...parameters].filter(([name]) => headNames.includes(name)));
          return mergeLora(withParameters(composed, heads), adapter, parameters);
        },
      };
    }
    case "gradual": {
      const stages = unfreezingStages(trunk, { stages: blocks }).map((stage) => [...stage, ...headNames]);
      const slower = layerRates(trunk, settings.decay > 1 ? settings.decay : 2.6);
      return { ...plain([headNames, ...stages]), training: slower };
    }
    default: {
      const all = [...trainable.map(({ name }) => name), ...headNames];
      const { late = [] } = options;
      return plain(late.length === 0 ? [all] : [all.filter((name) => !late.includes(name)), all]);
    }
  }
}

/** A head of zeros over features [N, D], for methods that do not start from a fitted one. */
export function zeroHead(dimension: number, classes: number): Classifier {
  const zeros = (shape: readonly number[]) => ({
    dtype: "float32" as const,
    shape,
    data: new Float32Array(shape.reduce((size, extent) => size * extent, 1)),
  });
  return {
    classes,
    chosen: {},
    predict: ({ rows }) => ({
      rows,
      columns: classes,
      data: new Float32Array(rows * classes).fill(1 / classes),
    }),
    append(graph: Graph, features: Value): Value {
      const b = build(graph);
      const product = b.apply("MatMul", [features, b.constant(zeros([dimension, classes]), "coefficients")]);
      const scores = b.apply(
        "Add",
        [product, b.constant(zeros([classes]), "intercepts")],
        {},
        { name: "scores" },
      );
      return b.apply("Softmax", [scores], { axis: 1 });
    },
  };
}

/** A model whose logits are divided by a temperature before the last Softmax. */
export function cooled(model: Model, logits: string, temperature: number): Model {
  if (temperature === 1) return model;
  const copy = cloneModel(model);
  const { graph } = copy;
  const [value, softmax] = graph.nodes.flatMap((node) => {
    const input = node.inputs[0];
    return node.opType === "Softmax" && input?.name === logits ? [[input, node] as const] : [];
  })[0]!;
  const b = build(graph);
  const factor = b.constant(
    { dtype: "float32", shape: [], data: Float32Array.of(1 / temperature) },
    "inverse_temperature",
  );
  softmax.inputs[0] = b.apply("Mul", [value, factor], {}, { name: "cooled" });
  graph.nodes.splice(graph.nodes.indexOf(softmax), 0, graph.nodes.pop()!);
  return copy;
}

/**
 * Weights among `names` that can carry an adapter: others (depthwise convolutions, turned weights) stay as
 * they are.
 */
function adaptable(model: Model, names: ReadonlySet<string>): string[] {
  const able = new Set(names);
  for (const { opType, inputs, attributes } of model.graph.nodes) {
    const group = attributes.get("group");
    const isGrouped = opType === "Conv" && group?.type === "int" && group.value !== 1n;
    for (const [index, input] of inputs.entries())
      if (input && (index !== 1 || isGrouped || !/^(MatMul|Gemm|Conv)$/.test(opType)))
        able.delete(input.name);
  }
  return [...able];
}

function logitsOf(graph: Graph): string {
  const makers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  let node = makers.get(graph.outputs[0]!);
  while (node?.opType === "Identity") node = makers.get(node.inputs[0]!);
  if (node?.opType !== "Softmax")
    throw new InputError(
      "the head does not end in a Softmax, so it cannot be trained on; take the logistic head",
    );
  return node.inputs[0]!.name;
}

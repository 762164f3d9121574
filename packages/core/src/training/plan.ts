import { blocked } from "../autodiff/blocked.ts";
import { BLOCKED_DOMAIN } from "../autodiff/blocked-images.ts";
import { foldsImages, gainsFromBlocks } from "../autodiff/blocks.ts";
import { gradients } from "../autodiff/gradients.ts";
import { InputError } from "../errors.ts";
import { build } from "../ir/build.ts";
import { cloneModel, type ValueMap } from "../ir/clone.ts";
import type { Graph, Model, Shape, Value } from "../ir/graph.ts";
import { opsetOf, raiseOpset } from "../ir/opset.ts";
import { prune } from "../ir/prune.ts";
import { inferShapes } from "../ir/shapes.ts";
import { type Formula, formulas } from "../ops/formula.ts";
import type { Tensor } from "../tensor.ts";

/** What makes a model trainable. */
export interface PlanOptions {
  /** Which float32 initializers are trained; the others stay constants. */
  readonly train: (name: string, tensor: Tensor) => boolean;
  /**
   * Appends the loss to the graph. `graph` has the model's outputs; `input` adds an input for targets and the
   * like.
   */
  loss(g: Formula, graph: Graph, input: (name: string, dtype: Value["dtype"], shape: Shape) => Value): Value;
  /** Shapes of inputs that the model leaves open, by name. */
  readonly shapes?: Readonly<Record<string, Shape>>;
  /** Names of further values that every step gives: statistics of the batch, logits. */
  readonly outputs?: readonly string[];
  /**
   * What `blockOf` says of the runtime: convolutions are then laid out in blocks of so many channels. 0:
   * plain ai.onnx.
   */
  readonly block?: number;
}

/** A model with its loss and gradients. */
export interface TrainingPlan {
  /** Inputs: the model's, the targets, and every trained parameter. Outputs: the loss and the gradients. */
  readonly model: Model;
  readonly loss: string;
  /** Name of the gradient of each trained parameter. */
  readonly gradients: ReadonlyMap<string, string>;
  /** What training starts from, by the names the model has for them. */
  readonly parameters: ReadonlyMap<string, Tensor>;
}

/**
 * Makes a model trainable: appends the loss and the gradients of the chosen parameters, which become inputs.
 * What is not trained stays a constant, below the lowest trained parameter nothing is differentiated, and
 * batch normalization keeps the statistics the model came with. The given model is not changed.
 */
export function planTraining(model: Model, options: PlanOptions): TrainingPlan {
  const raised = opsetOf(model) < 17 ? raiseOpset(model, 17) : model;
  const copy = cloneModel(raised);
  const { graph } = copy;
  const values = [...graph.initializers].filter(
    ([value, tensor]) => tensor.dtype === "float32" && options.train(value.name, tensor),
  );
  if (values.length === 0)
    throw new InputError("no parameter of the model is trained; choose at least one initializer");
  for (const [value, tensor] of values) {
    value.dtype = tensor.dtype;
    value.shape = tensor.shape;
    graph.initializers.delete(value);
    if (!graph.inputs.includes(value)) graph.inputs.push(value);
  }
  const given = new Map<Value, Shape>();
  for (const [name, shape] of Object.entries(options.shapes ?? {})) {
    const value = graph.inputs.find((input) => input.name === name);
    if (!value) throw new InputError(`the model has no input "${name}" to give a shape`);
    given.set(value, shape);
    value.shape = shape;
  }
  // What the file says of values inside is of the shapes it was exported with.
  if (given.size > 0) for (const [value, type] of inferShapes(graph, { given })) value.shape = type.shape;
  const builder = build(graph);
  const opset = opsetOf(copy);
  const loss = options.loss(formulas(builder, "float32", opset, "loss/"), graph, builder.input);
  graph.outputs = [loss, ...(options.outputs ?? []).map((name) => madeValue(graph, name))];
  const parameters = values.map(([value]) => value);
  const forward = prune(graph);
  const block = options.block && gainsFromBlocks(forward, options.block) ? options.block : 0;
  const isFolded = block > 0 && foldsImages(forward, block);
  const whole = gradients(forward, loss, parameters, { opset, given, isFolded });
  let trained = prune(whole.graph, { inputs: true });
  if (block > 0) {
    trained = blocked(trained, block, isFolded);
    copy.opsets.set(BLOCKED_DOMAIN, 1);
  }
  return {
    model: { ...copy, graph: trained },
    loss: loss.name,
    gradients: new Map(parameters.map((value) => [value.name, whole.gradients.get(value)!.name])),
    parameters: new Map(values.map(([value, tensor]) => [value.name, tensor])),
  };
}

function madeValue(graph: Graph, name: string): Value {
  for (const { outputs } of graph.nodes) for (const value of outputs) if (value?.name === name) return value;
  throw new InputError(`the model computes no value "${name}" that a step could give`);
}

/** A copy of a model with other initializers, by name. Throws an InputError for a name it does not have. */
export function withParameters(model: Model, parameters: ReadonlyMap<string, Tensor>): Model {
  const values: ValueMap = new Map();
  const copy = cloneModel(model, values);
  const byName = new Map([...copy.graph.initializers.keys()].map((value) => [value.name, value]));
  for (const [name, tensor] of parameters) {
    const value = byName.get(name);
    if (!value) throw new InputError(`the model has no initializer "${name}" to replace`);
    copy.graph.initializers.set(value, tensor);
  }
  return copy;
}

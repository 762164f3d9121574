import { InputError } from "../errors.ts";
import type { Graph, Model, ModelFunction, TrainingInfo, Value } from "../ir/graph.ts";
import { sortNodes } from "../ir/order.ts";
import { readAttribute } from "./attribute.ts";
import { readEntries, readPair } from "./entries.ts";
import type { ExternalData } from "./external.ts";
import { ProtoReader } from "./protobuf.ts";
import { addDescriptions, domainOf, maker, readGraph, readNodes, requireValue } from "./read-graph.ts";
import { FUNCTION, MODEL, OPSET, TRAINING } from "./schema.ts";
import type { Scope } from "./scope.ts";
import { concat, type ReadContext } from "./tensor.ts";
import { readValue } from "./value.ts";

/** What `readModel` needs to know beside the file. */
export interface ReadModelOptions {
  /** What messages call the model; "model" by default. */
  readonly source?: string;
  /** Files that hold tensors beside the model, by location; see `externalFiles`. */
  readonly externalData?: ExternalData;
}

/**
 * Reads an ONNX model file. Tensors are views of `bytes` where alignment allows it, so `bytes` must not change.
 * Throws InputError for anything that is not a whole and consistent model, having allocated no more than a small
 * multiple of the file's size.
 */
export function readModel(bytes: Uint8Array, options: ReadModelOptions = {}): Model {
  const { source = "model", externalData = {} } = options;
  refuseOtherFiles(bytes, source);
  const context: ReadContext = { source, externalData };
  const reader = new ProtoReader(bytes, source);
  const opsets = new Map<string, number>();
  const metadata = new Map<string, string>();
  const functions: ModelFunction[] = [];
  const trainings: ProtoReader[] = [];
  const unknown: Uint8Array[] = [];
  const producer = { name: "", version: "" };
  let graphReader: ProtoReader | null = null;
  let irVersion = 0;
  let domain = "";
  let modelVersion = 0n;
  let doc = "";
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === MODEL.irVersion) irVersion = reader.integer();
    else if (field === MODEL.producerName) producer.name = reader.string();
    else if (field === MODEL.producerVersion) producer.version = reader.string();
    else if (field === MODEL.domain) domain = reader.string();
    else if (field === MODEL.modelVersion) modelVersion = reader.int64();
    else if (field === MODEL.doc) doc = reader.string();
    else if (field === MODEL.graph) {
      if (graphReader) reader.fail("there are two graphs");
      graphReader = reader.message();
    } else if (field === MODEL.opset) readOpset(reader.message(), opsets, source);
    else if (field === MODEL.metadata) readEntries(reader, metadata);
    else if (field === MODEL.function) functions.push(readFunction(reader.message(), context));
    else if (field === MODEL.training) trainings.push(reader.message());
    else unknown.push(reader.unknown());
  }
  if (!graphReader) throw new InputError(`${source} holds no graph; it is not an ONNX model`);
  const graph = readGraph(graphReader, null, context);
  // Before IR version 3 the operator set was not stated, and there was one.
  if (!opsets.has("")) if (irVersion < 3) opsets.set("", 1);
  return {
    graph,
    opsets,
    irVersion,
    producer,
    domain,
    modelVersion,
    doc,
    metadata,
    ...(functions.length > 0 && { functions }),
    ...(trainings.length > 0 && { training: trainings.map((one) => readTraining(one, graph, context)) }),
    ...(unknown.length > 0 && { unknown: concat(unknown) }),
  };
}

function readOpset(reader: ProtoReader, opsets: Map<string, number>, source: string): void {
  let domain = "";
  let version = 0;
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === OPSET.domain) domain = domainOf(reader.string());
    else if (field === OPSET.version) version = reader.integer();
    else reader.unknown();
  }
  const earlier = opsets.get(domain);
  if (earlier !== undefined && earlier !== version)
    throw new InputError(
      `${source} asks for operator set "${domain}" in the versions ${earlier} and ${version}`,
    );
  opsets.set(domain, version);
}

function readFunction(reader: ProtoReader, context: ReadContext): ModelFunction {
  const made: ModelFunction = {
    name: "",
    domain: "",
    inputs: [],
    outputs: [],
    attributes: [],
    defaults: new Map(),
    nodes: [],
    opsets: new Map(),
  };
  const outputs: string[] = [];
  const nodes: ProtoReader[] = [];
  const defaults: ProtoReader[] = [];
  const described: Value[] = [];
  const metadata = new Map<string, string>();
  const unknown: Uint8Array[] = [];
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === FUNCTION.name) made.name = reader.string();
    else if (field === FUNCTION.domain) made.domain = domainOf(reader.string());
    else if (field === FUNCTION.overload) made.overload = reader.string();
    else if (field === FUNCTION.input) made.inputs.push({ name: reader.string(), dtype: null, shape: null });
    else if (field === FUNCTION.output) outputs.push(reader.string());
    else if (field === FUNCTION.attribute) made.attributes.push(reader.string());
    else if (field === FUNCTION.default) defaults.push(reader.message());
    else if (field === FUNCTION.node) nodes.push(reader.message());
    else if (field === FUNCTION.doc) made.doc = reader.string();
    else if (field === FUNCTION.opset) readOpset(reader.message(), made.opsets, context.source);
    else if (field === FUNCTION.valueInfo) described.push(readValue(reader.message()));
    else if (field === FUNCTION.metadata) readEntries(reader, metadata);
    else unknown.push(reader.unknown());
  }
  if (metadata.size > 0) made.metadata = metadata;
  if (unknown.length > 0) made.unknown = concat(unknown);
  const where = `${context.source}: function "${made.name}"`;
  const scope: Scope = { values: new Map(), outer: null };
  const make = maker(scope, where);
  for (const input of made.inputs) make(input, "an input");
  for (const reader of defaults) {
    const [name, value] = readAttribute(reader, context, (inner) => readGraph(inner, scope, context));
    made.defaults.set(name, value);
  }
  made.nodes = sortNodes(readNodes(nodes, scope, context, where), where);
  made.outputs = outputs.map((name) => requireValue(scope, name, `${where} has the output`));
  addDescriptions(made, described, scope);
  return made;
}

/** The graphs of training may use what the main graph has. */
function readTraining(reader: ProtoReader, graph: Graph, context: ReadContext): TrainingInfo {
  const scope: Scope = { values: new Map(), outer: null };
  for (const value of [...graph.inputs, ...graph.initializers.keys()]) scope.values.set(value.name, value);
  for (const node of graph.nodes)
    for (const output of node.outputs) if (output) scope.values.set(output.name, output);
  const training: TrainingInfo = {
    initialization: null,
    algorithm: null,
    initializationBinding: [],
    updateBinding: [],
  };
  const unknown: Uint8Array[] = [];
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === TRAINING.initialization)
      training.initialization = readGraph(reader.message(), scope, context);
    else if (field === TRAINING.algorithm) training.algorithm = readGraph(reader.message(), scope, context);
    else if (field === TRAINING.initializationBinding)
      training.initializationBinding.push(readPair(reader.message()));
    else if (field === TRAINING.updateBinding) training.updateBinding.push(readPair(reader.message()));
    else unknown.push(reader.unknown());
  }
  if (unknown.length > 0) training.unknown = concat(unknown);
  return training;
}

/** Names what a file is where it plainly is something else. */
function refuseOtherFiles(bytes: Uint8Array, source: string): void {
  if (bytes.length === 0) throw new InputError(`${source} is empty`);
  const start = String.fromCharCode(...bytes.subarray(0, 64));
  if (start.startsWith("version https://git-lfs"))
    throw new InputError(
      `${source} is a Git LFS pointer, not the model itself; fetch the file with \`git lfs pull\``,
    );
  if (/^\s*(<!doctype|<html)/i.test(start))
    throw new InputError(`${source} is a web page, not an ONNX model; download the file itself`);
  if (start.startsWith("PK\u0003\u0004"))
    throw new InputError(
      `${source} is a zip archive (PyTorch saves such files), not an ONNX model; export it to ONNX`,
    );
  if (start.startsWith("\u0089HDF"))
    throw new InputError(
      `${source} is an HDF5 file (Keras saves such files), not an ONNX model; export it to ONNX`,
    );
}

import { InputError } from "../errors.ts";
import type { Graph, Model, ModelFunction, Node, TrainingInfo, Value } from "../ir/graph.ts";
import type { Tensor } from "../tensor.ts";
import { writeAttributeTo } from "./attribute.ts";
import { writeEntries } from "./entries.ts";
import type { ExternalPart } from "./external.ts";
import { type Names, names } from "./names.ts";
import { ProtoWriter } from "./protobuf.ts";
import { ANNOTATION, FUNCTION, GRAPH, MODEL, NODE, OPSET, TRAINING } from "./schema.ts";
import { rawBytes, writeExternalTensorTo, writeSparseTo, writeTensorTo } from "./tensor.ts";
import { writeValueTo } from "./value.ts";

/** Protobuf's own limit on a message. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * A model as the bytes of an ONNX file, all tensors inside. Throws InputError for a graph that no file can
 * hold: values that nothing makes, inputs of one name, tensors that do not fit their shape, more than 2 GiB
 * (see `writeExternal`).
 */
export function writeModel(model: Model): Uint8Array<ArrayBuffer> {
  return encode(model, () => null);
}

/** A model in two files. */
export interface ExternalModel {
  readonly model: Uint8Array<ArrayBuffer>;
  /** The pieces of the external file in their order, to be written one after the other. */
  readonly data: readonly Uint8Array[];
}

/**
 * A model whose large tensors lie in a second file `location` beside it, each at a multiple of 4096 bytes, as
 * ONNX asks for memory mapping. Tensors under `threshold` bytes stay inside.
 */
export function writeExternal(model: Model, location: string, threshold = 1024): ExternalModel {
  const data: Uint8Array[] = [];
  let end = 0;
  const bytes = encode(model, (tensor, name) => {
    if (tensor.dtype === "string") return null;
    const raw = rawBytes(tensor, name);
    if (raw.length < threshold) return null;
    const offset = Math.ceil(end / 4096) * 4096;
    if (offset > end) data.push(new Uint8Array(offset - end));
    data.push(raw);
    end = offset + raw.length;
    return { location, offset, length: raw.length };
  });
  return { model: bytes, data };
}

type Place = (tensor: Tensor, name: string) => ExternalPart | null;

interface WriteContext {
  readonly names: Names;
  /** Where an initializer goes: null for inside. */
  readonly place: Place;
}

function encode(model: Model, place: Place): Uint8Array<ArrayBuffer> {
  const writer = new ProtoWriter();
  writer.integer(MODEL.irVersion, model.irVersion);
  writer.text(MODEL.producerName, model.producer.name);
  writer.text(MODEL.producerVersion, model.producer.version);
  writer.text(MODEL.domain, model.domain);
  if (model.modelVersion !== 0n) writer.integer(MODEL.modelVersion, model.modelVersion);
  writer.text(MODEL.doc, model.doc);
  const context: WriteContext = { names: names(), place };
  const leave = context.names.enter(model.graph);
  writer.message(MODEL.graph, (inner) => writeGraphBody(inner, model.graph, context));
  writeOpsets(writer, MODEL.opset, model.opsets);
  writeEntries(writer, MODEL.metadata, model.metadata);
  for (const training of model.training ?? [])
    writer.message(MODEL.training, (inner) => writeTraining(inner, training, context));
  leave();
  for (const one of model.functions ?? [])
    writer.message(MODEL.function, (inner) => writeFunction(inner, one, place));
  writer.raw(model.unknown);
  if (writer.size > MAX_BYTES)
    throw new InputError(
      `the model takes ${writer.size} bytes, more than the 2 GiB an ONNX file can hold; write it with external data`,
    );
  return writer.finish();
}

function writeGraph(writer: ProtoWriter, graph: Graph, context: WriteContext): void {
  const leave = context.names.enter(graph);
  writeGraphBody(writer, graph, context);
  leave();
}

function writeGraphBody(writer: ProtoWriter, graph: Graph, context: WriteContext): void {
  const nameOf = (value: Value) => context.names.of(value, `graph "${graph.name}"`);
  writeNodes(writer, GRAPH.node, graph.nodes, context);
  writer.string(GRAPH.name, graph.name);
  for (const [value, tensor] of graph.initializers)
    writer.message(GRAPH.initializer, (inner) => {
      const name = nameOf(value);
      const part = context.place(tensor, name);
      if (part) writeExternalTensorTo(inner, tensor, name, part);
      else writeTensorTo(inner, tensor, name);
    });
  for (const [value, tensor] of graph.sparseInitializers ?? [])
    writer.message(GRAPH.sparseInitializer, (inner) => writeSparseTo(inner, tensor, nameOf(value)));
  writer.text(GRAPH.doc, graph.doc);
  for (const input of graph.inputs)
    writer.message(GRAPH.input, (inner) => writeValueTo(inner, input, nameOf(input)));
  for (const output of graph.outputs)
    writer.message(GRAPH.output, (inner) => writeValueTo(inner, output, nameOf(output)));
  writeDescriptions(writer, GRAPH.valueInfo, graph, context);
  for (const { value, parameters } of graph.quantization ?? [])
    writer.message(GRAPH.quantization, (inner) => {
      const known = (of: Value) => context.names.known(of) ?? of.name;
      inner.string(ANNOTATION.tensor, known(value));
      writeEntries(
        inner,
        ANNOTATION.parameter,
        [...parameters].map(([key, of]) => [key, known(of)] as const),
      );
    });
  writeEntries(writer, GRAPH.metadata, graph.metadata);
  writer.raw(graph.unknown);
}

function writeNodes(writer: ProtoWriter, field: number, nodes: readonly Node[], context: WriteContext): void {
  for (const node of nodes) writer.message(field, (inner) => writeNode(inner, node, context));
}

function writeNode(writer: ProtoWriter, node: Node, context: WriteContext): void {
  const user = `node "${node.name}" (${node.opType})`;
  const nameOf = (value: Value | null) => (value ? context.names.of(value, user) : "");
  for (const input of node.inputs) writer.string(NODE.input, nameOf(input));
  for (const output of node.outputs) writer.string(NODE.output, nameOf(output));
  writer.text(NODE.name, node.name);
  writer.string(NODE.opType, node.opType);
  for (const [name, attribute] of node.attributes)
    writer.message(NODE.attribute, (inner) =>
      writeAttributeTo(inner, name, attribute, (nested, graph) => writeGraph(nested, graph, context)),
    );
  writer.text(NODE.doc, node.doc);
  writer.text(NODE.domain, node.domain);
  writer.text(NODE.overload, node.overload);
  writeEntries(writer, NODE.metadata, node.metadata);
  writer.raw(node.unknown);
}

/** value_info of what nodes make and is no output, where anything is known, and of what the file declared besides. */
function writeDescriptions(
  writer: ProtoWriter,
  field: number,
  graph: Pick<Graph, "nodes" | "outputs" | "declared">,
  context: WriteContext,
  all = false,
): void {
  const outputs = new Set(all ? [] : graph.outputs);
  for (const node of graph.nodes)
    for (const value of node.outputs)
      if (value && !outputs.has(value) && isDescribed(value))
        writer.message(field, (inner) => writeValueTo(inner, value, context.names.of(value, node.opType)));
  for (const value of graph.declared ?? [])
    writer.message(field, (inner) => writeValueTo(inner, value, context.names.known(value) ?? value.name));
}

function isDescribed(value: Value): boolean {
  return Boolean(value.dtype || value.type || value.doc || value.metadata || value.unknown);
}

function writeOpsets(writer: ProtoWriter, field: number, opsets: ReadonlyMap<string, number>): void {
  for (const [domain, version] of opsets)
    writer.message(field, (inner) => {
      inner.string(OPSET.domain, domain);
      inner.integer(OPSET.version, version);
    });
}

/** A function is a world of its own: its names clash with none outside. */
function writeFunction(writer: ProtoWriter, one: ModelFunction, place: Place): void {
  const context: WriteContext = { names: names(), place };
  context.names.enter(one);
  const nameOf = (value: Value) => context.names.of(value, `function "${one.name}"`);
  writer.string(FUNCTION.name, one.name);
  for (const input of one.inputs) writer.string(FUNCTION.input, nameOf(input));
  for (const output of one.outputs) writer.string(FUNCTION.output, nameOf(output));
  for (const name of one.attributes) writer.string(FUNCTION.attribute, name);
  writeNodes(writer, FUNCTION.node, one.nodes, context);
  writer.text(FUNCTION.doc, one.doc);
  writeOpsets(writer, FUNCTION.opset, one.opsets);
  writer.string(FUNCTION.domain, one.domain);
  for (const [name, attribute] of one.defaults)
    writer.message(FUNCTION.default, (inner) =>
      writeAttributeTo(inner, name, attribute, (nested, graph) => writeGraph(nested, graph, context)),
    );
  writeDescriptions(writer, FUNCTION.valueInfo, one, context, true);
  writer.text(FUNCTION.overload, one.overload);
  writeEntries(writer, FUNCTION.metadata, one.metadata);
  writer.raw(one.unknown);
}

function writeTraining(writer: ProtoWriter, training: TrainingInfo, context: WriteContext): void {
  const { initialization, algorithm } = training;
  if (initialization)
    writer.message(TRAINING.initialization, (inner) => writeGraph(inner, initialization, context));
  if (algorithm) writer.message(TRAINING.algorithm, (inner) => writeGraph(inner, algorithm, context));
  writeEntries(writer, TRAINING.initializationBinding, training.initializationBinding);
  writeEntries(writer, TRAINING.updateBinding, training.updateBinding);
  writer.raw(training.unknown);
}

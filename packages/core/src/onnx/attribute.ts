import { InputError } from "../errors.ts";
import type { Attribute, Graph } from "../ir/graph.ts";
import type { ProtoReader, ProtoWriter } from "./protobuf.ts";
import { ATTRIBUTE, ATTRIBUTE_KIND } from "./schema.ts";
import { type ReadContext, sparseFrom, tensorFrom, writeSparseTo, writeTensorTo } from "./tensor.ts";
import { readType, writeType } from "./value.ts";

type Kind = keyof typeof ATTRIBUTE_KIND;

/** Field of each kind's content, in the order in which a kind is inferred where an old file does not state it. */
const FIELD_OF: Readonly<Record<Kind, number>> = {
  float: ATTRIBUTE.float,
  int: ATTRIBUTE.int,
  string: ATTRIBUTE.string,
  tensor: ATTRIBUTE.tensor,
  graph: ATTRIBUTE.graph,
  floats: ATTRIBUTE.floats,
  ints: ATTRIBUTE.ints,
  strings: ATTRIBUTE.strings,
  tensors: ATTRIBUTE.tensors,
  graphs: ATTRIBUTE.graphs,
  sparse: ATTRIBUTE.sparse,
  sparses: ATTRIBUTE.sparses,
  type: ATTRIBUTE.valueType,
  types: ATTRIBUTE.valueTypes,
};

/**
 * Reads an AttributeProto; `readGraph` decodes subgraphs in the scope at hand. Before IR version 2 the kind was not
 * stated: it is then that of the field that is set.
 */
export function readAttribute(
  reader: ProtoReader,
  context: ReadContext,
  readGraph: (reader: ProtoReader) => Graph,
): [string, Attribute] {
  let name = "";
  let doc = "";
  let code = 0;
  let reference = "";
  const whole = reader.rest();
  const set = new Set<number>();
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: Uint8Array[] = [];
  const messages: ProtoReader[] = [];
  let scalar: number | bigint | Uint8Array | null = null;
  for (let field = reader.next(); field; field = reader.next()) {
    set.add(field);
    switch (field) {
      case ATTRIBUTE.name:
        name = reader.string();
        break;
      case ATTRIBUTE.doc:
        doc = reader.string();
        break;
      case ATTRIBUTE.kind:
        code = reader.integer();
        break;
      case ATTRIBUTE.reference:
        reference = reader.string();
        break;
      case ATTRIBUTE.float:
        scalar = reader.float();
        break;
      case ATTRIBUTE.int:
        scalar = reader.int64();
        break;
      case ATTRIBUTE.string:
        scalar = reader.view();
        break;
      case ATTRIBUTE.floats:
        reader.floats(floats);
        break;
      case ATTRIBUTE.ints:
        reader.int64s(ints);
        break;
      case ATTRIBUTE.strings:
        strings.push(reader.view());
        break;
      case ATTRIBUTE.tensor:
      case ATTRIBUTE.tensors:
      case ATTRIBUTE.graph:
      case ATTRIBUTE.graphs:
      case ATTRIBUTE.sparse:
      case ATTRIBUTE.sparses:
      case ATTRIBUTE.valueType:
      case ATTRIBUTE.valueTypes:
        messages.push(reader.message());
        break;
      default:
        reader.unknown();
    }
  }
  const kinds = Object.keys(ATTRIBUTE_KIND) as Kind[];
  const kind = kinds.find((one) => (code ? ATTRIBUTE_KIND[one] === code : set.has(FIELD_OF[one])));
  const noted = <A extends Attribute>(attribute: A): [string, A] => [
    name,
    doc ? { ...attribute, doc } : attribute,
  ];
  if (reference) return noted({ type: "reference", value: reference, of: code });
  if (!kind) {
    if (code === 0)
      throw new InputError(
        `${context.source}: attribute "${name}" has neither a type nor a value; the file is damaged`,
      );
    return noted({ type: "opaque", value: whole });
  }
  const wrong = (): never => {
    throw new InputError(
      `${context.source}: attribute "${name}" is declared as ${kind} but holds something else`,
    );
  };
  // What proto2 leaves out is the type's zero.
  const content = new Set(Object.values(FIELD_OF).filter((field) => set.has(field)));
  content.delete(FIELD_OF[kind]);
  if (content.size > 0) wrong();
  const only = (): ProtoReader => (messages.length === 1 ? messages[0]! : wrong());
  switch (kind) {
    case "float":
      return noted({ type: kind, value: (scalar as number | null) ?? 0 });
    case "int":
      return noted({ type: kind, value: (scalar as bigint | null) ?? 0n });
    case "string":
      return noted({ type: kind, value: (scalar as Uint8Array | null) ?? new Uint8Array() });
    case "floats":
      return noted({ type: kind, value: floats });
    case "ints":
      return noted({ type: kind, value: ints });
    case "strings":
      return noted({ type: kind, value: strings });
    case "tensor":
      return noted({ type: kind, value: tensorFrom(only(), context) });
    case "tensors":
      return noted({ type: kind, value: messages.map((message) => tensorFrom(message, context)) });
    case "graph":
      return noted({ type: kind, value: readGraph(only()) });
    case "graphs":
      return noted({ type: kind, value: messages.map(readGraph) });
    case "sparse":
      return noted({ type: kind, value: sparseFrom(only(), context) });
    case "sparses":
      return noted({ type: kind, value: messages.map((message) => sparseFrom(message, context)) });
    case "type":
      return noted({ type: kind, value: readType(only()) });
    case "types":
      return noted({ type: kind, value: messages.map(readType) });
  }
}

/** Writes an AttributeProto; `writeGraph` encodes subgraphs in the scope at hand. */
export function writeAttributeTo(
  writer: ProtoWriter,
  name: string,
  attribute: Attribute,
  writeGraph: (writer: ProtoWriter, graph: Graph) => void,
): void {
  if (attribute.type === "opaque") {
    writer.raw(attribute.value);
    return;
  }
  writer.string(ATTRIBUTE.name, name);
  const { type } = attribute;
  switch (type) {
    case "reference":
      writer.string(ATTRIBUTE.reference, attribute.value);
      break;
    case "float":
      writer.float(ATTRIBUTE.float, attribute.value);
      break;
    case "int":
      writer.integer(ATTRIBUTE.int, attribute.value);
      break;
    case "string":
      writer.view(ATTRIBUTE.string, attribute.value);
      break;
    case "floats":
      for (const value of attribute.value) writer.float(ATTRIBUTE.floats, value);
      break;
    case "ints":
      for (const value of attribute.value) writer.integer(ATTRIBUTE.ints, value);
      break;
    case "strings":
      for (const value of attribute.value) writer.view(ATTRIBUTE.strings, value);
      break;
    case "tensor":
      writer.message(ATTRIBUTE.tensor, (inner) =>
        writeTensorTo(inner, attribute.value, attribute.value.name),
      );
      break;
    case "tensors":
      for (const value of attribute.value)
        writer.message(ATTRIBUTE.tensors, (inner) => writeTensorTo(inner, value, value.name));
      break;
    case "graph":
      writer.message(ATTRIBUTE.graph, (inner) => writeGraph(inner, attribute.value));
      break;
    case "graphs":
      for (const value of attribute.value)
        writer.message(ATTRIBUTE.graphs, (inner) => writeGraph(inner, value));
      break;
    case "sparse":
      writer.message(ATTRIBUTE.sparse, (inner) => writeSparseTo(inner, attribute.value));
      break;
    case "sparses":
      for (const value of attribute.value)
        writer.message(ATTRIBUTE.sparses, (inner) => writeSparseTo(inner, value));
      break;
    case "type":
      writer.message(ATTRIBUTE.valueType, (inner) => writeType(inner, attribute.value));
      break;
    case "types":
      for (const value of attribute.value)
        writer.message(ATTRIBUTE.valueTypes, (inner) => writeType(inner, value));
      break;
  }
  writer.text(ATTRIBUTE.doc, attribute.doc);
  writer.integer(ATTRIBUTE.kind, type === "reference" ? attribute.of : ATTRIBUTE_KIND[type]);
}

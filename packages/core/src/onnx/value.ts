import { InputError } from "../errors.ts";
import type { Denotations, Shape, Value, ValueType } from "../ir/graph.ts";
import type { DataType } from "../tensor.ts";
import { dataTypeOf, ELEMENTS } from "./elements.ts";
import { readEntries, writeEntries } from "./entries.ts";
import type { ProtoReader, ProtoWriter } from "./protobuf.ts";
import { CONTAINER_TYPE, EXTENT, MAP_TYPE, OPAQUE_TYPE, SHAPE, TENSOR_TYPE, TYPE, VALUE } from "./schema.ts";
import { concat } from "./tensor.ts";

/** Reads a ValueInfoProto. A negative extent, which some exporters write for "any", is read as unknown. */
export function readValue(reader: ProtoReader): Value {
  const value: Value = { name: "", dtype: null, shape: null };
  const metadata = new Map<string, string>();
  const unknown: Uint8Array[] = [];
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === VALUE.name) value.name = reader.string();
    else if (field === VALUE.type) readValueType(reader.message(), value);
    else if (field === VALUE.doc) value.doc = reader.string();
    else if (field === VALUE.metadata) readEntries(reader, metadata);
    else unknown.push(reader.unknown());
  }
  if (metadata.size > 0) value.metadata = metadata;
  if (unknown.length > 0) value.unknown = concat(unknown);
  return value;
}

export function writeValueTo(writer: ProtoWriter, value: Value, name: string): void {
  writer.string(VALUE.name, name);
  const type = value.type ?? tensorType(value);
  if (type) writer.message(VALUE.type, (inner) => writeType(inner, type));
  writer.text(VALUE.doc, value.doc);
  writeEntries(writer, VALUE.metadata, value.metadata);
  writer.raw(value.unknown);
}

/** Reads a TypeProto. */
export function readType(reader: ProtoReader): ValueType {
  let type: ValueType = { kind: "tensor", dtype: null, shape: null };
  let denotation = "";
  const whole = reader.rest();
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === TYPE.tensor) type = readTensorType(reader.message(), "tensor");
    else if (field === TYPE.sparse) type = readTensorType(reader.message(), "sparse");
    else if (field === TYPE.sequence) type = { kind: "sequence", of: readElementType(reader.message()) };
    else if (field === TYPE.optional) type = { kind: "optional", of: readElementType(reader.message()) };
    else if (field === TYPE.map) type = readMapType(reader.message());
    else if (field === TYPE.opaque) type = readOpaqueType(reader.message());
    else if (field === TYPE.denotation) denotation = reader.string();
    else {
      reader.unknown();
      return { kind: "unknown", bytes: whole };
    }
  }
  return denotation ? { ...type, denotation } : type;
}

export function writeType(writer: ProtoWriter, type: ValueType): void {
  switch (type.kind) {
    case "tensor":
    case "sparse":
      writer.message(TYPE[type.kind], (inner) => writeTensorType(inner, type));
      break;
    case "sequence":
    case "optional":
      writer.message(TYPE[type.kind], (inner) => {
        if (type.of) inner.message(CONTAINER_TYPE.element, (element) => writeType(element, type.of!));
      });
      break;
    case "map":
      writer.message(TYPE.map, (inner) => {
        if (type.key) inner.integer(MAP_TYPE.key, ELEMENTS[type.key].code);
        if (type.of) inner.message(MAP_TYPE.value, (value) => writeType(value, type.of!));
      });
      break;
    case "opaque":
      writer.message(TYPE.opaque, (inner) => {
        inner.text(OPAQUE_TYPE.domain, type.domain);
        inner.text(OPAQUE_TYPE.name, type.name);
      });
      break;
    case "unknown":
      writer.raw(type.bytes);
      return;
  }
  writer.text(TYPE.denotation, type.denotation);
}

function tensorType(value: Value): ValueType | null {
  const { dtype, shape, denotation, extentDenotations } = value;
  if (!dtype && !shape) return null;
  return {
    kind: "tensor",
    dtype,
    shape,
    ...(denotation && { denotation }),
    ...(extentDenotations && { extentDenotations }),
  };
}

function readValueType(reader: ProtoReader, value: Value): void {
  const type = readType(reader);
  if (type.kind !== "tensor") {
    value.type = type;
    return;
  }
  value.dtype = type.dtype;
  value.shape = type.shape;
  if (type.denotation) value.denotation = type.denotation;
  if (type.extentDenotations) value.extentDenotations = type.extentDenotations;
}

function readTensorType(reader: ProtoReader, kind: "tensor" | "sparse"): ValueType {
  let dtype: DataType | null = null;
  let shape: (number | string | null)[] | null = null;
  const denotations: (string | null)[] = [];
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === TENSOR_TYPE.element) dtype = readElementCode(reader);
    else if (field === TENSOR_TYPE.shape) {
      shape = [];
      const inner = reader.message();
      for (let part = inner.next(); part; part = inner.next()) {
        if (part !== SHAPE.extent) {
          inner.unknown();
          continue;
        }
        const extent = readExtent(inner.message());
        shape.push(extent.value);
        denotations.push(extent.denotation);
      }
    } else reader.unknown();
  }
  return { kind, dtype, shape, ...(denotations.some(Boolean) && { extentDenotations: denotations }) };
}

function readExtent(reader: ProtoReader): { value: number | string | null; denotation: string | null } {
  let value: number | string | null = null;
  let denotation: string | null = null;
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === EXTENT.value) {
      const extent = reader.integer();
      value = extent < 0 ? null : extent;
    } else if (field === EXTENT.symbol) value = reader.string() || null;
    else if (field === EXTENT.denotation) denotation = reader.string() || null;
    else reader.unknown();
  }
  return { value, denotation };
}

function readElementType(reader: ProtoReader): ValueType | null {
  let of: ValueType | null = null;
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === CONTAINER_TYPE.element) of = readType(reader.message());
    else reader.unknown();
  }
  return of;
}

function readMapType(reader: ProtoReader): ValueType {
  let key: DataType | null = null;
  let of: ValueType | null = null;
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === MAP_TYPE.key) key = readElementCode(reader);
    else if (field === MAP_TYPE.value) of = readType(reader.message());
    else reader.unknown();
  }
  return { kind: "map", key, of };
}

function readOpaqueType(reader: ProtoReader): ValueType {
  let domain = "";
  let name = "";
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === OPAQUE_TYPE.domain) domain = reader.string();
    else if (field === OPAQUE_TYPE.name) name = reader.string();
    else reader.unknown();
  }
  return { kind: "opaque", domain, name };
}

function readElementCode(reader: ProtoReader): DataType | null {
  const code = reader.integer();
  if (code === 0) return null;
  const dtype = dataTypeOf(code);
  if (!dtype)
    throw new InputError(
      `${reader.source}: a value has element type ${code}, which is none of ONNX 1.23's; update Graft`,
    );
  return dtype;
}

function writeTensorType(
  writer: ProtoWriter,
  {
    dtype,
    shape,
    extentDenotations = [],
  }: { readonly dtype: DataType | null; readonly shape: Shape | null } & Denotations,
): void {
  if (dtype) writer.integer(TENSOR_TYPE.element, ELEMENTS[dtype].code);
  if (!shape) return;
  writer.message(TENSOR_TYPE.shape, (inner) => {
    for (const [axis, extent] of shape.entries())
      inner.message(SHAPE.extent, (dimension) => {
        if (typeof extent === "number") dimension.integer(EXTENT.value, extent);
        else if (extent !== null) dimension.string(EXTENT.symbol, extent);
        dimension.text(EXTENT.denotation, extentDenotations[axis] ?? undefined);
      });
  });
}

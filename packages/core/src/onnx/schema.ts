/**
 * Field numbers of ONNX's messages (onnx/onnx.proto of ONNX 1.23, IR version 14,
 * https://github.com/onnx/onnx), the one place where they are written down. A field that is not listed is
 * carried through as bytes.
 */
export const MODEL = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  domain: 4,
  modelVersion: 5,
  doc: 6,
  graph: 7,
  opset: 8,
  metadata: 14,
  training: 20,
  function: 25,
} as const;

export const OPSET = { domain: 1, version: 2 } as const;
export const ENTRY = { key: 1, value: 2 } as const;

export const TRAINING = {
  initialization: 1,
  algorithm: 2,
  initializationBinding: 3,
  updateBinding: 4,
} as const;

export const FUNCTION = {
  name: 1,
  input: 4,
  output: 5,
  attribute: 6,
  node: 7,
  doc: 8,
  opset: 9,
  domain: 10,
  default: 11,
  valueInfo: 12,
  overload: 13,
  metadata: 14,
} as const;

export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  doc: 10,
  input: 11,
  output: 12,
  valueInfo: 13,
  quantization: 14,
  sparseInitializer: 15,
  metadata: 16,
} as const;

export const ANNOTATION = { tensor: 1, parameter: 2 } as const;

export const NODE = {
  input: 1,
  output: 2,
  name: 3,
  opType: 4,
  attribute: 5,
  doc: 6,
  domain: 7,
  overload: 8,
  metadata: 9,
} as const;

export const ATTRIBUTE = {
  name: 1,
  float: 2,
  int: 3,
  string: 4,
  tensor: 5,
  graph: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  doc: 13,
  valueType: 14,
  valueTypes: 15,
  kind: 20,
  reference: 21,
  sparse: 22,
  sparses: 23,
} as const;

/** AttributeProto.AttributeType. */
export const ATTRIBUTE_KIND = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse: 11,
  sparses: 12,
  type: 13,
  types: 14,
} as const;

export const VALUE = { name: 1, type: 2, doc: 3, metadata: 4 } as const;
export const TYPE = {
  tensor: 1,
  sequence: 4,
  map: 5,
  denotation: 6,
  opaque: 7,
  sparse: 8,
  optional: 9,
} as const;
export const TENSOR_TYPE = { element: 1, shape: 2 } as const;
export const SHAPE = { extent: 1 } as const;
export const EXTENT = { value: 1, symbol: 2, denotation: 3 } as const;
export const CONTAINER_TYPE = { element: 1 } as const;
export const MAP_TYPE = { key: 1, value: 2 } as const;
export const OPAQUE_TYPE = { domain: 1, name: 2 } as const;

export const TENSOR = {
  shape: 1,
  dtype: 2,
  segment: 3,
  floats: 4,
  int32s: 5,
  strings: 6,
  int64s: 7,
  name: 8,
  raw: 9,
  doubles: 10,
  uint64s: 11,
  doc: 12,
  external: 13,
  location: 14,
  metadata: 16,
} as const;
export const SPARSE = { values: 1, indices: 2, shape: 3 } as const;

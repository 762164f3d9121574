import type { DataType, Tensor } from "../tensor.ts";

/** Extents of a value: text entries are symbolic, null entries unknown. */
export type Shape = readonly (number | string | null)[];

/** The type of a value that is not a plain tensor; null where the file leaves the part inside open. */
export type ValueType = (
  | { readonly kind: "tensor"; readonly dtype: DataType | null; readonly shape: Shape | null }
  | { readonly kind: "sparse"; readonly dtype: DataType | null; readonly shape: Shape | null }
  | { readonly kind: "sequence"; readonly of: ValueType | null }
  | { readonly kind: "optional"; readonly of: ValueType | null }
  | { readonly kind: "map"; readonly key: DataType | null; readonly of: ValueType | null }
  | { readonly kind: "opaque"; readonly domain: string; readonly name: string }
  /** A kind this version does not know, kept as its bytes. */
  | { readonly kind: "unknown"; readonly bytes: Uint8Array }
) &
  Denotations;

/** What a file says of a value's meaning ("IMAGE") and of each extent's ("DATA_BATCH"). */
export interface Denotations {
  denotation?: string;
  extentDenotations?: readonly (string | null)[];
}

/**
 * A value of a graph: an edge, made by one node, an initializer or an input. Identity is the object, not the name, so
 * that renaming is one assignment and two graphs can be joined without clashes. `dtype` and `shape` are null while
 * unknown; a shape's text entries are symbolic extents, null entries unknown ones.
 */
export interface Value extends Denotations {
  name: string;
  dtype: DataType | null;
  shape: Shape | null;
  /** Present where the value is no plain tensor; `dtype` and `shape` are then null. */
  type?: ValueType;
  doc?: string;
  metadata?: Map<string, string>;
  /** Fields of the file that this version does not know, as they stood there. So also in the types below. */
  unknown?: Uint8Array;
}

/** What a file says about a tensor beside its elements. */
export interface StoredTensor extends Tensor {
  /** Of a tensor in an attribute; an initializer has its value's name. */
  readonly name?: string;
  readonly doc?: string;
  readonly metadata?: Map<string, string>;
  readonly unknown?: Uint8Array;
}

/** A tensor of `shape` that is zero but at `indices` [values] (flat) or [values, rank], where it has `values`. */
export interface SparseTensor {
  readonly shape: readonly number[];
  readonly values: StoredTensor;
  readonly indices: StoredTensor;
}

/**
 * What an attribute can hold. A graph attribute is a subgraph (If, Loop, Scan); its outer values are shared
 * objects.
 */
export type Attribute = (
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "string"; readonly value: Uint8Array }
  | { readonly type: "tensor"; readonly value: StoredTensor }
  | { readonly type: "graph"; readonly value: Graph }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "ints"; readonly value: readonly bigint[] }
  | { readonly type: "strings"; readonly value: readonly Uint8Array[] }
  | { readonly type: "tensors"; readonly value: readonly StoredTensor[] }
  | { readonly type: "graphs"; readonly value: readonly Graph[] }
  | { readonly type: "sparse"; readonly value: SparseTensor }
  | { readonly type: "sparses"; readonly value: readonly SparseTensor[] }
  | { readonly type: "type"; readonly value: ValueType }
  | { readonly type: "types"; readonly value: readonly ValueType[] }
  /** In the body of a function: the caller's attribute of the name `value`, of ONNX's attribute type number `of`. */
  | { readonly type: "reference"; readonly value: string; readonly of: number }
  /** An attribute type this version does not know, kept as the bytes of the whole attribute. */
  | { readonly type: "opaque"; readonly value: Uint8Array }
) & { readonly doc?: string };

/** The attributes of a node, by name. */
export type Attributes = Map<string, Attribute>;

/** An application of an operator. A null input or output is an optional one left out. */
export interface Node {
  name: string;
  opType: string;
  domain: string;
  inputs: (Value | null)[];
  outputs: (Value | null)[];
  attributes: Attributes;
  /** Which of several functions of the same name is meant. */
  overload?: string;
  doc?: string;
  metadata?: Map<string, string>;
  unknown?: Uint8Array;
}

/** A dataflow graph in topological order. */
export interface Graph {
  name: string;
  inputs: Value[];
  outputs: Value[];
  initializers: Map<Value, Tensor>;
  nodes: Node[];
  sparseInitializers?: Map<Value, SparseTensor>;
  /** Names of the tensors (scale, zero point …) that a quantised value goes with, by ONNX's keys. */
  quantization?: { value: Value; parameters: Map<string, Value> }[];
  /** Values the file describes although it need not: initializers, and values that nothing makes. */
  declared?: Value[];
  doc?: string;
  metadata?: Map<string, string>;
  unknown?: Uint8Array;
}

/** An operator defined by nodes inside the model. Its nodes see its inputs only. */
export interface ModelFunction {
  name: string;
  domain: string;
  overload?: string;
  inputs: Value[];
  outputs: Value[];
  /** Attributes a caller must give, and those with a default. */
  attributes: string[];
  defaults: Attributes;
  nodes: Node[];
  opsets: Map<string, number>;
  declared?: Value[];
  doc?: string;
  metadata?: Map<string, string>;
  unknown?: Uint8Array;
}

/** ONNX's description of training: kept, not used. Bindings go from a name of the model to a name of the graph. */
export interface TrainingInfo {
  initialization: Graph | null;
  algorithm: Graph | null;
  initializationBinding: [string, string][];
  updateBinding: [string, string][];
  unknown?: Uint8Array;
}

/** A graph with what a model file says around it. */
export interface Model {
  graph: Graph;
  /** Operator-set version by domain; "" is ai.onnx. */
  opsets: Map<string, number>;
  irVersion: number;
  producer: { name: string; version: string };
  domain: string;
  modelVersion: bigint;
  doc: string;
  metadata: Map<string, string>;
  functions?: ModelFunction[];
  training?: TrainingInfo[];
  unknown?: Uint8Array;
}

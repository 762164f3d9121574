import type { DataType, Tensor } from "../tensor.ts";

/**
 * A value of a graph: an edge, made by one node, an initializer or an input. Identity is the object, not the name, so
 * that renaming is one assignment and two graphs can be joined without clashes. `dtype` and `shape` are null while
 * unknown; a shape's text entries are symbolic extents, null entries unknown ones.
 */
export interface Value {
  name: string;
  dtype: DataType | null;
  shape: readonly (number | string | null)[] | null;
}

/** What an attribute can hold. A graph attribute is a subgraph (If, Loop, Scan); its outer values are shared objects. */
export type Attribute =
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "string"; readonly value: Uint8Array }
  | { readonly type: "tensor"; readonly value: Tensor }
  | { readonly type: "graph"; readonly value: Graph }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "ints"; readonly value: readonly bigint[] }
  | { readonly type: "strings"; readonly value: readonly Uint8Array[] }
  | { readonly type: "tensors"; readonly value: readonly Tensor[] }
  | { readonly type: "graphs"; readonly value: readonly Graph[] }
  /** What has no computing meaning here (sparse tensors, type protos, references in functions), kept as its bytes. */
  | { readonly type: "opaque"; readonly value: Uint8Array };

export type Attributes = Map<string, Attribute>;

/** An application of an operator. A null input or output is an optional one left out. */
export interface Node {
  name: string;
  opType: string;
  domain: string;
  inputs: (Value | null)[];
  outputs: (Value | null)[];
  attributes: Attributes;
}

/** A dataflow graph in topological order. */
export interface Graph {
  name: string;
  inputs: Value[];
  outputs: Value[];
  initializers: Map<Value, Tensor>;
  nodes: Node[];
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
}

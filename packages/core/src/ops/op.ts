import type { Node, Shape, Value } from "../ir/graph.ts";
import type { DataType } from "../tensor.ts";
import type { Formula } from "./formula.ts";

/** The gradient with respect to one input: a value, one made only where it is wanted, or null where none flows. */
export type InputGradient = Value | (() => Value) | null;

/** A node that is being differentiated, and what is known of it. */
export interface Site {
  readonly node: Node;
  /** Whether the channels of images will lie in front of images. */
  readonly isFolded: boolean;
  /** The inputs. One left out is only looked for where the operator allows that: see `has`. */
  readonly x: readonly Value[];
  has(index: number): boolean;
  /** The first output, and the gradient of the loss with respect to it. */
  readonly y: Value;
  readonly dy: Value;
  /** The gradients with respect to all outputs; null where the loss does not depend on one. */
  readonly dys: readonly (Value | null)[];
  /**
   * The node that alone reads `y`, its output and the gradient of that; null where there are several, or y is
   * an output.
   */
  reader(): { readonly node: Node; readonly y: Value; readonly dy: Value } | null;
  /** Output `index`, which the node is made to give where it did not. */
  output(index: number): Value;
  /** Shape of a value with a known rank; throws an InputError that names it otherwise. */
  shape(value: Value): Shape;
  rank(value: Value): number;
  /** The element type of a value, where it is known. */
  dtype(value: Value): DataType | null;
  /** All extents of a value as numbers; throws an InputError that says which are open and what to do. */
  extents(value: Value): readonly number[];
  /** The numbers of a constant input; null where it is absent, and where it is no constant. */
  contents(index: number): readonly number[] | null;
  int(name: string, otherwise: number): number;
  float(name: string, otherwise: number): number;
  ints(name: string): readonly number[] | null;
  text(name: string, otherwise: string): string;
  /** A gradient in a shape that `to` was broadcast to, summed back to the shape of `to`. */
  unbroadcast(gradient: Value, from: Shape, to: Value): Value;
  /** `gradient` in the shape of `x`. */
  like(gradient: Value, x: Value): Value;
  /** Throws an InputError that names the node. */
  refuse(what: string): never;
}

/** Gradients with respect to the inputs of a node, in their order. */
export type GradientRule = (g: Formula, at: Site) => readonly InputGradient[];
/** The outputs of a node made of plainer operators. */
export type Decomposition = (g: Formula, at: Omit<Site, "dy" | "dys">) => readonly (Value | null)[];

/**
 * An operator appended as plainer ones, the last of which gives its first output: the gradients of its inputs
 * from dy and what they left.
 */
export interface Lowered {
  gradient(dy: Value): readonly InputGradient[];
}

/**
 * What differentiation knows of an operator: its gradient as a formula, or plainer operators to put in its place.
 * `gradient` null: none flows (comparisons, indices, shapes).
 */
export interface Op {
  readonly gradient: GradientRule | null;
  readonly decompose?: Decomposition;
  /** As `decompose`, with a gradient of the whole; null where the rule is to be taken. */
  readonly lower?: (g: Formula, at: Omit<Site, "dy" | "dys">) => Lowered | null;
  /** Inputs are broadcast against each other: the engine undoes that in what `gradient` returns. */
  readonly broadcasts?: boolean;
}

/** What a formula of an elementwise operator may name. */
export interface Terms {
  readonly x: Value;
  readonly y: Value;
  readonly dy: Value;
  readonly at: Site;
}

/** An elementwise operator of one input. */
export function unary(formula: (g: Formula, terms: Terms) => InputGradient): Op {
  return { gradient: (g, at) => [formula(g, { x: at.x[0]!, y: at.y, dy: at.dy, at })] };
}

/** What a formula of an elementwise operator of two inputs may name. */
export interface BinaryTerms {
  readonly a: Value;
  readonly b: Value;
  readonly y: Value;
  readonly dy: Value;
  readonly at: Site;
}

/** An elementwise operator of two inputs, which are broadcast. */
export function binary(formula: (g: Formula, terms: BinaryTerms) => readonly InputGradient[]): Op {
  return {
    broadcasts: true,
    gradient: (g, at) => formula(g, { a: at.x[0]!, b: at.x[1]!, y: at.y, dy: at.dy, at }),
  };
}

/** An operator of any number of inputs, which are broadcast. */
export function variadic(gradient: GradientRule): Op {
  return { broadcasts: true, gradient };
}

/** An operator with a rule of its own. */
export function rule(gradient: GradientRule): Op {
  return { gradient };
}

/** An operator that is differentiated as plainer ones. */
export function decomposed(decompose: Decomposition): Op {
  return { gradient: null, decompose };
}

/** No gradient flows through the operator: its outputs are piecewise constant, or no numbers. */
export const constantOp: Op = { gradient: null };

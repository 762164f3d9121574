import { build, cutAt, InputError, ints, listLayers, type Model, opsetOf, raiseOpset } from "@graft-ml/core";

/** A trunk up to a layer that has numbers for every token. */
export interface TokenRows {
  /** One output [tokens, dimension]: the tokens of the first text, then those of the next. */
  readonly model: Model;
  readonly layer: string;
  readonly dimension: number;
}

const OPSET = 17;

/**
 * A row of numbers for each token, at a layer of shape [batch, sequence, D] or [batch, D, sequence]; the last
 * one where none is named. Throws an InputError where the layer has no rows for tokens.
 */
export function tokenRows(trunk: Model, layer: string | null): TokenRows {
  const layers = listLayers(trunk).filter(({ shape }) => axisOf(shape) !== null);
  const found = layer === null ? layers.at(-1) : layers.find(({ name }) => name === layer);
  if (!found)
    throw new InputError(
      `layer ${layer === null ? "" : `"${layer}" `}gives no numbers for each token; such layers are ${
        layers
          .slice(-6)
          .map(({ name }) => name)
          .join(", ") || "none"
      }`,
    );
  const raised = opsetOf(trunk) < OPSET ? raiseOpset(trunk, OPSET) : trunk;
  const model = cutAt(raised, found.name);
  const axis = axisOf(found.shape)!;
  const dimension = found.shape[axis] as number;
  const b = build(model.graph);
  const value = model.graph.outputs[0]!;
  const turned = axis === 1 ? b.apply("Transpose", [value], { perm: [0, 2, 1] }) : value;
  const rows = b.apply("Reshape", [turned, ints([-1, dimension])]);
  model.graph.outputs = [Object.assign(rows, { dtype: "float32", shape: ["tokens", dimension] })];
  return { model, layer: found.name, dimension };
}

/** The axis of the numbers in [batch, sequence, D] or [batch, D, sequence]; null for other shapes. */
function axisOf(shape: readonly (number | string | null)[]): 1 | 2 | null {
  if (shape.length !== 3 || typeof shape[0] === "number") return null;
  const [one, two] = [typeof shape[1] === "number", typeof shape[2] === "number"];
  return one === two ? null : one ? 1 : 2;
}

import type { Value } from "../ir/graph.ts";
import type { Tensor } from "../tensor.ts";
import { scalarOf } from "./formula.ts";
import { rule } from "./op.ts";
import { selection } from "./shaping.ts";

/**
 * Zeros, ones or any constant around it: what is inside comes back. Reflected and repeated edges add up where
 * they came from.
 */
export const Pad = rule((g, at) => {
  if (at.text("mode", "constant") !== "constant") return selection.gradient!(g, at);
  const pads = at.contents(1);
  if (!pads || (at.has(3) && !at.contents(3))) return at.refuse("pads by amounts that are no constant");
  if (pads.some((n) => n < 0)) return at.refuse("cuts (negative pads); use Slice for that");
  const axes = at.contents(3) ?? Array.from({ length: at.rank(at.y) }, (_, axis) => axis);
  const ends = axes.map((_, i) => (pads[i + axes.length] ? -pads[i + axes.length]! : 2 ** 31 - 1));
  return [g.slice(at.dy, pads.slice(0, axes.length), ends, axes), null, null, null];
});

/** What was overwritten has no gradient, what was written has the one of its place; sums pass both. */
export const ScatterND = rule((g, { x: [, indices, updates], dy, ...at }) => {
  const reduction = at.text("reduction", "none");
  if (reduction !== "none" && reduction !== "add")
    at.refuse(`with reduction ${reduction} has no gradient rule`);
  return [
    () => (reduction === "add" ? dy : g.op("ScatterND", [dy, indices!, g.zerosLike(updates!)])),
    null,
    () => g.op("GatherND", [dy, indices!]),
  ];
});
export const ScatterElements = rule((g, { x: [, indices, updates], dy, ...at }) => {
  const reduction = at.text("reduction", "none");
  if (reduction !== "none" && reduction !== "add")
    at.refuse(`with reduction ${reduction} has no gradient rule`);
  const axis = at.int("axis", 0);
  return [
    () =>
      reduction === "add" ? dy : g.op("ScatterElements", [dy, indices!, g.zerosLike(updates!)], { axis }),
    null,
    () => g.op("GatherElements", [dy, indices!], { axis }),
  ];
});
/** Each taken element's gradient goes back to its place. */
export const TopK = rule((g, at) => {
  const axis = at.int("axis", -1);
  return [g.op("ScatterElements", [g.zerosLike(at.x[0]!), at.output(1), at.dy], { axis }), null];
});
/** The sum from the other end. */
export const CumSum = rule((g, at) => {
  const attributes = { exclusive: at.int("exclusive", 0), reverse: 1 - at.int("reverse", 0) };
  return [g.op("CumSum", [at.dy, at.x[1]!], attributes), null];
});
export const Trilu = rule((g, at) => [
  g.op("Trilu", [at.dy, at.has(1) ? at.x[1]! : null], { upper: at.int("upper", 1) }),
  null,
]);

/** Resizing is linear along each axis: resizing the identity gives its matrix A, and dx = Aᵀ·dy. */
export const Resize = rule((g, at) => {
  const [x] = at.x as [Value];
  const from = at.extents(x);
  const to = at.extents(at.y);
  const rank = from.length;
  if (at.node.attributes.has("axes")) at.refuse("with the attribute axes has no gradient rule");
  if (at.text("keep_aspect_ratio_policy", "stretch") !== "stretch")
    at.refuse("keeps the aspect ratio, which has no gradient rule");
  if (at.text("coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize")
    at.refuse("crops, which has no gradient rule");
  let dx = at.dy;
  for (const [axis, extent] of from.entries()) {
    if (extent === to[axis]) continue;
    if (axis < rank - 2) at.refuse("changes other axes than the last two, which has no gradient rule");
    const identity = g.constant(eye(extent));
    const attributes = Object.fromEntries(at.node.attributes);
    const one = scalarOf("float32", 1, [1]);
    const made = at.has(3)
      ? g.op("Resize", [identity, null, null, lengths([extent, 1, to[axis]!, 1])], attributes)
      : g.op(
          "Resize",
          [identity, null, g.concat([one, one, g.slice(at.x[2]!, [axis], [axis + 1], [0]), one], 0)],
          attributes,
        );
    const matrix = g.reshape(made, [extent, to[axis]!]); // Aᵀ
    dx = axis === rank - 1 ? g.matmul(dx, g.transpose(matrix, [1, 0])) : g.matmul(matrix, dx);
  }
  return [dx, null, null, null];
});

function eye(n: number): Tensor {
  const data = new Float32Array(n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return { dtype: "float32", shape: [n, 1, n, 1], data };
}

function lengths(values: readonly number[]): Tensor {
  return { dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) };
}

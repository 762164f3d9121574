import { type Op, rule } from "./op.ts";

const reshaping: Op = rule((_, at) => [at.like(at.dy, at.x[0]!), null]);
export const Reshape = reshaping;
export const Flatten = reshaping;
export const Squeeze = reshaping;
export const Unsqueeze = reshaping;
/** The inverse permutation. */
export const Transpose = rule((g, at) => {
  const rank = at.rank(at.y);
  const perm = at.ints("perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  return [
    g.transpose(
      at.dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ];
});
export const Expand = rule((_, at) => [at.unbroadcast(at.dy, at.shape(at.y), at.x[0]!), null]);
export const Concat = rule((g, at) => {
  const axis = at.int("axis", 0);
  const sizes = at.x.map((x) => at.shape(x).at(axis));
  if (!sizes.every((size) => typeof size === "number"))
    at.refuse("joins parts of unknown size; give the shapes of the inputs");
  return g.split(at.dy, sizes as number[], axis);
});
export const Split = rule((g, at) => [
  g.concat(
    at.dys.map((dy, i) => dy ?? g.zerosLike(at.output(i))),
    at.int("axis", 0),
  ),
  null,
]);
/** Every element's gradient goes to the address it was taken from. */
export const selection: Op = rule((g, at) => {
  const [x, ...rest] = at.node.inputs;
  const attributes = Object.fromEntries(at.node.attributes);
  const taken = g.op(at.node.opType, [g.addresses(x!), ...rest], attributes);
  if (g.opset < 16) at.refuse("needs operator set 16 to be differentiated; raise it with raiseOpset");
  const flat = g.op(
    "ScatterElements",
    [g.reshape(g.zerosLike(x!), [-1]), g.reshape(taken, [-1]), g.reshape(at.dy, [-1])],
    { reduction: "add" },
  );
  return [g.reshape(flat, g.shape(x!)), ...rest.map(() => null)];
});
export const Gather = selection;
export const GatherElements = selection;
export const GatherND = selection;
export const Slice = selection;
export const Tile = selection;
/** The two undo each other; blocks in the order CRD have no inverse among the operators. */
export const DepthToSpace = rule((g, at) => {
  if (at.text("mode", "DCR") !== "DCR") at.refuse("in the mode CRD has no gradient rule; export it as DCR");
  return [g.op("SpaceToDepth", [at.dy], { blocksize: at.int("blocksize", 1) })];
});
export const SpaceToDepth = rule((g, at) => [
  g.op("DepthToSpace", [at.dy], { blocksize: at.int("blocksize", 1) }),
]);

import { ints } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
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
export const GatherElements = selection;
export const GatherND = selection;
export const Compress = selection;
export const ReverseSequence = selection;
/**
 * One place along an axis: zeros around its gradient. Whole rows of a table: each is added to the row it was
 * taken from.
 */
export const Gather = rule((g, at) => {
  const [x, indices] = at.x as [Value, Value];
  const shape = at.shape(x);
  const axis = (at.int("axis", 0) + shape.length) % shape.length;
  const length = shape[axis];
  const places = at.contents(1);
  if (places?.length === 1 && typeof length === "number") {
    const place = (places[0]! + length) % length;
    const kept = at.rank(indices) === 0 ? g.unsqueeze(at.dy, [axis]) : at.dy;
    if (at.rank(indices) < 2) return [padded(g, kept, shape.length, axis, place, length - 1 - place), null];
  }
  const row = shape.slice(1);
  if (axis !== 0 || g.opset < 16 || !row.every((extent) => typeof extent === "number"))
    return selection.gradient!(g, at);
  const width = row.reduce((product, extent) => product * extent, 1);
  const rows = g.reshape(at.dy, [-1, width]);
  if (typeof length === "number" && length <= 128) {
    // A short table: which row each index names is a matrix, and one product adds up.
    const numbers = g.constant(ints(Array.from({ length }, (_, i) => i)));
    const place = g.op("Mod", [
      g.add(g.cast(indices, "int64"), g.constant(ints([length]))),
      g.constant(ints([length])),
    ]);
    const named = g.equal(g.reshape(place, [-1, 1]), numbers);
    return [g.reshape(g.op("Gemm", [named, rows], { transA: 1 }), g.shape(x)), null];
  }
  const targets = g.expand(g.reshape(indices, [-1, 1]), g.shape(rows));
  const table = g.reshape(g.zerosLike(x), [-1, width]);
  return [
    g.reshape(g.op("ScatterElements", [table, targets, rows], { axis: 0, reduction: "add" }), g.shape(x)),
    null,
  ];
});
/** Zeros around the gradient; with steps other than 1 each element goes to its address. */
export const Slice = rule((g, at) => {
  const [x] = at.x as [Value];
  const shape = at.shape(x);
  const [starts, ends] = [at.contents(1), at.contents(2)];
  const axes = at.has(3) ? at.contents(3) : (starts?.map((_, i) => i) ?? null);
  const steps = at.has(4) ? at.contents(4) : [1];
  const known = axes?.every((axis) => typeof shape.at(axis) === "number");
  if (!starts || !ends || !axes || !known || !steps?.every((step) => step === 1))
    return selection.gradient!(g, at);
  const amounts = new Array<number>(2 * shape.length).fill(0);
  for (const [i, one] of axes.entries()) {
    const axis = (one + shape.length) % shape.length;
    const extent = shape[axis] as number;
    const clamp = (place: number) => Math.min(Math.max(place < 0 ? place + extent : place, 0), extent);
    amounts[axis] = clamp(starts[i]!);
    amounts[axis + shape.length] = extent - Math.max(clamp(ends[i]!), amounts[axis]!);
  }
  return [g.pad(at.dy, amounts), null, null, null, null];
});
/** The sum over the copies. */
export const Tile = rule((g, at) => {
  const [x] = at.x as [Value];
  const shape = at.shape(x);
  const repeats = at.contents(1);
  if (!repeats || !shape.every((extent) => typeof extent === "number")) return selection.gradient!(g, at);
  const apart = g.reshape(
    at.dy,
    repeats.flatMap((n, axis) => [n, shape[axis] as number]),
  );
  return [
    g.sum(
      apart,
      repeats.map((_, axis) => 2 * axis),
      false,
    ),
    null,
  ];
});

function padded(g: Formula, value: Value, rank: number, axis: number, before: number, after: number): Value {
  const amounts = new Array<number>(2 * rank).fill(0);
  amounts[axis] = before;
  amounts[axis + rank] = after;
  return g.pad(value, amounts);
}

/** The two undo each other; blocks in the order CRD are taken back by hand. */
export const DepthToSpace = rule((g, at) => {
  const block = at.int("blocksize", 1);
  if (at.text("mode", "DCR") === "DCR") return [g.op("SpaceToDepth", [at.dy], { blocksize: block })];
  const [, channels, height, width] = at.extents(at.x[0]!) as [number, number, number, number];
  const apart = g.reshape(at.dy, [-1, channels / block ** 2, height, block, width, block]);
  return [g.reshape(g.transpose(apart, [0, 1, 3, 5, 2, 4]), [-1, channels, height, width])];
});
export const SpaceToDepth = rule((g, at) => [
  g.op("DepthToSpace", [at.dy], { blocksize: at.int("blocksize", 1) }),
]);

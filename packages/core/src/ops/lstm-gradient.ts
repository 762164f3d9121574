import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import type { GradientRule, InputGradient } from "./op.ts";

// T steps, B sequences, I inputs, H units, D directions. The gates of all steps follow from the states that
// the operator gave, in one product; what remains step by step is the cell (two operators a step) and its way
// back (seven).

/**
 * Backpropagation through time of an LSTM whose first states are zero and of which only Y [T, D, B, H] is
 * used (Graves 2012, https://doi.org/10.1007/978-3-642-24797-2, section 4.6). Both directions go step by step
 * together, the second one reversed.
 */
export const lstmGradient: GradientRule = (g, at) => {
  const [x, w, r] = at.x as [Value, Value, Value];
  const [steps] = at.shape(x) as readonly [number];
  if (typeof steps !== "number")
    at.refuse("is differentiated step by step, so their number must be known; give its shape");
  const [directions, , size] = at.extents(r) as [number, number, number];
  const inputs = at.extents(w)[2]!;
  const isReverse = (d: number) => d === 1 || at.text("direction", "forward") === "reverse";
  const turned = (value: Value, d: number) =>
    isReverse(d) ? g.gather(value, backwards(g, steps), 0) : value;
  const one = (value: Value, d: number, axis: number) =>
    directions === 1 ? g.squeeze(value, [axis]) : g.gather(value, index(g, d), axis);
  /** Both directions side by side [T, D, …], in the order in which each goes through its steps. */
  const together = (parts: readonly Value[]) =>
    g.concat(
      parts.map((part, d) => g.unsqueeze(turned(part, d), [1])),
      1,
    );
  const rows = g.reshape(x, [-1, inputs]); // [T·B, I]
  const all = Array.from({ length: directions }, (_, d) => d);
  const of = all.map((d) => {
    const states = one(at.y, d, 1); // [T, B, H]
    const edge = isReverse(d) ? [0, 0, 0, 1, 0, 0] : [1, 0, 0, 0, 0, 0];
    const kept = isReverse(d) ? g.slice(states, [1], [steps], [0]) : g.slice(states, [0], [steps - 1], [0]);
    const before = g.reshape(steps === 1 ? g.zerosLike(states) : g.pad(kept, edge), [-1, size]);
    const biases = at.has(3) ? g.split(one(at.x[3]!, d, 0), [4 * size, 4 * size], 0) : null;
    const given = g.op("Gemm", [rows, one(w, d, 0), ...(biases ? [g.add(biases[0]!, biases[1]!)] : [])], {
      transB: 1,
    });
    const gates = g.op("Gemm", [before, one(r, d, 0), given], { transB: 1 });
    return { before, gates: g.reshape(gates, [steps, -1, 4 * size]) };
  });
  const gates = together(of.map((part) => part.gates)); // [T, D, B, 4·H]
  const [squashed, raw] = g.split(gates, [3 * size, size], 3) as [Value, Value];
  const [i, o, f] = g.split(g.sigmoid(squashed), [size, size, size], 3) as [Value, Value, Value];
  const candidate = g.tanh(raw);
  const mask = at.has(4) ? together(all.map(() => reals(g, at.x[4]!, steps))) : null; // [T, D, B, 1]
  const masked = (value: Value) => (mask ? g.mul(value, mask) : value);
  const fresh = masked(g.mul(i, candidate));
  const each = (value: Value) =>
    steps === 1
      ? [value]
      : g.split(
          value,
          Array.from({ length: steps }, () => 1),
          0,
        );
  const forgets = each(f);
  const cells: Value[] = [];
  for (const [t, one] of each(fresh).entries())
    cells.push(t === 0 ? one : g.add(g.mul(forgets[t]!, cells[t - 1]!), one));
  const cell = g.concat(cells, 0);
  const shown = g.tanh(cell);
  const cellsBefore =
    steps === 1 ? g.zerosLike(cell) : g.concat([g.zerosLike(cells[0]!), ...cells.slice(0, -1)], 0);
  const slope = (gate: Value) => g.mul(gate, g.sub(1, gate));
  const factors = masked(
    g.concat(
      [
        g.mul(candidate, slope(i)),
        g.mul(shown, slope(o)),
        g.mul(cellsBefore, slope(f)),
        g.mul(i, g.sub(1, g.square(candidate))),
      ],
      3,
    ),
  );
  const dy = masked(together(all.map((d) => one(at.dy, d, 1))));
  const [dys, toCells, toGates] = [each(dy), each(g.mul(o, g.sub(1, g.square(shown)))), each(factors)];
  const back: Value[] = [];
  let carried: Value | null = null;
  for (let t = steps - 1; t >= 0; t--) {
    const dh: Value = t === steps - 1 ? dys[t]! : g.add(dys[t]!, g.matmul(back[t + 1]!, r));
    const own: Value = g.mul(dh, toCells[t]!);
    const dc: Value = carried ? g.add(own, carried) : own;
    back[t] = g.mul(g.concat([dc, dh, dc, dc], 3), toGates[t]!);
    if (t > 0) carried = g.mul(dc, forgets[t]!);
  }
  const ways = g.concat(back, 0); // [T, D, B, 4·H]
  const byDirection = all.map((d) => g.reshape(turned(one(ways, d, 1), d), [-1, 4 * size]));
  const stacked = (parts: readonly Value[]) =>
    g.concat(
      parts.map((part) => g.unsqueeze(part, [0])),
      0,
    );
  const sum = (parts: readonly Value[]) => parts.reduce((a, b) => g.add(a, b));
  const dx = () => g.reshape(sum(byDirection.map((way, d) => g.op("Gemm", [way, one(w, d, 0)]))), g.shape(x));
  const dw = () => stacked(byDirection.map((way) => g.op("Gemm", [way, rows], { transA: 1 })));
  const dr = () => stacked(byDirection.map((way, d) => g.op("Gemm", [way, of[d]!.before], { transA: 1 })));
  const db = () => {
    const sums = byDirection.map((way) => g.sum(way, [0], false));
    return stacked(sums.map((one) => g.concat([one, one], 0)));
  };
  return [dx, dw, dr, at.has(3) ? db : null, null] as readonly InputGradient[];
};

/** 1 where a step is within its sequence's length [T, B, 1], else 0. */
function reals(g: Formula, lengths: Value, steps: number): Value {
  const numbers = g.constant({
    dtype: "int32",
    shape: [steps, 1],
    data: Int32Array.from({ length: steps }, (_, t) => t),
  });
  return g.unsqueeze(g.number(g.op("Less", [numbers, g.cast(lengths, "int32")])), [2]);
}

function index(g: Formula, d: number): Value {
  return g.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(d)) });
}

function backwards(g: Formula, steps: number): Value {
  const data = BigInt64Array.from({ length: steps }, (_, t) => BigInt(steps - 1 - t));
  return g.constant({ dtype: "int64", shape: [steps], data });
}

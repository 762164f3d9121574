import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import type { InputGradient, Lowered, Site } from "./op.ts";

// T steps, B sequences, I inputs, H units, D directions. Where an LSTM is differentiated the operator, which
// keeps no gates, gives way to plain nodes that do: to compute the gates again took a product of all inputs.
// Both directions go step by step together, the second one reversed. A node costs about what its numbers do, so
// whatever waits for no state is done once for all steps: the product of the inputs before them, and on the way
// back the slopes and the products behind each gradient.

/**
 * An LSTM whose first states are zero and of which only Y [T, D, B, H] is used, step by step, with
 * backpropagation through time (Graves 2012, https://doi.org/10.1007/978-3-642-24797-2, section 4.6).
 */
export function lstmSteps(g: Formula, at: Omit<Site, "dy" | "dys">): Lowered {
  const [x, w, r] = at.x as [Value, Value, Value];
  const [steps] = at.shape(x) as readonly [number];
  if (typeof steps !== "number")
    at.refuse("is differentiated step by step, so their number must be known; give its shape");
  const [directions, , size] = at.extents(r) as [number, number, number];
  const inputs = at.extents(w)[2]!;
  const isReverse = (d: number) => d === 1 || at.text("direction", "forward") === "reverse";
  const all = Array.from({ length: directions }, (_, d) => d);
  const turned = (value: Value, d: number, axis: number) =>
    isReverse(d) ? g.gather(value, backwards(g, steps), axis) : value;
  /** Values of each direction [D, T, …], in the order in which each goes through its steps. */
  const together = (parts: readonly Value[]) =>
    g.concat(
      parts.map((part, d) => g.unsqueeze(turned(part, d, 0), [0])),
      0,
    );
  /** The directions of values [D, T, B, …] or [D, T·B, …] apart, [T, B, …] in the order of time. */
  const apart = (value: Value, width: number) =>
    pieces(g, value, directions, 0).map((part, d) => turned(g.reshape(part, [steps, -1, width]), d, 0));
  const each = (value: Value) => pieces(g, value, steps, 1); // [D, 1, B, …]
  const whole = (parts: readonly Value[]) => g.concat(parts, 1); // [D, T, B, …]

  // A bias is a row of weights for an input of one. Beyond a sequence's length, or before its end where it goes
  // back, inputs are zero, and so are the states before its end.
  const real = at.has(4) ? reals(g, at.x[4]!, steps) : null; // [T, B, 1]
  const masked = (value: Value) => (real ? g.mul(value, real) : value);
  const one = () => g.onesLike(g.slice(x, [0], [1], [2])); // [T, B, 1]
  const given = masked(at.has(3) ? g.concat([x, one()], 2) : x);
  const width = at.has(3) ? inputs + 1 : inputs;
  const rows = g.reshape(together(all.map(() => given)), [directions, -1, width]); // [D, T·B, I + 1]
  const weights = at.has(3) ? g.concat([w, bias(g, at.x[3]!, size)], 2) : w; // [D, 4·H, I + 1]
  const products = g.matmul(rows, g.transpose(weights, [0, 2, 1]));
  const entries = each(g.reshape(products, [directions, steps, -1, 4 * size]));
  const wayBack = g.unsqueeze(r, [1]); // [D, 1, 4·H, H]
  const recurrent = g.transpose(wayBack, [0, 1, 3, 2]);
  const done: Step[] = [];
  for (let t = 0; t < steps; t++) {
    const before = done[t - 1];
    const sum = before ? g.add(entries[t]!, g.matmul(before.h, recurrent)) : entries[t]!;
    const [squashed, raw] = g.split(sum, [3 * size, size], 3) as [Value, Value];
    const gates = g.sigmoid(squashed);
    const [i, o, f] = g.split(gates, [size, size, size], 3) as [Value, Value, Value];
    const candidate = g.tanh(raw);
    const fresh = g.mul(i, candidate);
    const cell = before ? g.add(g.mul(f, before.cell), fresh) : fresh;
    done.push({ gates, candidate, cell, h: g.mul(o, g.tanh(cell)) });
  }
  const states = whole(done.map(({ h }) => h));
  // What is appended last gives the output.
  g.concat(
    apart(states, size).map((part) => g.unsqueeze(masked(part), [1])),
    1,
  );

  return {
    gradient(dy) {
      const gates = whole(done.map((step) => step.gates));
      const candidate = whole(done.map((step) => step.candidate));
      const cell = whole(done.map((step) => step.cell));
      const zeros = g.zerosLike(done[0]!.h);
      const earlier = (values: readonly Value[]) => whole([zeros, ...values.slice(0, -1)]);
      const [i, o, f] = g.split(gates, [size, size, size], 3) as [Value, Value, Value];
      const fresh = g.mul(i, candidate);
      // Slopes of i, o and f times what each multiplies, s·(1 − s)·v, out of s·v.
      const parts = g.concat([fresh, states, g.mul(f, earlier(done.map((step) => step.cell)))], 3);
      const three = g.sub(parts, g.mul(parts, gates));
      const open = real ? g.mul(i, together(all.map(() => real))) : i;
      const slopes = each(g.concat([three, g.sub(open, g.mul(fresh, candidate))], 3));
      const cellSlopes = each(g.sub(o, g.mul(states, g.tanh(cell))));
      const kept = each(f);
      const dys = each(together(pieces(g, dy, directions, 1).map((part) => masked(g.squeeze(part, [1])))));
      const back: Value[] = [];
      let carried: Value | null = null;
      for (let t = steps - 1; t >= 0; t--) {
        const dh: Value = t === steps - 1 ? dys[t]! : g.add(dys[t]!, g.matmul(back[t + 1]!, wayBack));
        const own: Value = g.mul(dh, cellSlopes[t]!);
        const dc: Value = carried ? g.add(own, carried) : own;
        back[t] = g.mul(g.concat([dc, dh, dc, dc], 3), slopes[t]!);
        if (t > 0) carried = g.mul(dc, kept[t]!);
      }
      const gradients = whole(back); // [D, T, B, 4·H]
      const ways = g.reshape(gradients, [directions, -1, 4 * size]); // [D, T·B, 4·H]
      // Turned once for all products that take it so: a product that turns it does so strip by strip.
      const turnedWays = once(() =>
        g.reshape(g.transpose(gradients, [0, 3, 1, 2]), [directions, 4 * size, -1]),
      );
      const sum = (values: readonly Value[]) => values.reduce((a, b) => g.add(a, b));
      const over = (value: Value) => g.matmul(turnedWays(), value);
      const dx = () => sum(apart(g.matmul(ways, w), inputs));
      const entry = once(() => over(rows)); // of inputs and of the bias
      const dw = () => (at.has(3) ? g.slice(entry(), [0], [inputs], [2]) : entry());
      const dr = () => over(g.reshape(earlier(done.map(({ h }) => h)), [directions, -1, size]));
      const db = () => {
        const half = g.squeeze(g.slice(entry(), [inputs], [width], [2]), [2]);
        return g.concat([half, half], 1);
      };
      return [dx, dw, dr, at.has(3) ? db : null, null] as readonly InputGradient[];
    },
  };
}

/** A value that is appended where it is first asked for. */
function once(append: () => Value): () => Value {
  let value: Value | undefined;
  return () => {
    value ??= append();
    return value;
  };
}

/** What a step leaves for the way back, each [D, 1, B, H]; `gates` i, o and f [D, 1, B, 3·H]. */
interface Step {
  readonly gates: Value;
  readonly candidate: Value;
  readonly cell: Value;
  readonly h: Value;
}

/** Both halves of the biases [D, 8·H] together [D, 4·H, 1]. */
function bias(g: Formula, biases: Value, size: number): Value {
  const [input, recurrent] = g.split(biases, [4 * size, 4 * size], 1) as [Value, Value];
  return g.unsqueeze(g.add(input, recurrent), [2]);
}

/** A value in `count` pieces of one along an axis. */
function pieces(g: Formula, value: Value, count: number, axis: number): Value[] {
  if (count === 1) return [value];
  return g.split(
    value,
    Array.from({ length: count }, () => 1),
    axis,
  );
}

/** 1 where a step is within its sequence's length [T, B, 1], else 0. */
function reals(g: Formula, lengths: Value, steps: number): Value {
  const numbers = g.constant({
    dtype: "int32",
    shape: [steps, 1],
    data: Int32Array.from({ length: steps }, (_, t) => t),
  });
  return g.unsqueeze(g.number(g.op("Less", [numbers, g.cast(lengths, "int32")])), [2]);
}

function backwards(g: Formula, steps: number): Value {
  const data = BigInt64Array.from({ length: steps }, (_, t) => BigInt(steps - 1 - t));
  return g.constant({ dtype: "int64", shape: [steps], data });
}

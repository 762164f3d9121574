import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import type { InputGradient, Lowered, Site } from "./op.ts";

// T steps, B sequences, I inputs, H units, D directions. Where an LSTM is differentiated the operator, which
// keeps no gates, gives way to plain nodes that do: to compute the gates again took a product of all inputs.
// Both directions go step by step together, the second one reversed; one product before them serves all
// inputs, and one behind the way back serves each gradient.

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
  const flat = (parts: readonly Value[], width: number) =>
    g.reshape(g.concat(parts, 1), [directions, -1, width]); // [D, T·B, …]

  const rows = g.reshape(together(all.map(() => x)), [directions, -1, inputs]);
  const products = g.matmul(rows, g.transpose(w, [0, 2, 1])); // [D, T·B, 4·H]
  const given = each(
    g.reshape(at.has(3) ? g.add(products, bias(g, at.x[3]!, size)) : products, [
      directions,
      steps,
      -1,
      4 * size,
    ]),
  );
  const wayBack = g.unsqueeze(r, [1]); // [D, 1, 4·H, H]
  const recurrent = g.transpose(wayBack, [0, 1, 3, 2]);
  const real = at.has(4) ? reals(g, at.x[4]!, steps) : null; // [T, B, 1]
  const masks = real ? each(together(all.map(() => real))) : null;
  const done: Step[] = [];
  for (let t = 0; t < steps; t++) {
    const before = done[t - 1];
    const sum = before ? g.add(given[t]!, g.matmul(before.h, recurrent)) : given[t]!;
    const [squashed, raw] = g.split(sum, [3 * size, size], 3) as [Value, Value];
    const gates = g.sigmoid(squashed);
    const [open, o, f] = g.split(gates, [size, size, size], 3) as [Value, Value, Value];
    // With nothing let in, a sequence beyond its length, or before its end where it goes back, stays at zero.
    const i = masks ? g.mul(open, masks[t]!) : open;
    const candidate = g.tanh(raw);
    const fresh = g.mul(i, candidate);
    const kept = before ? g.mul(f, before.cell) : null;
    const cell = kept ? g.add(kept, fresh) : fresh;
    const shown = g.tanh(cell);
    done.push({ gates, i, o, f, candidate, fresh, kept, cell, shown, h: g.mul(o, shown) });
  }
  const states = apart(
    g.concat(
      done.map(({ h }) => h),
      1,
    ),
    size,
  );
  const y = g.concat(
    states.map((part) => g.unsqueeze(part, [1])),
    1,
  );
  const masked = (value: Value) => (real ? g.mul(value, g.unsqueeze(real, [1])) : value);
  masked(y); // what is appended last gives the output

  return {
    gradient(dy) {
      const parts = pieces(g, masked(dy), directions, 1).map((part) => g.squeeze(part, [1]));
      const dys = each(together(parts));
      const back: Value[] = [];
      let carried: Value | null = null;
      for (let t = steps - 1; t >= 0; t--) {
        const { gates, i, o, f, candidate, fresh, kept, shown, h } = done[t]!;
        const dh: Value = t === steps - 1 ? dys[t]! : g.add(dys[t]!, g.matmul(back[t + 1]!, wayBack));
        const own: Value = g.mul(dh, g.sub(o, g.mul(h, shown)));
        const dc: Value = carried ? g.add(own, carried) : own;
        // Slopes of i, o and f times what each multiplies, s·(1 − s)·v, out of s·v.
        const parts = g.concat([fresh, h, kept ?? g.zerosLike(h)], 3);
        const three = g.mul(g.concat([dc, dh, dc], 3), g.sub(parts, g.mul(parts, gates)));
        back[t] = g.concat([three, g.mul(dc, g.sub(i, g.mul(fresh, candidate)))], 3);
        if (t > 0) carried = g.mul(dc, f);
      }
      const ways = flat(back, 4 * size); // [D, T·B, 4·H]
      const sum = (values: readonly Value[]) => values.reduce((a, b) => g.add(a, b));
      const over = (value: Value) => g.matmul(g.transpose(ways, [0, 2, 1]), value);
      const dx = () => sum(apart(g.matmul(ways, w), inputs));
      const dr = () => {
        const hs = done.map(({ h }) => h);
        return over(flat([g.zerosLike(hs[0]!), ...hs.slice(0, -1)], size));
      };
      const db = () => {
        const one = g.sum(ways, [1], false);
        return g.concat([one, one], 1);
      };
      return [dx, () => over(rows), dr, at.has(3) ? db : null, null] as readonly InputGradient[];
    },
  };
}

/** What a step leaves for the way back, each [D, 1, B, H]; `gates` i, o and f [D, 1, B, 3·H] without a mask. */
interface Step {
  readonly gates: Value;
  readonly i: Value;
  readonly o: Value;
  readonly f: Value;
  readonly candidate: Value;
  readonly fresh: Value;
  /** Null in the first step, whose cell before is zero. */
  readonly kept: Value | null;
  readonly cell: Value;
  readonly shown: Value;
  readonly h: Value;
}

/** Both halves of the biases [D, 8·H] together [D, 1, 4·H]. */
function bias(g: Formula, biases: Value, size: number): Value {
  const [input, recurrent] = g.split(biases, [4 * size, 4 * size], 1) as [Value, Value];
  return g.unsqueeze(g.add(input, recurrent), [1]);
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

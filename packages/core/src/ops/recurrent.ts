import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { lstmSteps } from "./lstm-steps.ts";
import { type Decomposition, decomposed, type Op } from "./op.ts";

type Part = Parameters<Decomposition>[1];

// X [T, B, I], W [D, gates·H, I], R [D, gates·H, H], B [D, 2·gates·H]; unrolled over T, which must be known.

/**
 * Gates i, o, f, c (Hochreiter and Schmidhuber 1997, in ONNX's order). Where only the states of all steps are
 * used and the first ones are zero, the steps have a gradient of the whole.
 */
export const LSTM: Op = {
  gradient: null,
  lower(g, at) {
    const { inputs, outputs } = at.node;
    const others = [inputs[5], inputs[6], inputs[7], outputs[1], outputs[2]];
    if (others.some((value) => value != null) || !outputs[0]) return null;
    refuseVariants(at, ["Sigmoid", "Tanh", "Tanh"]);
    return lstmSteps(g, at);
  },
  decompose: (g, at) => unrolledLstm(g, at),
};

const unrolledLstm: Decomposition = (g, at) =>
  unrolled(g, at, 4, ["Sigmoid", "Tanh", "Tanh"], (x, { h, c }, w, size) => {
    const sum = h ? g.add(x, g.matmul(h, w.recurrent)) : x;
    const biased = w.bias ? g.add(sum, g.add(w.bias, w.recurrentBias!)) : sum;
    const [i, o, f, candidate] = g.split(biased, [size, size, size, size], 1) as [Value, Value, Value, Value];
    const fresh = g.mul(g.sigmoid(i), g.tanh(candidate));
    const cell = c ? g.add(fresh, g.mul(g.sigmoid(f), c)) : fresh;
    return { h: g.mul(g.sigmoid(o), g.tanh(cell)), c: cell };
  });

/** Gates z, r, h (Cho et al. 2014, https://arxiv.org/abs/1406.1078). */
export const GRU = decomposed((g, at) => {
  const isLinearFirst = at.int("linear_before_reset", 0) === 1;
  return unrolled(g, at, 3, ["Sigmoid", "Tanh"], (x, { h }, w, size) => {
    const sizes = [size, size, size];
    const given = w.bias ? g.add(x, w.bias) : x;
    const [xz, xr, xh] = g.split(given, sizes, 1) as [Value, Value, Value];
    const before = h ?? g.mul(0, xz);
    const [rz, rr, rh] = g.split(w.recurrent, sizes, 1) as [Value, Value, Value];
    const biases = w.recurrentBias ? g.split(w.recurrentBias, sizes, 0) : null;
    const with_ = (value: Value, i: number) => (biases ? g.add(value, biases[i]!) : value);
    const z = g.sigmoid(g.add(xz, with_(g.matmul(before, rz), 0)));
    const r = g.sigmoid(g.add(xr, with_(g.matmul(before, rr), 1)));
    const memory = isLinearFirst
      ? g.mul(r, with_(g.matmul(before, rh), 2))
      : with_(g.matmul(g.mul(r, before), rh), 2);
    const candidate = g.tanh(g.add(xh, memory));
    return { h: g.add(g.mul(g.sub(1, z), candidate), g.mul(z, before)), c: null };
  });
});

/** h ← f(W·x + R·h + b) with tanh, or the rectifier, as f (Elman 1990). */
export const RNN = decomposed((g, at) => {
  const activation = activationsOf(at).includes("Relu") ? "Relu" : "Tanh";
  return unrolled(g, at, 1, [activation], (x, { h }, w) => {
    const sum = h ? g.add(x, g.matmul(h, w.recurrent)) : x;
    return { h: g.op(activation, [w.bias ? g.add(sum, g.add(w.bias, w.recurrentBias!)) : sum]), c: null };
  });
});

interface State {
  readonly h: Value | null;
  readonly c: Value | null;
}

interface Weights {
  /** [H, gates·H] */
  readonly recurrent: Value;
  /** [gates·H] */
  readonly bias: Value | null;
  readonly recurrentBias: Value | null;
}

/** One step: the input times its weights [B, gates·H], the state before, the weights and H. */
type Cell = (x: Value, before: State, weights: Weights, size: number) => { h: Value; c: Value | null };

function unrolled(g: Formula, at: Part, gates: number, usual: readonly string[], cell: Cell) {
  refuseVariants(at, usual);
  const [x, w, r, b, lengths, h0, c0] = at.x as Value[];
  const [steps] = at.shape(x!) as [number];
  if (typeof steps !== "number")
    at.refuse("is unrolled, so its number of steps must be known; give its shape");
  const [directions, , size] = at.extents(r!) as [number, number, number];
  const direction = at.text("direction", "forward");
  const all: { hs: Value[]; last: State }[] = [];
  for (let d = 0; d < directions; d++) {
    const of = (value: Value) => g.gather(value, g.constant(index(d)), 0);
    const products = g.matmul(x!, g.transpose(of(w!), [1, 0])); // [T, B, gates·H]
    const half = gates * size;
    const [bias, recurrentBias] = b ? (g.split(of(b), [half, half], 0) as [Value, Value]) : [null, null];
    const weights = { recurrent: g.transpose(of(r!), [1, 0]), bias, recurrentBias };
    const isBackward = direction === "reverse" || d === 1;
    let state: State = { h: h0 ? of(h0) : null, c: c0 ? of(c0) : null };
    const hs: Value[] = [];
    for (let i = 0; i < steps; i++) {
      const t = isBackward ? steps - 1 - i : i;
      const next = cell(g.gather(products, g.constant(index(t)), 0), state, weights, size);
      if (lengths) {
        // Beyond its length a sequence keeps its state and gives zeros.
        const runs = g.unsqueeze(g.op("Greater", [lengths, g.cast(g.constant(index(t)), "int32")]), [1]);
        const kept = (now: Value, before: Value | null) => g.where(runs, now, before ?? 0);
        state = { h: kept(next.h, state.h), c: next.c && kept(next.c, state.c) };
        hs[t] = g.where(runs, next.h, 0);
      } else {
        state = next;
        hs[t] = next.h;
      }
    }
    all.push({ hs, last: state });
  }
  const y = Array.from({ length: steps }, (_, t) =>
    g.unsqueeze(
      g.concat(
        all.map(({ hs }) => g.unsqueeze(hs[t]!, [0])),
        0,
      ),
      [0],
    ),
  );
  const last = (of: (state: State) => Value | null) =>
    of(all[0]!.last) &&
    g.concat(
      all.map(({ last }) => g.unsqueeze(of(last)!, [0])),
      0,
    );
  return [g.concat(y, 0), last(({ h }) => h), last(({ c }) => c)];
}

function refuseVariants(at: Part, usual: readonly string[]): void {
  const names = activationsOf(at);
  if (names.some((name, i) => name.toLowerCase() !== usual[i % usual.length]!.toLowerCase()))
    at.refuse(`has the activations ${names.join(", ")}; only ${usual.join(", ")} are differentiated`);
  if (at.node.attributes.has("clip")) at.refuse("clips its gates, which is not differentiated");
  if (at.int("layout", 0) !== 0) at.refuse("has the layout 1; export it with the layout 0");
  if (at.has(7)) at.refuse("has peepholes, which are not differentiated");
  if (at.int("input_forget", 0) !== 0) at.refuse("couples its gates, which is not differentiated");
}

function activationsOf(at: Part): readonly string[] {
  const strings = at.node.attributes.get("activations");
  return strings?.type === "strings" ? strings.value.map((text) => new TextDecoder().decode(text)) : [];
}

const index = (i: number) => ({ dtype: "int64" as const, shape: [], data: BigInt64Array.of(BigInt(i)) });

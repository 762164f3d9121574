import { existsSync, readFileSync } from "node:fs";
import {
  type Builder,
  build,
  emptyGraph,
  type Formula,
  float,
  float32,
  formulas,
  gradients,
  inferShapes,
  int64,
  ort,
  type Tensor,
  type Value,
  writeModel,
} from "@graft-ml/core";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";

const path = new URL("../../shared/data/torch_reference/torch_reference.json", import.meta.url);
const isThere = existsSync(path);
if (!isThere)
  console.info(`torch-reference: ${path.pathname} is absent, so layers are not compared with PyTorch's`);

interface Listed {
  readonly shape: number[];
  readonly data: number[];
}
interface Case {
  // biome-ignore lint/suspicious/noExplicitAny: attributes of every kind
  readonly attrs: any;
  readonly inputs: Record<string, Listed>;
  readonly params: Record<string, Listed>;
  readonly cotangent: Listed;
  readonly output: Listed;
  readonly grads: Record<string, Listed>;
  readonly running_mean?: Listed;
  readonly running_var?: Listed;
}
const cases: Record<string, Case> = isThere ? JSON.parse(readFileSync(path, "utf8")).cases : {};

/** A layer in ONNX from the inputs and parameters PyTorch was given. */
type Layer = (g: Formula, v: Record<string, Value>, c: Case, b: Builder) => Value;

const unary =
  (opType: string, attributes = {}): Layer =>
  (g, { x }) =>
    g.op(opType, [x!], attributes);
const conv =
  (attributes: Record<string, readonly number[] | number>): Layer =>
  (g, { x, weight, bias }) =>
    g.op("Conv", [x!, weight!, ...(bias ? [bias] : [])], attributes);
const pool =
  (opType: string, attributes: Record<string, readonly number[] | number>): Layer =>
  (g, { x }) =>
    g.op(opType, [x!], attributes);
const linear = (g: Formula, x: Value, w: Value, bias: Value) =>
  g.add(g.matmul(x, g.transpose(w, [1, 0])), bias);
const layerNorm = (g: Formula, x: Value, w: Value, bias: Value) =>
  g.op("LayerNormalization", [x, w, bias], { axis: -1, epsilon: float(1e-5) });
const gelu = (g: Formula, x: Value) => g.mul(g.mul(0.5, x), g.add(1, g.op("Erf", [g.mul(x, Math.SQRT1_2)])));

/** [B, S, E] with in- and out-projections; `hidden` [B, S] adds −1e9 to the scores of padding. */
function attention(
  g: Formula,
  x: Value,
  v: Record<string, Value>,
  prefix: string,
  heads: number,
  hidden: Value | null,
) {
  const all = linear(g, x, v[`${prefix}in_proj_weight`]!, v[`${prefix}in_proj_bias`]!);
  const apart = g
    .split(all, [8, 8, 8], 2)
    .map((one) => g.transpose(g.reshape(one, [0, 0, heads, -1]), [0, 2, 1, 3]));
  const [q, k, values] = apart as [Value, Value, Value];
  let scores = g.div(g.matmul(q, g.transpose(k, [0, 1, 3, 2])), Math.sqrt(8 / heads));
  if (hidden) scores = g.add(scores, g.mul(-1e9, g.unsqueeze(hidden, [1, 2])));
  const mixed = g.matmul(g.op("Softmax", [scores], { axis: -1 }), values);
  const joined = g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [0, 0, -1]);
  return linear(g, joined, v[`${prefix}out_proj.weight`]!, v[`${prefix}out_proj.bias`]!);
}

/** PyTorch's gates in ONNX's order: LSTM i f g o → i o f g, GRU r z n → z r n. */
function recurrent(opType: "LSTM" | "GRU", order: readonly number[], suffixes: readonly string[]): Layer {
  return (g, v) => {
    const reordered = (name: string, axis0: number) => {
      const parts = g.split(
        v[name]!,
        order.map(() => axis0 / order.length),
        0,
      );
      return g.concat(
        order.map((i) => parts[i]!),
        0,
      );
    };
    const rows = order.length * 4;
    const stacked = (make: (suffix: string) => Value) =>
      g.concat(
        suffixes.map((s) => g.unsqueeze(make(s), [0])),
        0,
      );
    const w = stacked((s) => reordered(`weight_ih_l0${s}`, rows));
    const r = stacked((s) => reordered(`weight_hh_l0${s}`, rows));
    const bias = stacked((s) =>
      g.concat([reordered(`bias_ih_l0${s}`, rows), reordered(`bias_hh_l0${s}`, rows)], 0),
    );
    const x = g.transpose(v.x!, [1, 0, 2]);
    const direction = suffixes.length === 2 ? "bidirectional" : "forward";
    const y = g.op(opType, [x, w, r, bias], {
      hidden_size: 4,
      direction,
      ...(opType === "GRU" ? { linear_before_reset: 1 } : {}),
    });
    return g.reshape(g.transpose(y, [2, 0, 1, 3]), [0, 0, -1]);
  };
}
const relative = (g: Formula, a: Value, b: Value) => g.sub(a, b);
const length = (g: Formula, x: Value, axis: number, epsilon = 0) =>
  g.sqrt(g.add(g.sum(g.square(x), [axis], false), epsilon));

const layers: Record<string, Layer> = {
  linear: (g, { x, weight, bias }) => g.op("Gemm", [x!, weight!, bias!], { transB: 1 }),
  conv2d_3x3_s1_p1: conv({ pads: [1, 1, 1, 1] }),
  conv2d_3x3_s2_p1_nobias: conv({ pads: [1, 1, 1, 1], strides: [2, 2] }),
  conv2d_depthwise_s2: conv({ pads: [1, 1, 1, 1], strides: [2, 2], group: 4 }),
  conv2d_grouped_dilated: conv({ pads: [2, 2, 2, 2], dilations: [2, 2], group: 2 }),
  conv2d_1x1: conv({}),
  conv1d_k3_p1: conv({ pads: [1, 1] }),
  convtranspose2d_s2: (g, { x, weight, bias }) =>
    g.op("ConvTranspose", [x!, weight!, bias!], {
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      output_padding: [1, 1],
    }),
  batchnorm2d_train: (g, { x, weight, bias }) => {
    const fixed = (value: number) => g.constant(float32([3], [value, value, value]));
    return g.many(
      "BatchNormalization",
      [x!, weight!, bias!, fixed(0), fixed(1)],
      { training_mode: 1, epsilon: float(1e-5) },
      3,
    )[0]!;
  },
  batchnorm2d_eval: (g, { x, weight, bias }, c) => {
    const given = ({ shape, data }: Listed) => g.constant(float32(shape, data));
    return g.op("BatchNormalization", [x!, weight!, bias!, given(c.running_mean!), given(c.running_var!)], {
      epsilon: float(1e-5),
    });
  },
  layernorm: (g, { x, weight, bias }) => layerNorm(g, x!, weight!, bias!),
  groupnorm_2: (g, { x, weight, bias }) => {
    const ones = (value: number) => g.constant(float32([2], [value, value]));
    const flat = g.op("InstanceNormalization", [g.reshape(x!, [0, 2, -1]), ones(1), ones(0)], {
      epsilon: float(1e-5),
    });
    return g.add(
      g.mul(g.reshape(flat, [2, 4, 3, 3]), g.unsqueeze(weight!, [1, 2])),
      g.unsqueeze(bias!, [1, 2]),
    );
  },
  prelu: (g, { x, weight }) => g.op("PRelu", [x!, g.unsqueeze(weight!, [1])]),
  embedding_padidx0: (g, { weight }, c) => {
    // The padding's row gets no gradient: it is cut off and put back as a constant.
    const rest = g.slice(weight!, [1], [7], [0]);
    const first = g.constant(float32([1, 4], c.params.weight!.data.slice(0, 4)));
    const ids = c.inputs.ids!;
    return g.gather(g.concat([first, rest], 0), g.constant(int64(ids.shape, ids.data)), 0);
  },
  relu: unary("Relu"),
  "leaky_relu_0.1": unary("LeakyRelu", { alpha: 0.1 }),
  // The file has relu6(4x) and hardswish(3x), to reach every piece.
  relu6: (g, { x }) => g.op("Clip", [g.mul(4, x!), float32([], [0]), float32([], [6])]),
  gelu_erf: (g, { x }) => gelu(g, x!),
  gelu_tanh: (g, { x }) => {
    const inner = g.mul(Math.sqrt(2 / Math.PI), g.add(x!, g.mul(0.044715, g.pow(x!, 3))));
    return g.mul(g.mul(0.5, x!), g.add(1, g.tanh(inner)));
  },
  silu: (g, { x }) => g.mul(x!, g.sigmoid(x!)),
  hardswish: (g, { x }) => g.op("HardSwish", [g.mul(3, x!)]),
  sigmoid: unary("Sigmoid"),
  tanh: unary("Tanh"),
  elu: unary("Elu"),
  softplus: unary("Softplus"),
  softmax_last: unary("Softmax", { axis: -1 }),
  log_softmax_last: unary("LogSoftmax", { axis: -1 }),
  l2_normalize_last: unary("LpNormalization", { axis: -1 }),
  logsumexp_last: (g, { x }) => g.op("ReduceLogSumExp", [x!], { axes: [-1], keepdims: 0 }),
  cumsum_last: (g, { x }) => g.op("CumSum", [x!, { ...int64([], [1]) }]),
  maxpool2d_2: pool("MaxPool", { kernel_shape: [2, 2], strides: [2, 2] }),
  maxpool2d_3s2p1: pool("MaxPool", { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  avgpool2d_3s2p1_countpad: pool("AveragePool", {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  adaptive_avgpool_1: unary("GlobalAveragePool"),
  upsample_bilinear_x2: (g, { x }) =>
    g.op("Resize", [x!, null, float32([4], [1, 1, 2, 2])], { mode: "linear" }),
  matmul_batched: (g, { a, b }) => g.matmul(a!, b!),
  broadcast_mul_add: (g, { a, b, c }) => g.add(g.mul(a!, b!), c!),
  lstm: recurrent("LSTM", [0, 3, 1, 2], [""]),
  lstm_bi: recurrent("LSTM", [0, 3, 1, 2], ["", "_reverse"]),
  gru: recurrent("GRU", [1, 0, 2], [""]),
  mha_selfattn_keypad: (g, v, c) => {
    const mask: number[][] = c.attrs.key_padding_mask;
    return attention(g, v.x!, v, "", 2, g.constant(float32([2, 4], mask.flat())));
  },
  transformer_encoder_layer_postnorm_gelu: (g, v) => {
    const first = layerNorm(
      g,
      g.add(v.x!, attention(g, v.x!, v, "self_attn.", 2, null)),
      v["norm1.weight"]!,
      v["norm1.bias"]!,
    );
    const inner = gelu(g, linear(g, first, v["linear1.weight"]!, v["linear1.bias"]!));
    const outer = linear(g, inner, v["linear2.weight"]!, v["linear2.bias"]!);
    return layerNorm(g, g.add(first, outer), v["norm2.weight"]!, v["norm2.bias"]!);
  },
  triplet_margin1: (g, { a, p, n }) => {
    const far = (other: Value) => length(g, g.add(relative(g, a!, other), 1e-6), 1);
    return g.div(g.sum(g.op("Relu", [g.add(g.sub(far(p!), far(n!)), 1)])), 4);
  },
  cosine_embedding: (g, { a, b }) => {
    const dot = g.sum(g.mul(a!, b!), [1], false);
    const cosine = g.div(dot, g.mul(length(g, a!, 1, 1e-12), length(g, b!, 1, 1e-12)));
    const same = g.constant(float32([4], [1, 0, 1, 0]));
    const apart = g.op("Relu", [g.sub(cosine, 0.1)]);
    return g.div(g.sum(g.add(g.mul(same, g.sub(1, cosine)), g.mul(g.sub(1, same), apart))), 4);
  },
  deep_coral: (g, { s, t }) => {
    const covariance = (x: Value, n: number) => {
      const centred = g.sub(x, g.mean(x, [0]));
      return g.div(g.matmul(g.transpose(centred, [1, 0]), centred), n - 1);
    };
    return g.div(g.sum(g.square(g.sub(covariance(s!, 6), covariance(t!, 7)))), 100);
  },
  mmd_rbf_biased: (g, { s, t }) => {
    const kernel = (a: Value, b: Value) => {
      const squared = g.sum(g.square(g.sub(g.unsqueeze(a, [1]), g.unsqueeze(b, [0]))), [2], false);
      const each = [0.25, 0.5, 1, 2, 4].map((gamma) => g.exp(g.mul(-gamma, squared)));
      return g.mean(
        g.div(
          each.reduce((x, y) => g.add(x, y)),
          5,
        ),
        [0, 1],
        false,
      );
    };
    return g.sub(g.add(kernel(s!, s!), kernel(t!, t!)), g.mul(2, kernel(s!, t!)));
  },
  linear_chain_crf_nll: (g, { em, tr, st, en }, c) => {
    const tags: number[] = c.attrs.tags;
    const at = (x: Value, where: number[]) => g.op("GatherND", [x, int64([where.length], where)]);
    let gold = g.add(at(st!, [tags[0]!]), at(en!, [tags.at(-1)!]));
    for (const [i, tag] of tags.entries()) gold = g.add(gold, at(em!, [i, tag]));
    for (let i = 1; i < tags.length; i++) gold = g.add(gold, at(tr!, [tags[i - 1]!, tags[i]!]));
    const row = (i: number) => g.squeeze(g.slice(em!, [i], [i + 1], [0]), [0]);
    let alpha = g.add(st!, row(0));
    for (let i = 1; i < tags.length; i++) {
      const paths = g.add(g.unsqueeze(alpha, [1]), tr!);
      alpha = g.add(g.op("ReduceLogSumExp", [paths], { axes: [0], keepdims: 0 }), row(i));
    }
    return g.sub(g.op("ReduceLogSumExp", [g.add(alpha, en!)], { keepdims: 0 }), gold);
  },
  "gradient_reversal_0.3": unary("Tanh"),
  ctc_loss: (g, { x }, c) => {
    // Graves et al. 2006: the ways through blank, label, blank, label …, in logarithms; "never" is −1e9.
    const { targets, blank }: { targets: number[]; blank: number } = c.attrs;
    const states = [blank, ...targets.flatMap((label) => [label, blank])];
    const [steps] = c.inputs.x!.shape as [number];
    const never = (count: number) => g.constant(float32([count], new Array(count).fill(-1e9)));
    const scores = g.gather(
      g.squeeze(g.op("LogSoftmax", [x!], { axis: -1 }), [1]),
      g.constant(int64([states.length], states)),
      1,
    );
    const step = (t: number) => g.squeeze(g.slice(scores, [t], [t + 1], [0]), [0]);
    const total = (ways: Value[]) =>
      g.op(
        "ReduceLogSumExp",
        [
          g.concat(
            ways.map((way) => g.unsqueeze(way, [0])),
            0,
          ),
        ],
        { axes: [0], keepdims: 0 },
      );
    const later = (alpha: Value, by: number) =>
      g.concat([never(by), g.slice(alpha, [0], [states.length - by], [0])], 0);
    // A blank may be left out between labels that differ.
    const leaps = float32(
      [states.length],
      states.map((label, i) => (i > 1 && label !== blank && label !== states[i - 2] ? 0 : -1e9)),
    );
    let alpha = g.concat([g.slice(step(0), [0], [2], [0]), never(states.length - 2)], 0);
    for (let t = 1; t < steps; t++)
      alpha = g.add(total([alpha, later(alpha, 1), g.add(later(alpha, 2), g.constant(leaps))]), step(t));
    const ends = g.slice(alpha, [states.length - 2], [states.length], [0]);
    return g.neg(g.op("ReduceLogSumExp", [ends], { keepdims: 0 }));
  },
  lora_linear_r2_alpha4: (g, { x, A, B }, c) => {
    const frozen = g.matmul(x!, g.transpose(g.constant(float32([3, 5], c.attrs.W0.data)), [1, 0]));
    const low = g.matmul(g.matmul(x!, g.transpose(A!, [1, 0])), g.transpose(B!, [1, 0]));
    return g.add(frozen, g.mul(2, low));
  },
  ewc_penalty_lambda3: (g, { th }, c) => {
    const fixed = (name: string) => g.constant(float32([6], c.attrs[name].data));
    return g.mul(1.5, g.sum(g.mul(fixed("fisher"), g.square(g.sub(th!, fixed("theta0"))))));
  },
};

/** Values whose gradient is multiplied on its way down, by entry. */
const FACTORS: Record<string, Record<string, number>> = { "gradient_reversal_0.3": { x: -0.3 } };

/** Entries that are proved elsewhere or have no layer here, with the reason. */
const ELSEWHERE: Record<string, string> = {
  _optimizers: "packages/core/src/optim/optim.test.ts",
  _lr_schedules_base_lr_1: "packages/core/src/optim/optim.test.ts",
  _clip_grad_norm_1: "packages/core/src/optim/optim.test.ts",
  ...Object.fromEntries(
    [
      "cross_entropy",
      "cross_entropy_label_smoothing_0.1",
      "cross_entropy_class_weight",
      "cross_entropy_ignore_index",
      "bce_with_logits",
      "mse",
      "distill_kl_T1",
      "distill_kl_T4",
      "info_nce_tau0.1",
    ].map((name) => [name, "packages/core/src/training/training.test.ts"]),
  ),
  smooth_l1: "packages/core/src/training/training.test.ts",
};

describe.skipIf(!isThere)("layers as PyTorch has them, outputs and gradients", () => {
  const runtime = ort(module as never);
  it("are all 64 entries, here or where the list says", () => {
    expect(Object.keys(cases)).toHaveLength(64);
    for (const [name, where] of Object.entries(ELSEWHERE)) {
      expect(name in layers, name).toBe(false);
      const text = readFileSync(new URL(`../${where}`, import.meta.url), "utf8");
      expect(text.includes(name), `${name} in ${where}`).toBe(true);
    }
  });
  it("leaves out none without a reason", () => {
    expect(Object.keys(cases).filter((name) => !(name in layers) && !(name in ELSEWHERE))).toEqual([]);
  });
  it.each(Object.keys(cases).filter((name) => name in layers))("%s", async (name) => {
    const one = cases[name]!;
    const graph = emptyGraph(name);
    const b = build(graph);
    const values: Record<string, Value> = {};
    const feeds: Record<string, Tensor> = {};
    for (const [key, { shape, data }] of Object.entries({ ...one.inputs, ...one.params })) {
      if (key === "ids") continue;
      values[key] = b.input(key, "float32", shape);
      feeds[key] = float32(shape, data);
    }
    const g = formulas(b, "float32", 17, "");
    const output = layers[name]!(g, values, one, b);
    const cotangent = float32(one.cotangent.shape, one.cotangent.data);
    const loss = g.sum(g.mul(output, cotangent));
    graph.outputs.push(output, loss);
    expect(inferShapes(graph).get(loss)!.shape).toEqual([]);
    const wanted = Object.keys(one.grads);
    const { graph: whole, gradients: found } = gradients(
      graph,
      loss,
      wanted.map((key) => values[key]!),
      { factors: new Map(Object.entries(FACTORS[name] ?? {}).map(([key, by]) => [values[key]!, by])) },
    );
    const model = {
      graph: whole,
      opsets: new Map([["", 17]]),
      irVersion: 8,
      producer: { name: "", version: "" },
      domain: "",
      modelVersion: 0n,
      doc: "",
      metadata: new Map(),
    };
    const session = await runtime.load(writeModel(model));
    const results = await session.run(feeds);
    near(results[output.name]!, one.output, "output");
    for (const key of wanted) near(results[found.get(values[key]!)!.name]!, one.grads[key]!, key);
    await session.close();
  });
});

/** Equal but for what float32 loses: 2e-5 of the largest number. */
function near(given: Tensor, expected: Listed, what: string): void {
  expect(given.shape, what).toEqual(expected.shape);
  const data = given.data as Float32Array;
  const scale = Math.max(1e-3, ...expected.data.map(Math.abs));
  for (const [i, value] of expected.data.entries())
    expect(Math.abs(data[i]! - value) / scale, `${what}[${i}]: ${data[i]}, not ${value}`).toBeLessThan(2e-5);
}

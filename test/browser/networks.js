// Networks whose gradients a page and the command line must agree on. `core` is Graft's core, `runtime` what runs models.

/** A small convolutional network and a transformer block, each with its loss, its gradients and a few steps of training. */
export async function computeAll(core, runtime) {
  return {
    cnn: await compute(core, runtime, cnn(core)),
    encoder: await compute(core, runtime, encoder(core)),
  };
}

const ROWS = 4;
const STEPS = 6;

async function compute(core, runtime, { model, feeds, classes }) {
  const plan = core.planTraining(model, {
    train: (name, { shape }) => shape.length > 0 && !name.startsWith("statistics"),
    loss: (g, graph, input) =>
      core.crossEntropy(g, graph.outputs[0], input("targets", "float32", [ROWS, classes])),
  });
  const batch = { ...feeds, targets: core.classTargets([0, 1, 2, 1], classes) };
  const session = await runtime.load(core.writeModel(plan.model));
  const results = await session.run({ ...batch, ...Object.fromEntries(plan.parameters) });
  await session.close();
  const gradients = Object.fromEntries(
    [...plan.gradients].map(([name, output]) => [name, Array.from(results[output].data)]),
  );
  const { losses, parameters } = await core.train(plan, {
    runtime,
    optimizer: core.optimizers.adamw,
    rate: 0.01,
    epochs: STEPS,
    batches: () => [batch],
  });
  const trained = Object.fromEntries([...parameters].map(([name, { data }]) => [name, Array.from(data)]));
  return { loss: results[plan.loss].data[0], gradients, losses, trained };
}

function start(core, name) {
  const graph = core.emptyGraph(name);
  const b = core.build(graph);
  const source = core.random(7);
  const numbers = (shape, scale) =>
    core.float32(
      shape,
      Array.from({ length: shape.reduce((x, y) => x * y, 1) }, () => scale * source.normal()),
    );
  const weight = (stem, shape, scale = 0.4) => b.constant(numbers(shape, scale), stem);
  const model = (output) => {
    graph.outputs.push(output);
    return core.modelOf(graph);
  };
  return { b, numbers, weight, model };
}

/** Strided, depthwise and pointwise convolutions, batch normalization, both rectifiers and a residual. */
function cnn(core) {
  const { b, numbers, weight, model } = start(core, "cnn");
  const x = b.input("x", "float32", [ROWS, 3, 12, 12]);
  const pads = [1, 1, 1, 1];
  const first = b.apply("Conv", [x, weight("w1", [8, 3, 3, 3]), weight("b1", [8])], {
    pads,
    strides: [2, 2],
  });
  const fixed = (value) => b.constant(core.float32([8], new Array(8).fill(value)), "statistics");
  const scaled = b.apply("BatchNormalization", [
    first,
    weight("scale", [8], 1),
    weight("shift", [8]),
    fixed(0.1),
    fixed(1.3),
  ]);
  const active = b.apply("Relu", [scaled]);
  const apart = b.apply("Conv", [active, weight("w2", [8, 1, 3, 3]), weight("b2", [8])], { pads, group: 8 });
  const bounded = b.apply("Clip", [apart, core.float32([], [0]), core.float32([], [6])]);
  const mixed = b.apply("Conv", [bounded, weight("w3", [8, 8, 1, 1])], {});
  const residual = b.apply("Add", [mixed, active]);
  const pooled = b.apply("MaxPool", [residual], { kernel_shape: [2, 2], strides: [2, 2] });
  const features = b.apply("Flatten", [b.apply("GlobalAveragePool", [pooled])]);
  const logits = b.apply("Gemm", [features, weight("w4", [8, 3]), weight("b4", [3])]);
  return { model: model(logits), feeds: { x: numbers([ROWS, 3, 12, 12], 1) }, classes: 3 };
}

/** Embeddings, one block of attention and GELU between layer norms, the mean over the tokens. */
function encoder(core) {
  const { b, weight, model } = start(core, "encoder");
  const [length, width, heads] = [6, 8, 2];
  const ids = b.input("ids", "int64", [ROWS, length]);
  const words = b.apply("Gather", [weight("words", [11, width], 1), ids]);
  const x = b.apply("Add", [words, weight("places", [length, width], 1)]);
  const linear = (value, stem, from, to) =>
    b.apply("Add", [b.apply("MatMul", [value, weight(`${stem}.w`, [from, to])]), weight(`${stem}.b`, [to])]);
  const norm = (value, stem) =>
    b.apply(
      "LayerNormalization",
      [value, weight(`${stem}.scale`, [width], 1), weight(`${stem}.shift`, [width])],
      { axis: -1 },
    );
  const apart = (value, perm) =>
    b.apply("Transpose", [b.apply("Reshape", [value, core.ints([0, 0, heads, -1])])], { perm });
  const query = apart(linear(x, "query", width, width), [0, 2, 1, 3]);
  // A bias of the keys moves all scores of a query alike: its gradient is rounding alone.
  const key = apart(b.apply("MatMul", [x, weight("key.w", [width, width])]), [0, 2, 3, 1]);
  const value = apart(linear(x, "value", width, width), [0, 2, 1, 3]);
  const scores = b.apply("Div", [
    b.apply("MatMul", [query, key]),
    core.float32([], [Math.sqrt(width / heads)]),
  ]);
  const mixed = b.apply("MatMul", [b.apply("Softmax", [scores], { axis: -1 }), value]);
  const joined = b.apply("Reshape", [
    b.apply("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
    core.ints([0, 0, -1]),
  ]);
  const attended = norm(b.apply("Add", [x, linear(joined, "out", width, width)]), "norm1");
  const inner = linear(attended, "up", width, 2 * width);
  const half = b.apply("Mul", [inner, core.float32([], [0.5])]);
  const erf = b.apply("Erf", [b.apply("Mul", [inner, core.float32([], [Math.SQRT1_2])])]);
  const gelu = b.apply("Mul", [half, b.apply("Add", [erf, core.float32([], [1])])]);
  const outer = norm(b.apply("Add", [attended, linear(gelu, "down", 2 * width, width)]), "norm2");
  const mean = b.apply("ReduceMean", [outer], { axes: [1], keepdims: 0 });
  const logits = b.apply("Gemm", [mean, weight("head.w", [width, 3]), weight("head.b", [3])]);
  const tokens = Array.from({ length: ROWS * length }, (_, i) => (i * 7 + 3) % 11);
  return { model: model(logits), feeds: { ids: core.int64([ROWS, length], tokens) }, classes: 3 };
}

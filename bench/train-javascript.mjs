// Milliseconds of a training step (forward, backward, Adam) of a small CNN and an MLP in Node: Graft against
// TensorFlow.js and jax-js, in turn, from equal weights. `scripts/javascript-peers.sh FOLDER`, then
// `JAVASCRIPT_PEERS=FOLDER npm run bench -- train-javascript`. All peers that run in Node without binary
// add-ons use one thread; so does Graft (THREADS to change it).
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import module from "onnxruntime-node";
import * as core from "../packages/core/dist/index.js";

const threads = Number(process.env.THREADS ?? 1);
const rounds = Number(process.env.ROUNDS ?? 3);
const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const RATE = 1e-3;

const cases = {
  "CNN 3-16-32-10 (3×3, mean of pixels) on 16×16, batch 16": {
    input: [16, 3, 16, 16],
    layers: [
      { kind: "conv", weight: [16, 3, 3, 3] },
      { kind: "conv", weight: [32, 16, 3, 3] },
      { kind: "dense", weight: [32, 10] },
    ],
  },
  "MLP 512-256-10, batch 64": {
    input: [64, 512],
    layers: [
      { kind: "dense", weight: [512, 256] },
      { kind: "dense", weight: [256, 10] },
    ],
  },
};

/** The rows of the table; none, with a reason, where the peers are not there. */
export async function run(log = () => {}) {
  const folder = process.env.JAVASCRIPT_PEERS;
  if (!folder) {
    log("skipped: JAVASCRIPT_PEERS names no folder; make one with scripts/javascript-peers.sh");
    return [];
  }
  const require = createRequire(join(folder, "peers.cjs"));
  const rows = [];
  for (const [name, network] of Object.entries(cases)) {
    const made = numbers(network);
    const ours = await graft(made);
    const peers = {
      // Its gradient of a convolution takes minutes there.
      "TensorFlow.js, cpu": network.input.length > 2 ? "too slow" : await tensorflow(made, require, "cpu"),
      "TensorFlow.js, wasm": await tensorflow(made, require, "wasm"),
      "jax-js, wasm": await jax(made, folder),
    };
    for (const [peerName, peer] of Object.entries(peers)) {
      if (typeof peer === "string") {
        log(`${name}, ${peerName}: left out, ${peer}`);
        continue;
      }
      if (!(Math.abs(peer.firstLoss - ours.firstLoss) < 1e-3))
        throw new Error(`${peerName} begins with the loss ${peer.firstLoss}, Graft with ${ours.firstLoss}`);
      const [mine, theirs, ratios] = [[], [], []];
      await timed(peer, 2); // kernels are compiled by their first uses
      for (let round = 0; round < rounds; round++) {
        theirs.push(await timed(peer, 2));
        mine.push(await timed(ours, 20));
        ratios.push(theirs.at(-1) / mine.at(-1));
      }
      const row = { case: name, ours: middle(mine), peer: middle(theirs), peerName, unit: "ms" };
      rows.push({ ...row, ratio: middle(ratios), spread: [Math.min(...ratios), Math.max(...ratios)] });
      log(
        `${name}: Graft ${row.ours.toFixed(2)} ms, ${peerName} ${row.peer.toFixed(1)} ms, ${middle(ratios).toFixed(1)} times`,
      );
    }
    await ours.close();
  }
  return rows;
}

async function timed(step, steps) {
  const start = performance.now();
  for (let i = 0; i < steps; i++) await step();
  return (performance.now() - start) / steps;
}

/** Equal inputs, labels and first weights for all. */
function numbers({ input, layers }) {
  const source = core.random(1);
  const draw = (shape, scale) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => source.normal() * scale),
  });
  return {
    x: draw(input, 1),
    labels: Array.from({ length: input[0] }, (_, i) => i % 10),
    layers: layers.map(({ kind, weight }) => ({
      kind,
      weight: draw(weight, 0.05),
      bias: draw([kind === "conv" ? weight[0] : weight[1]], 0.05),
    })),
  };
}

/** A step a call, which gives the loss; `firstLoss` is that of the first. */
async function graft({ x, labels, layers }) {
  const graph = core.emptyGraph("network");
  const b = core.build(graph);
  let at = b.input("x", "float32", x.shape);
  for (const [i, { kind, weight, bias }] of layers.entries()) {
    const w = b.constant(core.float32(weight.shape, weight.data), `w${i}`);
    const c = b.constant(core.float32(bias.shape, bias.data), `b${i}`);
    if (kind === "conv") {
      at = b.apply("Relu", [b.apply("Conv", [at, w, c], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] })]);
    } else {
      if (i > 0 && layers[i - 1].kind === "conv")
        at = b.apply("Flatten", [b.apply("GlobalAveragePool", [at])]);
      at = b.apply("Gemm", [at, w, c]);
      if (i < layers.length - 1) at = b.apply("Relu", [at]);
    }
  }
  graph.outputs.push(Object.assign(at, { name: "logits" }));
  const runtime = core.ort(module, { session: { intraOpNumThreads: threads } });
  const plan = core.planTraining(core.modelOf(graph, 17), {
    train: () => true,
    block: await core.blockOf(runtime),
    loss: (g, { outputs }, input) =>
      core.crossEntropy(g, outputs[0], input("targets", "float32", [labels.length, 10])),
  });
  const feeds = { x: core.float32(x.shape, x.data), targets: core.classTargets(labels, 10) };
  let go = () => {};
  let arrived = () => {};
  const signal = { aborted: false };
  const training = core.train(plan, {
    runtime,
    optimizer: core.optimizers.adam,
    rate: RATE,
    epochs: 1,
    signal,
    async *batches() {
      for (;;) {
        await new Promise((resolve) => {
          go = resolve;
        });
        yield feeds;
      }
    },
    onStep: ({ loss }) => arrived(loss),
  });
  training.catch((error) => {
    console.error(error);
    process.exit(1);
  });
  const step = async () => {
    await new Promise(setImmediate); // the loop asks for its batches ahead of their use
    const done = new Promise((resolve) => {
      arrived = resolve;
    });
    go();
    return await done;
  };
  const firstLoss = await step();
  return Object.assign(step, { firstLoss, close: () => runtime.close() });
}

async function tensorflow({ x, labels, layers }, require, backend) {
  const tf = require("@tensorflow/tfjs");
  if (backend === "wasm") require("@tensorflow/tfjs-backend-wasm");
  if (!(await tf.setBackend(backend))) return `the backend ${backend} does not start`;
  await tf.ready();
  // Images have their channels last there.
  const image = x.shape.length === 4;
  const place = (tensor, perm) => tf.tidy(() => tf.tensor(tensor.data, tensor.shape).transpose(perm));
  const input = image ? place(x, [0, 2, 3, 1]) : tf.tensor(x.data, x.shape);
  const variables = layers.map(({ kind, weight, bias }) => ({
    kind,
    w: tf.variable(kind === "conv" ? place(weight, [2, 3, 1, 0]) : tf.tensor(weight.data, weight.shape)),
    b: tf.variable(tf.tensor(bias.data, bias.shape)),
  }));
  const targets = tf.oneHot(tf.tensor1d(labels, "int32"), 10);
  const loss = () => {
    let at = input;
    for (const [i, { kind, w, b }] of variables.entries()) {
      if (kind === "conv") at = tf.relu(tf.add(tf.conv2d(at, w, 1, "same"), b));
      else {
        if (at.shape.length > 2) at = tf.mean(at, [1, 2]);
        at = tf.add(tf.matMul(at, w), b);
        if (i < variables.length - 1) at = tf.relu(at);
      }
    }
    return tf.losses.softmaxCrossEntropy(targets, at);
  };
  const optimizer = tf.train.adam(RATE);
  const step = async () => {
    await tf.setBackend(backend);
    const value = optimizer.minimize(loss, true);
    const [number] = await value.data();
    value.dispose();
    return number;
  };
  try {
    return Object.assign(step, { firstLoss: await step() });
  } catch (error) {
    return error.message.split("\n")[0]; // the backend lacks a kernel of the gradient
  }
}

async function jax({ x, labels, layers }, folder) {
  const path = join(folder, "node_modules/@jax-js/jax/dist/index.js");
  const {
    init,
    jit,
    lax,
    nn,
    numpy: np,
    tree,
    valueAndGrad,
    defaultDevice,
  } = await import(pathToFileURL(path).href);
  await init("wasm");
  defaultDevice("wasm");
  const array = ({ data, shape }) => np.array(data).reshape(shape);
  const input = array(x);
  const hot = new Float32Array(labels.length * 10);
  for (const [row, label] of labels.entries()) hot[row * 10 + label] = 1;
  const targets = np.array(hot).reshape([labels.length, 10]);
  const kinds = layers.map(({ kind }) => kind);
  const loss = (weights, images, wanted) => {
    let at = images;
    for (const [i, { w, b }] of weights.entries()) {
      if (kinds[i] === "conv") {
        const bias = b.reshape([1, -1, 1, 1]);
        at = nn.relu(
          lax
            .convGeneralDilated(
              at,
              w,
              [1, 1],
              [
                [1, 1],
                [1, 1],
              ],
            )
            .add(bias),
        );
      } else {
        if (at.shape.length > 2) at = np.mean(at, [2, 3]);
        at = np.matmul(at, w).add(b);
        if (i < kinds.length - 1) at = nn.relu(at);
      }
    }
    return nn
      .logSoftmax(at)
      .mul(wanted)
      .sum()
      .mul(-1 / labels.length);
  };
  // Arrays are freed by their last use there; `ref` keeps one for another.
  const update = jit((weights, memory, size, root, images, wanted) => {
    const [value, slopes] = valueAndGrad(loss)(tree.ref(weights), images, wanted);
    const [next, remembered] = [[], []];
    for (const [i, layer] of weights.entries()) {
      const [one, kept] = [{}, {}];
      for (const part of ["w", "b"]) {
        const g = slopes[i][part];
        const m = memory[i][part].m.mul(0.9).add(g.ref.mul(0.1));
        const v = memory[i][part].v.mul(0.999).add(g.ref.mul(g).mul(0.001));
        const move = m.ref.mul(size.ref).div(np.sqrt(v.ref.mul(root.ref)).add(1e-8));
        one[part] = layer[part].sub(move);
        kept[part] = { m, v };
      }
      next.push(one);
      remembered.push(kept);
    }
    size.dispose();
    root.dispose();
    return [value, next, remembered];
  });
  let weights = layers.map(({ weight, bias }) => ({ w: array(weight), b: array(bias) }));
  const none = (part) => ({ m: np.zeros(part.shape), v: np.zeros(part.shape) });
  let memory = layers.map(({ weight, bias }) => ({ w: none(weight), b: none(bias) }));
  let count = 0;
  const step = async () => {
    count++;
    const [size, root] = [RATE / (1 - 0.9 ** count), 1 / (1 - 0.999 ** count)].map((n) => np.array([n]));
    let value;
    [value, weights, memory] = update(weights, memory, size, root, input.ref, targets.ref);
    return (await value.data())[0];
  };
  return Object.assign(step, { firstLoss: await step() });
}

// What training costs beside the arithmetic: building a gradient graph and its session for a network of 2 000
// nodes, a step of a tiny network in the same thread and in the runtime's own, AdamW over 25 million
// parameters. `npm run bench -- train-overhead`.
import module from "onnxruntime-node";
import * as core from "../packages/core/dist/index.js";
import { ortRuntime } from "../packages/node/dist/index.js";

const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Layers of five nodes: product, bias, activation, norm, sum with what went in. */
function network(layers, width) {
  const graph = core.emptyGraph("deep");
  const b = core.build(graph);
  const source = core.random(1);
  const weights = (shape, name) => {
    const count = shape.reduce((x, y) => x * y);
    return b.constant(
      core.float32(
        shape,
        Array.from({ length: count }, () => source.normal() * 0.1),
      ),
      name,
    );
  };
  let x = b.input("x", "float32", [4, width]);
  for (let i = 0; i < layers; i++) {
    const product = b.apply("MatMul", [x, weights([width, width], `w${i}`)]);
    const sum = b.apply("Add", [product, weights([width], `b${i}`)]);
    const active = b.apply("Relu", [sum]);
    const norm = b.apply("LayerNormalization", [
      active,
      weights([width], `s${i}`),
      weights([width], `t${i}`),
    ]);
    x = b.apply("Add", [norm, x]);
  }
  graph.outputs.push(Object.assign(x, { name: "logits" }));
  return core.modelOf(graph, 17);
}

function planOf(model, width) {
  return core.planTraining(model, {
    train: () => true,
    loss: (g, graph, input) =>
      core.crossEntropy(g, graph.outputs[0], input("targets", "float32", [4, width])),
  });
}

/** From a model to the end of the first step, less a second step. */
async function buildTime(runtime, model, width) {
  const feeds = {
    x: core.float32([4, width], new Float32Array(4 * width).fill(0.5)),
    targets: core.classTargets([0, 1, 2, 3], width),
  };
  const marks = [performance.now()];
  await core.train(planOf(model, width), {
    runtime,
    optimizer: core.optimizers.adamw,
    rate: 1e-3,
    epochs: 1,
    batches: () => [feeds, feeds],
    onStep: () => marks.push(performance.now()),
  });
  const [start, first, second] = marks;
  return first - start - (second - first);
}

async function stepTimes(runtime, steps) {
  const width = 4;
  const plan = planOf(network(1, width), width);
  const feeds = {
    x: core.float32([4, width], new Float32Array(4 * width).fill(0.5)),
    targets: core.classTargets([0, 1, 2, 3], width),
  };
  const times = [];
  let last = performance.now();
  await core.train(plan, {
    runtime,
    optimizer: core.optimizers.adamw,
    rate: 1e-3,
    epochs: 1,
    *batches() {
      for (let i = 0; i < steps; i++) yield feeds;
    },
    onStep() {
      const now = performance.now();
      times.push(now - last);
      last = now;
    },
  });
  return times.slice(steps >> 1);
}

/** The rows of the table. */
export async function run() {
  const rows = [];
  const here = core.ort(module, { session: { intraOpNumThreads: 1 } });
  const row = (name, unit, times, most) =>
    rows.push({
      case: name,
      ours: middle(times),
      unit,
      most,
      spread: [Math.min(...times), Math.max(...times)],
    });

  const model = network(400, 16);
  const builds = [];
  for (let i = 0; i < 5; i++) builds.push(await buildTime(here, model, 16));
  row(`gradient graph and session of ${model.graph.nodes.length} nodes`, "ms", builds, 2000);

  const micro = (times) => times.map((time) => time * 1000);
  row("step of a tiny network, same thread", "µs", micro(await stepTimes(here, 2000)), 200);
  const apart = await ortRuntime({ threads: 1 });
  row("step of a tiny network, thread of the runtime", "µs", micro(await stepTimes(apart, 2000)), 200);
  await apart.close();

  const count = 25_000_000;
  const arena = core.arenaOf(
    new Map([["w", core.float32([count / 100, 100], new Float32Array(count).fill(0.5))]]),
  );
  for (const [name, used] of [
    ["vector instructions", arena],
    ["the loop in JavaScript", { ...arena, memory: null }],
  ]) {
    const state = core.initialState(core.optimizers.adamw, arena);
    const gradients = core.zerosFor(arena).fill(0.01);
    const times = [];
    for (let step = 1; step <= 5; step++) {
      const start = performance.now();
      core.optimizers.adamw.step(used, gradients, state, {}, { step, rate: 1e-3 });
      times.push(performance.now() - start);
    }
    row(`AdamW, ${count / 1e6} million parameters, ${name}`, "ms", times.slice(1), null);
  }
  return rows;
}

// Milliseconds of a training step (forward, backward, AdamW), Graft against PyTorch on the CPU, 2 threads each, in turn.
// `npm run bench -- train-step`; needs the models of ../shared/data and a Python with torch and onnx (PYTHON, default .venv/bin/python).
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as core from "../packages/core/dist/index.js";
import { ortRuntime } from "../packages/node/dist/index.js";

const path = fileURLToPath(
  new URL("../../shared/data/models/mobilenet_v2_1.0_224/model.onnx", import.meta.url),
);
const python = process.env.PYTHON ?? fileURLToPath(new URL("../.venv/bin/python", import.meta.url));
/** Threads of the side that has just run wait in a loop for a while; the other would be measured against them. */
const idle = () => new Promise((resolve) => setTimeout(resolve, 400));

const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** The rows of the table. */
export async function run() {
  if (!existsSync(path) || !existsSync(python)) {
    throw new Error(`train-step needs ${existsSync(path) ? python : path}`);
  }
  const [rows, side, rounds, block] = [16, 128, 6, 5];
  const peer = spawn(python, [fileURLToPath(new URL("train-step.py", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const answers = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  const runtime = await ortRuntime({ threads: 2 });
  const results = [];
  for (const [name, lowest] of [
    ["full", 0],
    ["last block", 0.88],
  ]) {
    const model = core.readModel(readFileSync(path));
    const logits = model.graph.outputs[0];
    const kept = core.prune({ ...model.graph, outputs: [logits] });
    const order = kept.nodes.flatMap((node) =>
      (/Conv|Gemm/.test(node.opType) ? node.inputs : [])
        .filter((value) => kept.initializers.has(value))
        .map(({ name }) => name),
    );
    const chosen = new Set(order.slice(Math.floor(order.length * lowest)));
    const trained = [...kept.initializers]
      .filter(([value]) => chosen.has(value.name))
      .map(([value]) => value.name);
    const classes = logits.shape.at(-1);
    const x = model.graph.inputs[0].name;
    const plan = core.planTraining(model, {
      train: (parameter) => trained.includes(parameter),
      shapes: { [x]: [rows, 3, side, side] },
      loss: (g, graph, input) =>
        core.crossEntropy(g, graph.outputs[0], input("targets", "float32", [rows, classes])),
    });
    const source = core.random(1);
    const pixels = Float32Array.from({ length: rows * 3 * side * side }, () => source.uniform() * 2 - 1);
    const feeds = {
      [x]: core.float32([rows, 3, side, side], pixels),
      targets: core.classTargets([...Array(rows).keys()], classes),
    };
    const times = [];
    const mine = [];
    let last = 0;
    const ratios = [];
    const settings = { runtime, optimizer: core.optimizers.adamw, rate: 1e-5, epochs: 1 };
    const peerTimes = [];
    await core.train(plan, {
      ...settings,
      async *batches() {
        for (let i = 0; i < rounds * block; i++) yield feeds;
      },
      onStep: ({ step }) => {
        const now = performance.now();
        if (step % block !== 1) mine.push(now - last); // the first after a pause wakes threads and caches
        last = now;
      },
      // The peer runs between the steps of this side, so that both see the same machine.
      checkpoint: {
        every: block,
        async save() {
          times.push(middle(mine.splice(0)));
          await idle();
          peer.stdin.write(`${path}\t${rows}\t${side}\t${block - 1}\t${JSON.stringify(trained)}\n`);
          peerTimes.push(JSON.parse((await answers.next()).value));
          last = performance.now();
        },
      },
    });
    for (let i = 1; i < times.length; i++) ratios.push(times[i] / peerTimes[i]);
    ratios.sort((a, b) => a - b);
    results.push({
      case: `MobileNetV2 ${side}, batch ${rows}, ${name}`,
      ours: middle(times.slice(1)),
      peer: middle(peerTimes.slice(1)),
      peerName: "PyTorch",
      unit: "ms",
      ratio: middle(ratios),
      spread: [ratios[0], ratios.at(-1)],
    });
  }
  peer.stdin.end();
  await runtime.close();
  return results;
}
